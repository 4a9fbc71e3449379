//! Everything from outside, in one program: what needs an allocator of its own is beside this folder.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "program")]
mod cli;
#[cfg(feature = "program")]
mod cli_clouds;
mod codec;
#[path = "../common/mod.rs"]
mod common;
mod gains;
mod golden;
mod hostile_clouds;
mod hostile_files;
mod hostile_packages;
mod lossless;
mod points;
mod samples;
mod scans;
mod target;
mod transcode;
