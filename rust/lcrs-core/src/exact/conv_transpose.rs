//! Transposed convolutions, gathered by stride phases.

use super::band::{Extent, Window};
use super::conv::{check_layer, check_padding};
use super::kernel::{product, Grid, Panels, Segment};
use super::spot::{Spot, Target};
use super::tensor::View;
use crate::buffer_pool::Lent;
use crate::{Error, Limits, Result, Runtime, Simd};
use std::ops::Range;

/// A two-dimensional transposed convolution, groups included.
///
/// Output (o, y, x) is one chain of fused multiply-adds that starts from the bias and runs over those (ky, kx), ascending,
/// that an input position `((y + padding - ky) / stride, (x + padding - kx) / stride)` exists for, and over the input channels.
///
/// Outputs with the same remainders of `y + padding` and `x + padding` by the stride form a *phase*; each phase is a dense
/// product over `ceil(kernel / stride)` taps a side. With few output channels, as at the end of a decoder, phases would
/// leave vectors nearly empty: then all phases of a position are the outputs of one product, taps that a phase does not
/// have being zero weights.
#[derive(Debug)]
pub struct ConvTranspose2d {
    in_channels: usize,
    out_channels: usize,
    groups: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
    parts: Parts,
}

/// Packed weights.
#[derive(Debug)]
enum Parts {
    Phases(Vec<Phase>),
    /// Outputs (phase row, phase column, channel) of one position.
    Joint(Panels),
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
        check_layer(simd, weight, shape, bias, out_channels, stride, groups)?;
        check_padding(padding, [kh, kw])?;
        if in_channels % groups != 0 {
            return Err(Error::invalid(format!("{in_channels} input channels do not divide into {groups} groups")));
        }
        if output_padding[0] >= stride[0] || output_padding[1] >= stride[1] {
            return Err(Error::invalid(format!(
                "output padding {output_padding:?} must be below the stride {stride:?}"
            )));
        }
        let layer = Self {
            in_channels,
            out_channels,
            groups,
            kernel: [kh, kw],
            stride,
            padding,
            output_padding,
            parts: Parts::Phases(Vec::new()),
        };
        let joint = groups == 1 && out_channels <= 4 && (2..=16).contains(&(stride[0] * stride[1]));
        let parts =
            if joint { layer.pack_joint(simd, weight, bias)? } else { layer.pack_phases(simd, weight, bias)? };
        Ok(Self { parts, ..layer })
    }

    /// The weight from input channel `c` to output channel `o` of its group.
    fn at(&self, weight: &[f32], c: usize, o: usize, ky: usize, kx: usize) -> f32 {
        let [kh, kw] = self.kernel;
        weight[((c * (self.out_channels / self.groups) + o) * kh + ky) * kw + kx]
    }

    fn pack_joint(&self, simd: Simd, weight: &[f32], bias: Option<&[f32]>) -> Result<Parts> {
        let (stride, kernel) = (self.stride, self.kernel);
        let taps = [0, 1].map(|d| kernel[d].div_ceil(stride[d]));
        let outputs = stride[0] * stride[1] * self.out_channels;
        let bias: Option<Vec<f32>> = bias.map(|bias| bias.repeat(stride[0] * stride[1]));
        let panels = Panels::new(simd, taps[0] * taps[1] * self.in_channels, outputs, bias.as_deref(), |k, output| {
            let (tap, phase, o) = (k / self.in_channels, output / self.out_channels, output % self.out_channels);
            let ky = phase / stride[1] + stride[0] * (tap / taps[1]);
            let kx = phase % stride[1] + stride[1] * (tap % taps[1]);
            let exists = ky < kernel[0] && kx < kernel[1];
            if exists {
                self.at(weight, k % self.in_channels, o, ky, kx)
            } else {
                0.0
            }
        })?;
        Ok(Parts::Joint(panels))
    }

    fn pack_phases(&self, simd: Simd, weight: &[f32], bias: Option<&[f32]>) -> Result<Parts> {
        let (stride, kernel, groups) = (self.stride, self.kernel, self.groups);
        let (group_in, group_out) = (self.in_channels / groups, self.out_channels / groups);
        let mut phases = Vec::new();
        for remainder in (0..stride[0]).flat_map(|ry| (0..stride[1]).map(move |rx| [ry, rx])) {
            let taps = [0, 1].map(|d| kernel[d].saturating_sub(remainder[d]).div_ceil(stride[d]));
            let pack = |g: usize| {
                let bias = bias.map(|bias| &bias[g * group_out..(g + 1) * group_out]);
                Panels::new(simd, taps[0] * taps[1] * group_in, group_out, bias, |k, o| {
                    let (tap, channel) = (k / group_in, g * group_in + k % group_in);
                    let ky = remainder[0] + stride[0] * (tap / taps[1]);
                    let kx = remainder[1] + stride[1] * (tap % taps[1]);
                    self.at(weight, channel, o, ky, kx)
                })
            };
            phases.push(Phase { remainder, taps, groups: (0..groups).map(pack).collect::<Result<_>>()? });
        }
        Ok(Parts::Phases(phases))
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

    /// Outputs from one position of a phase to the next.
    pub(super) fn stride(&self) -> [usize; 2] {
        self.stride
    }

    /// Taps that reach back from the input position of an output's first one.
    fn reach(&self) -> [usize; 2] {
        [0, 1].map(|d| self.kernel[d].div_ceil(self.stride[d]) - 1)
    }

    /// Columns of an output of this width whose taps reach beyond the left and the right side.
    pub(super) fn border(&self, width: usize, input_width: usize) -> [usize; 2] {
        let left = (self.reach()[1] * self.stride[1]).saturating_sub(self.padding[1]);
        [left, (width + self.padding[1]).saturating_sub(input_width * self.stride[1])]
    }

    /// Inputs that this many rows and columns of outputs see.
    pub(super) fn input_len(&self, rows: usize, columns: usize) -> usize {
        let reach = self.reach();
        let side = |outputs: usize, d: usize| outputs.div_ceil(self.stride[d]) + reach[d] + 1;
        side(rows, 0) * side(columns, 1) * self.in_channels
    }

    /// The outputs of a spot.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if a copy of the inputs would exceed the limits.
    pub(super) fn tile(
        &self,
        limits: &Limits,
        rt: &Runtime,
        x: View,
        spot: &Spot,
        window: &mut Vec<f32>,
        to: &mut Target,
    ) -> Result<()> {
        let tile = self.reads(spot.rows.start, spot.rows.len(), &spot.columns, self.reach());
        let input = tile.extent.of(x, limits, window)?;
        match &self.parts {
            Parts::Phases(phases) => phases.iter().for_each(|phase| self.run_phase(phase, &tile, input, to)),
            Parts::Joint(panels) => self.run_joint(rt, panels, &tile, input, to)?,
        }
        Ok(())
    }

    /// What the outputs of some rows and columns read.
    fn reads(&self, first: usize, rows: usize, columns: &Range<usize>, reach: [usize; 2]) -> Tile {
        // the input position of tap 0 of the first and of the last output
        let top = (first + self.padding[0]) / self.stride[0];
        let bottom = (first + rows - 1 + self.padding[0]) / self.stride[0];
        let left = (columns.start + self.padding[1]) / self.stride[1];
        let right = (columns.end - 1 + self.padding[1]) / self.stride[1];
        let extent = Extent {
            top: top as isize - reach[0] as isize,
            rows: bottom - top + 1 + reach[0],
            left: left as isize - reach[1] as isize,
            columns: right - left + 1 + reach[1],
        };
        Tile { extent, first, rows, columns: columns.clone(), top, left, reach }
    }

    /// Taps as parts of a chain over the window.
    fn segments(&self, taps: [usize; 2], reach: [usize; 2], pitch: usize) -> Vec<Segment> {
        let offset = |j: usize, i: usize| (reach[0] - j) * pitch + (reach[1] - i) * self.in_channels;
        let len = self.in_channels / self.groups;
        (0..taps[0] * taps[1]).map(|t| Segment { offset: offset(t / taps[1], t % taps[1]), len }).collect()
    }

    fn run_phase(&self, phase: &Phase, tile: &Tile, input: Window, to: &mut Target) {
        let (stride, padding, start) = (self.stride, self.padding, tile.columns.start);
        // the first output row and column of this phase
        let y = first_of_phase(tile.first + padding[0], phase.remainder[0], stride[0]) - padding[0] - tile.first;
        let x = first_of_phase(start + padding[1], phase.remainder[1], stride[1]) - padding[1] - start;
        if y >= tile.rows || x >= tile.columns.len() {
            return;
        }
        let row = (tile.first + y + padding[0]) / stride[0] - tile.top;
        let column = (start + x + padding[1]) / stride[1] - tile.left;
        let segments = self.segments(phase.taps, tile.reach, input.pitch);
        for (g, panels) in phase.groups.iter().enumerate() {
            let group_in = self.in_channels / self.groups;
            let grid = Grid {
                rows: (tile.rows - y).div_ceil(stride[0]),
                columns: (tile.columns.len() - x).div_ceil(stride[1]),
                input: (row * input.pitch + column * self.in_channels + g * group_in, input.pitch, self.in_channels),
                output: (
                    to.start + y * to.pitch + x * self.out_channels + g * panels.outputs(),
                    stride[0] * to.pitch,
                    stride[1] * self.out_channels,
                ),
            };
            product(panels, &segments, &grid, input.values, to.data);
        }
    }

    /// All phases at once, into a buffer of one run of outputs for each input position, and from there into rows.
    fn run_joint(&self, rt: &Runtime, panels: &Panels, tile: &Tile, input: Window, to: &mut Target) -> Result<()> {
        let (stride, padding) = (self.stride, self.padding);
        let (rows, columns) = (tile.extent.rows - tile.reach[0], tile.extent.columns - tile.reach[1]);
        let taps = tile.reach.map(|reach| reach + 1);
        let outputs = panels.outputs();
        let mut joint = Lent::new(&rt.float_buffers, rows * columns * outputs)?;
        let grid =
            Grid { rows, columns, input: (0, input.pitch, self.in_channels), output: (0, columns * outputs, outputs) };
        product(panels, &self.segments(taps, tile.reach, input.pitch), &grid, input.values, &mut joint);
        let (row_len, run) = (tile.columns.len() * self.out_channels, stride[1] * self.out_channels);
        for y in 0..tile.rows {
            let to = &mut to.data[to.start + y * to.pitch..][..row_len];
            let shifted = tile.first + y + padding[0];
            let from = &joint[(shifted / stride[0] - tile.top) * columns * outputs + shifted % stride[0] * run..];
            // output elements of the first position that come before this tile
            let cut = (tile.columns.start + padding[1] - tile.left * stride[1]) * self.out_channels;
            for q in 0..columns {
                let from = &from[q * outputs..q * outputs + run];
                let start = (q * run) as isize - cut as isize;
                let (skip, start) = (start.min(0).unsigned_abs(), start.max(0) as usize);
                let len = (run - skip).min(row_len.saturating_sub(start));
                to[start.min(row_len)..][..len].copy_from_slice(&from[skip..skip + len]);
            }
        }
        Ok(())
    }
}

/// Which outputs one pass writes and where it reads.
struct Tile {
    extent: Extent,
    /// The first output row, and how many there are.
    first: usize,
    rows: usize,
    columns: Range<usize>,
    /// The input row and column of the first tap of the first output.
    top: usize,
    left: usize,
    /// How many taps reach back from there.
    reach: [usize; 2],
}

/// The smallest number from `from` on that leaves `remainder` when divided by `stride`.
fn first_of_phase(from: usize, remainder: usize, stride: usize) -> usize {
    from + (remainder + stride - from % stride) % stride
}
