//! The masked convolution over values that are known.

use crate::exact::{check_parameters, Panels, Segment};
use crate::{Error, Result, Simd};

/// A convolution of stride 1 with an odd square kernel, centred, of which only some taps are seen; zero outside the picture.
#[derive(Debug)]
pub struct Context {
    channels: usize,
    half: usize,
    kind: Kind,
    /// (ky, kx) of the taps that are seen, ascending.
    taps: Vec<(usize, usize)>,
    panels: Panels,
}

/// Which taps are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Raster,
    Checkerboard,
}

impl Context {
    /// A context of the places before the centre in raster order (van den Oord et al. 2016, mask A), with `weight` of
    /// `shape` (out, in, k, k), zero at the centre and after it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if sizes contradict each other, k is not odd and at least 3, a parameter is not
    /// finite, or the weight of a hidden tap is not zero.
    pub fn raster(simd: Simd, weight: &[f32], shape: [usize; 4], bias: Option<&[f32]>) -> Result<Self> {
        Self::new(simd, weight, shape, bias, Kind::Raster)
    }

    /// A context of the places of the other colour of a checkerboard (He et al. 2021): taps at an odd distance
    /// `abs(dy) + abs(dx)` from the centre.
    ///
    /// # Errors
    /// As [`Context::raster`].
    pub fn checkerboard(simd: Simd, weight: &[f32], shape: [usize; 4], bias: Option<&[f32]>) -> Result<Self> {
        Self::new(simd, weight, shape, bias, Kind::Checkerboard)
    }

    /// What [`Context::raster`] would refuse, without building anything.
    ///
    /// # Errors
    /// As [`Context::raster`].
    pub fn check_raster(weight: &[f32], shape: [usize; 4], bias: Option<&[f32]>) -> Result<()> {
        check(Simd::detect(), weight, shape, bias, Kind::Raster).map(drop)
    }

    /// What [`Context::checkerboard`] would refuse, without building anything.
    ///
    /// # Errors
    /// As [`Context::raster`].
    pub fn check_checkerboard(weight: &[f32], shape: [usize; 4], bias: Option<&[f32]>) -> Result<()> {
        check(Simd::detect(), weight, shape, bias, Kind::Checkerboard).map(drop)
    }

    fn new(simd: Simd, weight: &[f32], shape: [usize; 4], bias: Option<&[f32]>, kind: Kind) -> Result<Self> {
        let taps = check(simd, weight, shape, bias, kind)?;
        let [outputs, channels, k, _] = shape;
        let panels = Panels::new(simd, taps.len() * channels, outputs, bias, |step, o| {
            let ((ky, kx), i) = (taps[step / channels], step % channels);
            weight[((o * channels + i) * k + ky) * k + kx]
        })?;
        Ok(Self { channels, half: k / 2, kind, taps, panels })
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.panels.outputs()
    }

    /// Channels of the latent.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// `k / 2`.
    pub(super) fn half(&self) -> usize {
        self.half
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn taps(&self) -> &[(usize, usize)] {
        &self.taps
    }

    pub(super) fn panels(&self) -> &Panels {
        &self.panels
    }

    /// The taps of a range as parts of the chain, from the top left tap of a place in values padded by `k / 2` on each
    /// side, whose rows are `pitch` elements apart.
    pub(super) fn segments(&self, taps: std::ops::Range<usize>, pitch: usize) -> Vec<Segment> {
        let tap = |&(ky, kx): &(usize, usize)| Segment { offset: ky * pitch + kx * self.channels, len: self.channels };
        self.taps[taps].iter().map(tap).collect()
    }
}

/// The taps that are seen, (ky, kx), ascending; refuses weights that make no context.
fn check(
    simd: Simd,
    weight: &[f32],
    shape: [usize; 4],
    bias: Option<&[f32]>,
    kind: Kind,
) -> Result<Vec<(usize, usize)>> {
    let [outputs, _, k, width] = shape;
    let len = shape.iter().try_fold(1_usize, |len, &side| len.checked_mul(side));
    if len != Some(weight.len()) || weight.is_empty() || bias.is_some_and(|bias| bias.len() != outputs) {
        return Err(Error::invalid(format!("context weight has {} elements, its shape is {shape:?}", weight.len())));
    }
    if k != width || k % 2 == 0 || !(3..=255).contains(&k) {
        return Err(Error::invalid(format!(
            "context kernel is {k} x {width}: it must be square, odd and within 3..=255"
        )));
    }
    check_parameters(simd, weight, "context weight")?;
    check_parameters(simd, bias.unwrap_or_default(), "context bias")?;
    let half = k / 2;
    let seen = |&(ky, kx): &(usize, usize)| match kind {
        Kind::Raster => (ky, kx) < (half, half),
        Kind::Checkerboard => (ky + kx + k + 1) % 2 == 1,
    };
    let (taps, hidden): (Vec<_>, Vec<_>) = (0..k * k).map(|t| (t / k, t % k)).partition(seen);
    for kernel in weight.chunks_exact(k * k) {
        if let Some(tap) = hidden.iter().find(|(ky, kx)| kernel[ky * k + kx].to_bits() << 1 != 0) {
            return Err(Error::invalid(format!("context weight of the hidden tap {tap:?} (row, column) is not zero")));
        }
    }
    Ok(taps)
}
