//! Network arithmetic in a fixed order, so that every machine computes the same bits.

mod band;
mod conv;
mod conv_transpose;
mod elementwise;
mod float_control;
mod fma;
mod gdn;
mod kernel;
mod layout;
pub mod math;
mod rows;
mod symbols;
mod tensor;

pub use conv::Conv2d;
pub use conv_transpose::ConvTranspose2d;
pub use elementwise::{Binary, Unary};
pub use gdn::{Gdn, GdnKind};
pub use layout::{concat, crop, pad_replicate, pixel_shuffle, pixel_unshuffle, slice};
pub use symbols::{dequantize, quantize};
pub use tensor::Tensor;

pub(crate) use band::{check_parameters, first_not_finite};
pub(crate) use float_control::with_ieee;
pub(crate) use fma::emulated_fma;
pub(crate) use kernel::{advance, Init, Panels, Part, Rows, Segment};
pub(crate) use rows::for_chunks;
