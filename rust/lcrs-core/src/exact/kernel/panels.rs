//! Weights packed for the kernels.

use super::isa;
use crate::{Limits, Result, Simd};
use std::ops::Range;

/// A vector of numbers whose first lies on a cache line.
#[derive(Debug, Clone)]
struct Aligned {
    data: Vec<f32>,
    start: usize,
}

impl Aligned {
    fn zeroed(len: usize) -> Result<Self> {
        let data: Vec<f32> = Limits::default().zeroed(len.saturating_add(16), "packed weights")?;
        let start = (0..16).find(|i| (data.as_ptr() as usize + 4 * i).is_multiple_of(64)).unwrap_or(0);
        Ok(Self { data, start })
    }

    fn slice(&self) -> &[f32] {
        &self.data[self.start..]
    }

    fn slice_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..]
    }
}

/// A matrix of `depth` x `outputs` weights in panels of two vectors, the last one of one vector if that is enough;
/// lanes beyond the last output are zero. Each panel is `[depth][vectors * lanes]`.
#[derive(Debug)]
pub(crate) struct Panels {
    simd: Simd,
    depth: usize,
    outputs: usize,
    weights: Aligned,
    bias: Aligned,
}

/// One panel: outputs `first..first + width` in `vectors` vectors.
pub(super) struct Panel<'a> {
    pub(super) first: usize,
    pub(super) vectors: usize,
    /// Outputs in the last vector.
    pub(super) last: usize,
    pub(super) weights: &'a [f32],
    pub(super) bias: &'a [f32],
}

impl Panel<'_> {
    /// Where the weights of step `k` lie.
    pub(super) fn at(&self, k: usize) -> *const f32 {
        self.weights.as_ptr().wrapping_add(k * self.bias.len())
    }
}

impl Panels {
    /// Packs `weight(k, output)` for all steps `k` of the chain; a missing bias is zero.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory is short; [`crate::ErrorKind::InvalidArgument`] if the processor lacks `simd`.
    pub(crate) fn new(
        simd: Simd,
        depth: usize,
        outputs: usize,
        bias: Option<&[f32]>,
        weight: impl Fn(usize, usize) -> f32,
    ) -> Result<Self> {
        super::check_available(simd)?;
        let lanes = isa(simd).lanes;
        let padded = outputs.div_ceil(lanes) * lanes;
        let mut packed = Self {
            simd,
            depth,
            outputs,
            weights: Aligned::zeroed(depth.saturating_mul(padded))?,
            bias: Aligned::zeroed(padded)?,
        };
        let data = packed.weights.slice_mut();
        let mut start = 0;
        for first in (0..outputs).step_by(2 * lanes) {
            let width = (2 * lanes).min(padded - first);
            for k in 0..depth {
                for j in first..(first + width).min(outputs) {
                    data[start + k * width + j - first] = weight(k, j);
                }
            }
            start += depth * width;
        }
        if let Some(bias) = bias {
            packed.bias.slice_mut()[..outputs].copy_from_slice(bias);
        }
        Ok(packed)
    }

    /// The instruction set that the panels are packed for.
    pub(crate) fn simd(&self) -> Simd {
        self.simd
    }

    /// Length of the chains.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of panels.
    pub(crate) fn count(&self) -> usize {
        self.outputs.div_ceil(self.width())
    }

    /// Outputs of a panel but the last.
    pub(crate) fn width(&self) -> usize {
        2 * isa(self.simd).lanes
    }

    /// The outputs of panel `i`.
    pub(crate) fn columns(&self, i: usize) -> Range<usize> {
        i * self.width()..((i + 1) * self.width()).min(self.outputs)
    }

    /// Panel `i`.
    pub(super) fn panel(&self, i: usize) -> Panel<'_> {
        let lanes = isa(self.simd).lanes;
        let columns = self.columns(i);
        let (first, width) = (columns.start, columns.len());
        let vectors = width.div_ceil(lanes);
        let start = first * self.depth;
        Panel {
            first,
            vectors,
            last: width - (vectors - 1) * lanes,
            weights: &self.weights.slice()[start..start + vectors * lanes * self.depth],
            bias: &self.bias.slice()[first..first + vectors * lanes],
        }
    }

    /// The panels in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Panel<'_>> {
        (0..self.count()).map(|i| self.panel(i))
    }
}
