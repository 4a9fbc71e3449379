//! Scans: the order in which the symbols of a latent become known, each written once, for encoding and decoding alike.
//!
//! A scan turns *side* information (a tensor of the latent's height and width, from the hyperprior) and what it has decoded
//! itself into the Gaussian parameters of the next symbols, passes these to a [`Coder`], and learns their values:
//!
//! | scan | known at a step | steps of an h x w latent | used by |
//! |---|---|---|---|
//! | [`Scan::Parallel`] | nothing: side has the parameters | 1 | hyperpriors, first groups |
//! | [`Scan::Raster`] | places before in raster order, within a masked kernel | `(k/2 + 1)(h - 1) + w` | mbt2018, cheng2020 |
//! | [`Scan::Checkerboard`] | places of the other colour, in the second step | 2 | cheng2020-anchor-checkerboard |
//! | [`channel_groups`] | all earlier groups of channels, then any of the above | sum over groups | elic2022 |
//!
//! **Order of symbols in a native stream**: step ascending, then row, then column, then channel. The raster scan is run as
//! a wavefront: with a k x k mask place (r, c) needs nothing of steps after `(k/2 + 1) r + c`, so all places of one such number make
//! one step (at most one a row). [`SymbolOrder::Raster`] makes every place a step of its own, in raster order, for streams of
//! that order; values and parameters are the same bits either way.
//!
//! **Arithmetic**: that of [`crate::exact`]. The context is one masked convolution over values (zero outside the picture), whose
//! hidden taps are left out; then layers of 1x1 convolutions over side and context features, concatenated in the order that
//! [`Merge`] says, with functions between them. At places without a context (the first colour of a checkerboard) its
//! features are zero: bias and all. Index, symbol and value follow as in [`Gaussian`]. Any scan may run under
//! [`RateSettings`] of a variable rate: symbols and values are then those of [`Gain`], and the context's chains begin with other numbers.
//!
//! **Threads** share the places of a step, or, where there are few as in a raster scan, the weights; a stream is coded in order
//! by one of them while the others compute what its next symbols need. The bytes are the same for any number.
//!
//! ```
//! use lcrs_core::cdf::{default_scale_table, gaussian_table};
//! use lcrs_core::exact::{Tensor, Unary};
//! use lcrs_core::rans::{Decoder, Encoder, StreamKind};
//! use lcrs_core::scan::{Coder, Context, Gaussian, Merge, Network, Parameters, Pointwise, Raster, Scan, SymbolOrder};
//! use lcrs_core::{Limits, Runtime};
//!
//! let (rt, limits) = (Runtime::serial(), Limits::default());
//! let scales = default_scale_table();
//! let table = std::sync::Arc::new(gaussian_table(scales, 1e-9)?);
//! // one channel: a 3 x 3 context of two features, two side features, one layer to (scale, mean)
//! let gaussian = Gaussian::new(table, scales[..63].to_vec(), 1, Parameters::ScalesMeans)?;
//! let weight = [[0.25, 0.5, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0; 9]].concat();
//! let context = Context::raster(rt.simd, &weight, [2, 1, 3, 3], None)?;
//! let layer = Pointwise { weight: &[1.0, 0.0, 0.0, 0.5, 0.0, 1.0, 1.0, 0.0], outputs: 2, bias: None, activation: None };
//! let network = Network::new(rt.simd, 2, 2, Merge::SideFirst, &[layer])?;
//! let scan = Scan::Raster(Raster::new(context, network, gaussian, SymbolOrder::Wavefront)?);
//!
//! let y = Tensor::from_vec(1, 2, 3, vec![0.3, 2.0, -1.5, 4.0, 0.0, 0.6])?;
//! let side = Tensor::from_vec(2, 2, 3, vec![1.0; 12])?;
//! let mut encoder = Encoder::new(StreamKind::Lcrs, rt.simd);
//! let sent = scan.run(&rt, &limits, &mut Coder::Encode { encoder: &mut encoder, y: &y }, &side)?;
//! let data = encoder.finish()?;
//! let mut decoder = Decoder::new(StreamKind::Lcrs, rt.simd, &data)?;
//! let received = scan.run(&rt, &limits, &mut Coder::Decode { decoder: &mut decoder }, &side)?;
//! decoder.finish()?;
//! assert_eq!(sent, received);
//! # Ok::<(), lcrs_core::Error>(())
//! ```

mod checkerboard;
mod coder;
mod context;
mod gain;
mod gaussian;
mod groups;
mod network;
mod raster;
mod rate_settings;
mod relay;
mod team;
mod tile_queue;
mod wakeup;
mod wave;

pub use checkerboard::{Checkerboard, Parity};
pub use coder::Coder;
pub use context::Context;
pub use gain::{Gain, Shrinkage};
pub use gaussian::{Gaussian, Parameters};
pub use groups::{channel_groups, refined_channel_groups, Scan};
pub use network::{Merge, Network, Pointwise};
pub use raster::Raster;
pub use rate_settings::RateSettings;
pub use wave::{raster_steps, SymbolOrder};
