//! Transposed convolutions, gathered by stride phases.

use super::band::{cut, rows_per_job, Extent};
use super::conv::{check_channels, check_layer, check_padding};
use super::kernel::{product, Grid, Panels, Segment};
use super::rows::for_chunks;
use super::Tensor;
use crate::{Error, Limits, Result, Runtime, Simd};

/// A two-dimensional transposed convolution, groups included.
///
/// Output (o, y, x) is one chain of fused multiply-adds that starts from the bias and runs over those (ky, kx), ascending,
/// that an input position `((y + padding - ky) / stride, (x + padding - kx) / stride)` exists for, and over the input channels.
///
/// Outputs with the same remainders of `y + padding` and `x + padding` by the stride form a *phase*; each phase is a dense
/// product over `ceil(kernel / stride)` taps a side.
#[derive(Debug)]
pub struct ConvTranspose2d {
    in_channels: usize,
    out_channels: usize,
    groups: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
    phases: Vec<Phase>,
}

/// The outputs of one pair of remainders.
#[derive(Debug)]
struct Phase {
    remainder: [usize; 2],
    /// Taps a side that this phase has.
    taps: [usize; 2],
    /// One set of panels for each group.
    groups: Vec<Panels>,
}

impl ConvTranspose2d {
    /// A layer with `weight` of `shape` (in, out / groups, ky, kx), row-major.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if sizes contradict each other or a parameter is not finite.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        simd: Simd,
        weight: &[f32],
        shape: [usize; 4],
        bias: Option<&[f32]>,
        stride: [usize; 2],
        padding: [usize; 2],
        output_padding: [usize; 2],
        groups: usize,
    ) -> Result<Self> {
        let [in_channels, group_out, kh, kw] = shape;
        let out_channels = group_out.checked_mul(groups).ok_or_else(|| Error::invalid("too many output channels"))?;
        check_layer(weight, shape, bias, out_channels, stride, groups)?;
        check_padding(padding, [kh, kw])?;
        if in_channels % groups != 0 {
            return Err(Error::invalid(format!("{in_channels} input channels do not divide into {groups} groups")));
        }
        if output_padding[0] >= stride[0] || output_padding[1] >= stride[1] {
            return Err(Error::invalid(format!(
                "output padding {output_padding:?} must be below the stride {stride:?}"
            )));
        }
        let group_in = in_channels / groups;
        let mut phases = Vec::new();
        for remainder in (0..stride[0]).flat_map(|ry| (0..stride[1]).map(move |rx| [ry, rx])) {
            let taps = [0, 1].map(|d| [kh, kw][d].saturating_sub(remainder[d]).div_ceil(stride[d]));
            let pack = |g: usize| {
                let bias = bias.map(|bias| &bias[g * group_out..(g + 1) * group_out]);
                Panels::new(simd, taps[0] * taps[1] * group_in, group_out, bias, |k, o| {
                    let (tap, channel) = (k / group_in, g * group_in + k % group_in);
                    let ky = remainder[0] + stride[0] * (tap / taps[1]);
                    let kx = remainder[1] + stride[1] * (tap % taps[1]);
                    weight[((channel * group_out + o) * kh + ky) * kw + kx]
                })
            };
            phases.push(Phase { remainder, taps, groups: (0..groups).map(pack).collect::<Result<_>>()? });
        }
        Ok(Self { in_channels, out_channels, groups, kernel: [kh, kw], stride, padding, output_padding, phases })
    }

    /// Number of channels that go in.
    #[must_use]
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Number of channels that come out.
    #[must_use]
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// Height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if nothing would be left after the padding is cut off.
    pub fn output_size(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        let side = |size: usize, d: usize| {
            let full = size.checked_sub(1)?.checked_mul(self.stride[d])? + self.kernel[d] + self.output_padding[d];
            full.checked_sub(2 * self.padding[d]).filter(|&side| side > 0)
        };
        match (side(height, 0), side(width, 1)) {
            (Some(height), Some(width)) => Ok((height, width)),
            _ => Err(Error::invalid(format!(
                "input of {height} x {width} leaves no output after padding {:?}",
                self.padding
            ))),
        }
    }

    /// The layer's output for `x`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if `x` has other channels, is too small or not finite;
    /// [`crate::ErrorKind::Limit`] if the output would exceed the limits.
    pub fn run(&self, rt: &Runtime, limits: &Limits, x: &Tensor) -> Result<Tensor> {
        check_channels(x, self.in_channels)?;
        let (height, width) = self.output_size(x.height(), x.width())?;
        let mut out = Tensor::output(rt, limits, (self.out_channels, height, width))?;
        let row_len = out.row_len();
        let rows = rows_per_job(height, x.row_len() / self.stride[0] + 1, rt.pool.threads(), self.stride[0]);
        for_chunks(&rt.pool, out.data_mut(), rows * row_len, |i, chunk| self.run_rows(x, i * rows, width, chunk))?;
        Ok(out)
    }

    /// Output rows from `first` on.
    fn run_rows(&self, x: &Tensor, first: usize, width: usize, out: &mut [f32]) -> Result<()> {
        let rows = out.len() / (width * self.out_channels);
        let reach = [0, 1].map(|d| self.kernel[d].div_ceil(self.stride[d]) - 1);
        // the input position of tap 0 of the first and of the last output
        let top = (first + self.padding[0]) / self.stride[0];
        let bottom = (first + rows - 1 + self.padding[0]) / self.stride[0];
        let left = self.padding[1] / self.stride[1];
        let right = (width - 1 + self.padding[1]) / self.stride[1];
        let extent = Extent {
            top: top as isize - reach[0] as isize,
            rows: bottom - top + 1 + reach[0],
            left: left as isize - reach[1] as isize,
            columns: right - left + 1 + reach[1],
        };
        let band = cut(x, extent)?;
        let pitch = extent.columns * self.in_channels;
        for phase in &self.phases {
            // the first output row and column of this phase, and how many there are
            let y =
                first_of_phase(first + self.padding[0], phase.remainder[0], self.stride[0]) - self.padding[0] - first;
            let x0 = first_of_phase(self.padding[1], phase.remainder[1], self.stride[1]) - self.padding[1];
            if y >= rows || x0 >= width {
                continue;
            }
            let row = (first + y + self.padding[0]) / self.stride[0] - top;
            let column = (x0 + self.padding[1]) / self.stride[1] - left;
            let group_in = self.in_channels / self.groups;
            let offset = |j: usize, i: usize| (reach[0] - j) * pitch + (reach[1] - i) * self.in_channels;
            let segments: Vec<Segment> = (0..phase.taps[0] * phase.taps[1])
                .map(|t| Segment { offset: offset(t / phase.taps[1], t % phase.taps[1]), len: group_in })
                .collect();
            for (g, panels) in phase.groups.iter().enumerate() {
                let grid = Grid {
                    rows: (rows - y).div_ceil(self.stride[0]),
                    columns: (width - x0).div_ceil(self.stride[1]),
                    input: (row * pitch + column * self.in_channels + g * group_in, pitch, self.in_channels),
                    output: (
                        (y * width + x0) * self.out_channels + g * panels.outputs(),
                        self.stride[0] * width * self.out_channels,
                        self.stride[1] * self.out_channels,
                    ),
                };
                product(panels, &segments, &grid, &band, out);
            }
        }
        Ok(())
    }
}

/// The smallest number from `from` on that leaves `remainder` when divided by `stride`.
fn first_of_phase(from: usize, remainder: usize, stride: usize) -> usize {
    from + (remainder + stride - from % stride) % stride
}
