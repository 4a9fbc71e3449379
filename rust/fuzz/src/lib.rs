//! Bodies of the fuzz targets. Run one by `cargo fuzz run --fuzz-dir rust/fuzz --sanitizer none round_trip`; with
//! `AddressSanitizer` (the default sanitizer) on nightly, or on stable with `RUSTC_BOOTSTRAP=1`.

mod coder;
mod files;

pub use coder::{decode_garbage, paths_agree, round_trip};
pub use files::{container, package};
