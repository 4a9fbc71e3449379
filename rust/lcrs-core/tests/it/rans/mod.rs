//! The entropy coder from outside: against the peer's vectors, a slow reference, itself, and hostile bytes.

mod golden;
mod hostile;
mod interop;
mod properties;
mod rate;
mod reference;
mod replay;
mod round_trip;
pub(crate) mod support;
