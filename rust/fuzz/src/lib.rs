//! Bodies of the fuzz targets. All of them for a minute: `make fuzz`. One: `cargo fuzz run --fuzz-dir rust/fuzz round_trip`,
//! with `AddressSanitizer` on nightly, or on stable with `RUSTC_BOOTSTRAP=1`; without it by `--sanitizer none`.
//!
//! The coder's bodies also run in its tests, on the inputs in `seeds/coder`.

mod clouds;
mod coder;
mod files;
mod lossless;

pub use clouds::cloud;
pub use coder::{decode_garbage, paths_agree, round_trip};
pub use files::{container, package};
pub use lossless::lossless;
