//! Everything from outside, in one program.
#![allow(clippy::unwrap_used)]

mod clouds;
mod damage;
mod format;
mod lossless;
