//! Generalised divisive normalisation (Ballé, Laparra and Simoncelli 2016) and its simplified form.

use super::band::check_parameters;
use super::float_control::with_ieee;
use super::kernel::{product, Grid, Panels, Segment};
use crate::wide::wide;
use crate::{Error, Result, Simd};

/// Which powers the normalisation is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GdnKind {
    /// `x / sqrt(beta + gamma x^2)`.
    L2,
    /// `x / (beta + gamma abs(x))` (Johnston et al. 2019).
    L1,
}

/// A normalisation layer or its approximate inverse, which multiplies where the layer divides.
///
/// The pool `n[o]` is one chain from `beta[o]` over the channels of `x * x` (rounded), or of `abs(x)`; then one square root
/// and one division or multiplication, each rounded.
#[derive(Debug)]
pub struct Gdn {
    panels: Panels,
    inverse: bool,
    kind: GdnKind,
}

impl Gdn {
    /// A layer from effective (already reparametrised) values; `gamma` is row-major \[out\]\[in\].
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if sizes contradict each other, a parameter is not finite, `beta` is not
    /// positive or `gamma` is negative.
    pub fn new(simd: Simd, beta: &[f32], gamma: &[f32], inverse: bool, kind: GdnKind) -> Result<Self> {
        let channels = beta.len();
        if channels == 0 || Some(gamma.len()) != channels.checked_mul(channels) {
            return Err(Error::invalid(format!("gamma has {} elements for {channels} channels", gamma.len())));
        }
        check_parameters(simd, beta, "beta")?;
        check_parameters(simd, gamma, "gamma")?;
        if let Some(i) = with_ieee(|| beta.iter().position(|&b| b <= 0.0)) {
            return Err(Error::invalid(format!("beta is {} at channel {i}: it must be positive", beta[i])));
        }
        if let Some(i) = with_ieee(|| gamma.iter().position(|&g| g < 0.0)) {
            return Err(Error::invalid(format!("gamma is {} at element {i}: it must not be negative", gamma[i])));
        }
        let panels = Panels::new(simd, channels, channels, Some(beta), |k, o| gamma[o * channels + k])?;
        Ok(Self { panels, inverse, kind })
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.panels.outputs()
    }

    /// Normalises runs of channels, one after another; `powers` is room for as many numbers.
    pub(super) fn normalise(&self, values: &[f32], powers: &mut [f32], out: &mut [f32]) {
        let channels = self.channels();
        raise(self.panels.simd(), self.kind, values, powers);
        let grid =
            Grid { rows: 1, columns: values.len() / channels, input: (0, 0, channels), output: (0, 0, channels) };
        product(&self.panels, &[Segment { offset: 0, len: channels }], &grid, powers, out);
        combine(self.panels.simd(), self.kind, self.inverse, values, out);
    }
}

wide! {
/// The powers that pools are made of. The square of a large number may be infinite, and an infinite power of weight 0 would make a
/// NaN: infinite squares become the largest finite number.
fn raise(simd: Simd, kind: GdnKind, values: &[f32], powers: &mut [f32]) {
    let each = powers.iter_mut().zip(values);
    match kind {
        GdnKind::L2 => each.for_each(|(p, x)| {
            let square = x * x;
            *p = if square > f32::MAX { f32::MAX } else { square };
        }),
        GdnKind::L1 => each.for_each(|(p, x)| *p = x.abs()),
    }
}
}

wide! {
/// From the pool in `out` to the layer's output.
fn combine(simd: Simd, kind: GdnKind, inverse: bool, values: &[f32], out: &mut [f32]) {
    let each = out.iter_mut().zip(values);
    match (kind, inverse) {
        (GdnKind::L2, false) => each.for_each(|(n, x)| *n = x / n.sqrt()),
        (GdnKind::L2, true) => each.for_each(|(n, x)| *n = x * n.sqrt()),
        (GdnKind::L1, false) => each.for_each(|(n, x)| *n = x / *n),
        (GdnKind::L1, true) => each.for_each(|(n, x)| *n *= x),
    }
}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::testing::{bits, compare, number};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_bits_of_the_plain_quotients(pairs in prop::collection::vec((number(), number()), 0..150)) {
            let (pools, values): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            for (kind, inverse) in
                [(GdnKind::L2, false), (GdnKind::L2, true), (GdnKind::L1, false), (GdnKind::L1, true)]
            {
                compare(|simd| {
                    let mut out = pools.clone();
                    combine(simd, kind, inverse, &values, &mut out);
                    bits(&out)
                });
            }
        }
    }
}
