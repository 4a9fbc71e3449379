//! Pictures to the bit: from samples to a file and back, without a model.
//!
//! Screenshots, text, drawings: where neighbours are often equal and shapes repeat, a network spends more bits on an
//! approximation than these few contexts need for the picture itself. Pixels are coded in raster order ([`model`]), in bands of
//! rows that do not know of each other, so that threads share them ([`bands`]). The README of this crate specifies all of it.

mod bands;
mod compress;
mod decompress;
mod model;
mod prediction;
mod residual;
mod window;

pub use compress::{compress_lossless, lossless_if_no_larger};
pub use decompress::decompress_lossless;

/// The kind of its stream in files, see [`lcrs_core::rans::binary`], and its name.
pub(crate) const KIND: u8 = 2;
pub(crate) const KIND_NAME: &str = "binary";

/// Bits of frequencies.
pub(crate) const PRECISION: u8 = 16;
