//! Scans: the order in which the symbols of a latent become known.
