//! Everything from outside, in one program.
#![allow(clippy::unwrap_used)]

mod clouds;
mod format;
mod lossless;
