//! The entropy coder from outside: against the peer's vectors, a slow reference, itself, and hostile bytes.
#![allow(clippy::unwrap_used)]

mod golden;
mod hostile;
mod interop;
mod properties;
mod rate;
mod reference;
mod replay;
mod round_trip;
mod support;
