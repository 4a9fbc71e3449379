//! Range asymmetric numeral systems (Duda 2013): the peer-compatible stream and the native one.
