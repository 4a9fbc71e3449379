//! Network arithmetic in a fixed order, so that every machine computes the same bits.
//!
//! # Specification of the numerics `f32-fma/1`
//!
//! Numbers are IEEE-754 binary32, and binary64 where said; every operation rounds to nearest, ties to even; subnormals
//! are kept. `fma(a, b, c)` is `a * b + c` rounded once. Two implementations that follow this page give the same bits. Speed is
//! won only by computing different outputs at the same time: sums are never split, reordered or widened.
//!
//! **Chains.** An output of a convolution is one chain: `s = bias` (or `+0.0`); for each of its inputs `x` with weight `w`, in the
//! order below, `s = fma(x, w, s)`; and last `s + 0.0`, which turns a negative zero into a positive one. A step whose weight or
//! whose input is a zero of either sign may be left out or taken, since it can only change the sign of a zero sum; so padding,
//! masks and sparsity are free to be skipped, and chains may be cut into parts that each end with `+ 0.0`.
//!
//! | operation | order of the chain |
//! |---|---|
//! | [`Conv2d`], output (o, y, x) | ky, kx, input channel of the group, each ascending; input (c, y s + ky d - p, x s + kx d - p) with dilation d, zero outside |
//! | [`ConvTranspose2d`] | ky, kx ascending, where `(y + p - ky) / s` and `(x + p - kx) / s` are whole and inside; then input channel |
//! | [`Gdn`] pool | input channel ascending |
//! | linear layers | as a 1x1 convolution |
//!
//! **Normalisation.** `n[o] = chain(beta[o]; p[c], gamma[o][c])` with `p = x * x`, at most the largest finite number, or `p = abs(x)`
//! ([`GdnKind`]); then `x / sqrt(n)` or `x / n`; the inverse has `x * sqrt(n)` or `x * n`. Square root, division and product round
//! once each.
//!
//! **Functions of one number** ([`Unary`]). ReLU: `x > 0 ? x : +0`. LeakyReLU: `x < 0 ? x * slope : x`. Clamp: `x < min ? min : x`, then
//! `x > max ? max : x`. Sums and products with a scalar round once. Hard sigmoid and swish: with `h = x + 3`, clamped to 0..=6, `h / 6` and `(x * h) / 6`, every operation rounded.
//! `sigmoid`, `softplus`, `exp`, `tanh`, `gelu`, `gelu_tanh`, `silu`, `mish`, `elu`: widened to binary64 (a scalar too),
//! computed by [`math`], which specifies every step, and rounded to binary32. **Of two numbers** ([`Binary`]): one rounding; PReLU: `a < 0 ? a * b : a`.
//! A NaN is neither above nor below anything, and stays one in all others.
//!
//! **Sums in eight lanes.** Lane i of eight adds the terms i, i + 8, i + 16, ... to +0, ascending; then
//! `((l0 + l4) + (l2 + l6)) + ((l1 + l5) + (l3 + l7))`, all in binary64.
//!
//! **Of many numbers.** [`Softmax`] (weights over channels), [`Normalise`] (layer, group and instance normalisation), [`Pool`] (averages and largest numbers), [`Upsample`]
//! (enlarged maps), [`Pad`] and [`Crop`] (margins) and [`Attention`] (within windows) specify each what they compute, and in which order.
//!
//! **Symbols** ([`quantize`], [`dequantize`]). `symbol = round_half_even(y - mean)`, the difference rounded to binary32 first;
//! `value = symbol + mean`, the symbol converted first. A scale's index is the number of thresholds below it
//! ([`crate::cdf::indexes`]). Tables come from [`crate::cdf`], which specifies how. Other steps than 1: [`crate::scan::Gain`].
//!
//! **What is refused.** Parameters and inputs of convolutions, of GDN and of attention that are not finite, scales and means that are not,
//! latents whose distance from the mean is not below 2^24, and values that are not finite: such numbers are errors with their place,
//! never results. A chain may overflow to an infinity; the next layer refuses it. (Layers inside a scan do not look: there every
//! step whose weight or input is infinite or NaN is taken, so that infinities and NaN reach the scales and means, or vanish, alike everywhere.)
//!
//! # How it is computed
//!
//! [`Tensor`]s are channels-last, so that a row of a kernel's taps is one run of memory. Weights are packed into panels when a
//! layer is built ([`crate::Simd`] chooses for which instruction set); a block of up to twelve places times two vectors of
//! outputs stays in registers for a whole chain. Jobs are rows of outputs, in a raster scan panels of weights; each sets the float control register of its
//! thread and restores it, for other libraries switch flushing of subnormals on. Without an instruction for it, `fma` is
//! computed exactly in binary64 by rounding to odd.
//!
//! ```
//! use lcrs_core::exact::{Conv2d, Tensor, Unary};
//! use lcrs_core::{Limits, Runtime};
//! let (rt, limits) = (Runtime::serial(), Limits::default());
//! // one output channel of a 1 x 2 kernel over two input channels
//! let layer = Conv2d::new(rt.simd, &[1.0, 2.0, 3.0, 4.0], [1, 2, 1, 2], Some(&[-10.0]), [1, 1], [0, 0], 1)?;
//! let x = Tensor::from_nchw(2, 1, 3, &[1.0, 1.0, 0.0, 1.0, 1.0, 0.5], &limits)?;
//! let mut y = layer.run(&rt, &limits, &x)?;
//! assert_eq!(y.data(), [0.0, -4.0]);
//! Unary::LeakyRelu(0.25).apply(&rt, &mut y)?;
//! assert_eq!(y.data(), [0.0, -1.0]);
//! # Ok::<(), lcrs_core::Error>(())
//! ```

mod attention;
mod band;
mod chain;
mod conv;
mod conv_transpose;
mod elementwise;
mod float_control;
mod fma;
mod gdn;
mod kernel;
mod layout;
pub mod math;
mod normalise;
mod pad;
mod placed;
mod pool;
mod rows;
mod single;
mod softmax;
mod spatial;
mod spot;
mod sums;
mod symbols;
mod tensor;
mod tiles;
mod upsample;

pub use attention::{Attention, WindowAttention};
pub use chain::{Chain, Head, Step};
pub use conv::Conv2d;
pub use conv_transpose::ConvTranspose2d;
pub use elementwise::{Binary, Unary};
pub use gdn::{Gdn, GdnKind};
pub use layout::{concat, crop, pad_replicate, slice};
pub use normalise::Normalise;
pub use pad::{Crop, Pad, PadMode};
pub use placed::Placed;
pub use pool::{Pool, PoolKind, Windows};
pub use single::{pixel_shuffle, pixel_unshuffle};
pub use softmax::Softmax;
pub use spatial::Spatial;
pub use symbols::{check_symbols, dequantize, dequantize_with_step_size, quantize, quantize_with_step_size};
pub(crate) use symbols::{illegal_symbol, is_legal, round_half_even};
pub use tensor::{Tensor, View};
pub use upsample::{Between, Upsample};

pub(crate) use band::{check_parameters, first_not_finite};
pub(crate) use float_control::with_ieee;
pub(crate) use fma::emulated_fma;
pub(crate) use kernel::{advance, Ahead, Init, Panels, Part, Rows, Segment, Tile};
pub(crate) use rows::for_chunks;
