//! Single layers and shuffles on whole tensors: chains of one.

use super::chain::{Chain, Head, Step};
use super::{Conv2d, ConvTranspose2d, Gdn, Tensor};
use crate::{Limits, Result, Runtime};

impl Conv2d {
    /// The layer's output for `x`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if `x` has other channels, is too small or not finite;
    /// [`crate::ErrorKind::Limit`] if the output would exceed the limits.
    pub fn run(&self, rt: &Runtime, limits: &Limits, x: &Tensor) -> Result<Tensor> {
        let chain = if self.is_pointwise() {
            Chain::new(Head::Input, vec![Step::Conv2d(self)], 1)
        } else {
            Chain::new(Head::Conv2d(self), Vec::new(), 1)
        };
        chain.run(rt, limits, x)
    }
}

impl ConvTranspose2d {
    /// The layer's output for `x`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if `x` has other channels, is too small or not finite;
    /// [`crate::ErrorKind::Limit`] if the output would exceed the limits.
    pub fn run(&self, rt: &Runtime, limits: &Limits, x: &Tensor) -> Result<Tensor> {
        Chain::new(Head::ConvTranspose2d(self), Vec::new(), 1).run(rt, limits, x)
    }
}

impl Gdn {
    /// The layer's output for `x`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if `x` has other channels or is not finite;
    /// [`crate::ErrorKind::Limit`] if the output would exceed the limits.
    pub fn run(&self, rt: &Runtime, limits: &Limits, x: &Tensor) -> Result<Tensor> {
        Chain::new(Head::Input, vec![Step::Gdn(self)], 1).run(rt, limits, x)
    }
}

/// (C r^2, H, W) to (C, H r, W r): output (c, y r + i, x r + j) is input (c r^2 + i r + j, y, x), as in torch.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if the channels are not a multiple of `r^2`; [`crate::ErrorKind::Limit`] beyond the limits.
pub fn pixel_shuffle(rt: &Runtime, limits: &Limits, x: &Tensor, factor: usize) -> Result<Tensor> {
    Chain::new(Head::Input, Vec::new(), factor).run(rt, limits, x)
}

/// The inverse of [`pixel_shuffle`]: (C, H r, W r) to (C r^2, H, W).
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if a side is not a multiple of `r`; [`crate::ErrorKind::Limit`] beyond the limits.
pub fn pixel_unshuffle(rt: &Runtime, limits: &Limits, x: &Tensor, factor: usize) -> Result<Tensor> {
    Chain::new(Head::PixelUnshuffle(factor), Vec::new(), 1).run(rt, limits, x)
}
