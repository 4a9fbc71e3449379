//! The entropy coder from outside: against the peer's vectors, a slow reference, itself, and hostile bytes.
#![allow(clippy::unwrap_used)]

mod interop;
mod reference;
mod round_trip;
mod support;
