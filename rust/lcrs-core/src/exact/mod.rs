//! Network arithmetic in a fixed order, so that every machine computes the same bits.
