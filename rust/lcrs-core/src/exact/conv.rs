//! Convolutions (cross-correlations, as everywhere in the field).

use super::band::{check_parameters, Extent, Window};
use super::kernel::{depthwise, product, Grid, Panels, Segment, Tap};
use super::spot::{Spot, Target};
use super::tensor::View;
use crate::{Error, Limits, Result, Simd};
use std::ops::Range;

/// A two-dimensional convolution with zero padding, groups and dilation included.
///
/// Output (o, y, x) is one chain of fused multiply-adds that starts from the bias and runs over ky, kx and the input
/// channels of the group, ascending.
#[derive(Debug)]
pub struct Conv2d {
    in_channels: usize,
    out_channels: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    parts: Parts,
}

/// Packed weights.
#[derive(Debug)]
enum Parts {
    /// One set of panels for each group.
    Groups(Vec<Panels>),
    /// One output for each input channel.
    Depthwise(Panels),
}

impl Conv2d {
    /// A layer with `weight` of `shape` (out, in / groups, ky, kx), row-major.
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
        groups: usize,
    ) -> Result<Self> {
        let [out_channels, group_in, kh, kw] = shape;
        check_layer(simd, weight, shape, bias, out_channels, stride, groups)?;
        check_padding(padding, [kh, kw])?;
        if out_channels % groups != 0 {
            return Err(Error::invalid(format!("{out_channels} output channels do not divide into {groups} groups")));
        }
        let in_channels = group_in.checked_mul(groups).ok_or_else(|| Error::invalid("too many input channels"))?;
        let group_out = out_channels / groups;
        let taps = kh * kw;
        let parts = if groups > 1 && group_in == 1 && group_out == 1 {
            Parts::Depthwise(Panels::new(simd, taps, out_channels, bias, |t, o| weight[o * taps + t])?)
        } else {
            let pack = |g: usize| {
                let first = g * group_out;
                let bias = bias.map(|bias| &bias[first..first + group_out]);
                Panels::new(simd, taps * group_in, group_out, bias, |k, o| {
                    weight[((first + o) * group_in + k % group_in) * taps + k / group_in]
                })
            };
            Parts::Groups((0..groups).map(pack).collect::<Result<_>>()?)
        };
        Ok(Self { in_channels, out_channels, kernel: [kh, kw], stride, padding, dilation: [1, 1], parts })
    }

    /// The layer with taps so many inputs apart.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if a distance is zero or far beyond any use.
    pub fn dilated(self, dilation: [usize; 2]) -> Result<Self> {
        if dilation.iter().any(|d| !(1..=MAX_STEP).contains(d)) {
            return Err(Error::invalid(format!("dilation {dilation:?} is outside 1..={MAX_STEP}")));
        }
        Ok(Self { dilation, ..self })
    }

    /// Inputs from the first tap to the last one.
    fn reach(&self, d: usize) -> usize {
        (self.kernel[d] - 1) * self.dilation[d] + 1
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
    /// [`crate::ErrorKind::InvalidArgument`] if the padded input is smaller than the kernel.
    pub fn output_size(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        let side = |size: usize, d: usize| {
            let padded = size.saturating_add(2 * self.padding[d]);
            match padded.checked_sub(self.reach(d)) {
                Some(room) if size > 0 => Ok(room / self.stride[d] + 1),
                _ => Err(Error::invalid(format!(
                    "input of {height} x {width} with padding {:?} is smaller than the kernel {:?}",
                    self.padding, self.kernel
                ))),
            }
        };
        Ok((side(height, 0)?, side(width, 1)?))
    }

    /// Whether outputs see their own position alone.
    #[must_use]
    pub fn is_pointwise(&self) -> bool {
        (self.kernel, self.stride, self.padding) == ([1, 1], [1, 1], [0, 0])
    }

    /// Columns of an output of this width that see padding on the left and on the right, and so need a copy of their inputs.
    pub(super) fn border(&self, width: usize, input_width: usize) -> [usize; 2] {
        if matches!(self.parts, Parts::Depthwise(_)) {
            return [0, 0];
        }
        let (stride, padding) = (self.stride[1], self.padding[1]);
        let right = ((width - 1) * stride + self.reach(1)).saturating_sub(padding + input_width);
        [padding.div_ceil(stride), right.div_ceil(stride)]
    }

    /// Rows or columns of inputs that this many outputs see.
    fn side(&self, outputs: usize, d: usize) -> usize {
        (outputs - 1) * self.stride[d] + self.reach(d)
    }

    /// Inputs that this many rows and columns of outputs see.
    pub(super) fn input_len(&self, rows: usize, columns: usize) -> usize {
        self.side(rows, 0) * self.side(columns, 1) * self.in_channels
    }

    /// The outputs of a 1x1 layer for some rows and columns of inputs, rows `pitch` elements apart.
    pub(super) fn pointwise(&self, values: &[f32], pitch: usize, [rows, columns]: [usize; 2], to: &mut Target) {
        let is_run = pitch == columns * self.in_channels && to.pitch == columns * self.out_channels;
        let (rows, columns) = if is_run { (1, rows * columns) } else { (rows, columns) };
        self.multiply(Window { values, pitch }, rows, columns, to);
    }

    /// The outputs of a spot.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if a copy of the inputs would exceed the limits.
    pub(super) fn tile(
        &self,
        limits: &Limits,
        x: View,
        spot: &Spot,
        window: &mut Vec<f32>,
        to: &mut Target,
    ) -> Result<()> {
        if let Parts::Depthwise(panels) = &self.parts {
            self.depthwise_rows(panels, x, spot, to);
            return Ok(());
        }
        let first = |start: usize, d: usize| (start * self.stride[d]) as isize - self.padding[d] as isize;
        let extent = Extent {
            top: first(spot.rows.start, 0),
            rows: self.side(spot.rows.len(), 0),
            left: first(spot.columns.start, 1),
            columns: self.side(spot.columns.len(), 1),
        };
        self.multiply(extent.of(x, limits, window)?, spot.rows.len(), spot.columns.len(), to);
        Ok(())
    }

    /// The outputs of `rows` x `columns`; `input` begins at the first tap of the first of them.
    fn multiply(&self, input: Window, rows: usize, columns: usize, to: &mut Target) {
        let Window { values, pitch } = input;
        let grid = |channel_in: usize, channel_out: usize| Grid {
            rows,
            columns,
            input: (channel_in, self.stride[0] * pitch, self.stride[1] * self.in_channels),
            output: (to.start + channel_out, to.pitch, self.out_channels),
        };
        let Parts::Groups(groups) = &self.parts else { return self.multiply_depthwise(input, &grid(0, 0), to) };
        let [kh, kw] = self.kernel;
        let group_in = self.in_channels / groups.len();
        let segments: Vec<Segment> = if groups.len() == 1 && self.dilation[1] == 1 {
            let row = self.dilation[0] * pitch;
            (0..kh).map(|ky| Segment { offset: ky * row, len: kw * group_in }).collect()
        } else {
            (0..kh * kw).map(|t| Segment { offset: self.tap(t, pitch), len: group_in }).collect()
        };
        for (g, panels) in groups.iter().enumerate() {
            product(panels, &segments, &grid(g * group_in, g * panels.outputs()), values, to.data);
        }
    }

    /// Where the input of tap `t` lies from the first one's on, in rows `pitch` elements apart.
    fn tap(&self, t: usize, pitch: usize) -> usize {
        let kw = self.kernel[1];
        t / kw * self.dilation[0] * pitch + t % kw * self.dilation[1] * self.in_channels
    }

    /// A depthwise 1x1 layer inside a chain.
    fn multiply_depthwise(&self, input: Window, grid: &Grid, to: &mut Target) {
        if let Parts::Depthwise(panels) = &self.parts {
            let tap = |t: usize| Tap { offset: self.tap(t, input.pitch), step: t };
            let taps: Vec<Tap> = (0..self.kernel[0] * self.kernel[1]).map(tap).collect();
            depthwise(panels, &taps, grid, input.values, to.data);
        }
    }

    /// Outputs of a depthwise layer, from the input where it lies: taps in the padding are left out.
    fn depthwise_rows(&self, panels: &Panels, x: View, spot: &Spot, to: &mut Target) {
        let ([kh, kw], [dy, dx], channels) = (self.kernel, self.dilation, self.in_channels);
        let mut taps = Vec::with_capacity(kh * kw);
        for (i, y) in spot.rows.clone().enumerate() {
            let ky = self.inside(y, 0, x.height());
            for columns in self.runs(&spot.columns, x.width()) {
                let kx = self.inside(columns.start, 1, x.width());
                taps.clear();
                let at = |ky: usize, kx: usize| (ky * x.width() + kx) * channels;
                for ky_ in ky.clone() {
                    taps.extend(kx.clone().map(|kx_| Tap {
                        offset: at((ky_ - ky.start) * dy, (kx_ - kx.start) * dx),
                        step: ky_ * kw + kx_,
                    }));
                }
                let first = if taps.is_empty() {
                    0
                } else {
                    let place =
                        |o: usize, k: usize, d: usize| o * self.stride[d] + k * self.dilation[d] - self.padding[d];
                    at(place(y, ky.start, 0), place(columns.start, kx.start, 1))
                };
                let grid = Grid {
                    rows: 1,
                    columns: columns.len(),
                    input: (first, 0, self.stride[1] * channels),
                    output: (to.start + i * to.pitch + (columns.start - spot.columns.start) * channels, 0, channels),
                };
                depthwise(panels, &taps, &grid, x.data(), to.data);
            }
        }
    }

    /// The taps of output `o` along an axis that lie inside an input of this size.
    fn inside(&self, o: usize, d: usize, size: usize) -> Range<usize> {
        let (first, padding, dilation) = (o * self.stride[d], self.padding[d], self.dilation[d]);
        let start = padding.saturating_sub(first).div_ceil(dilation).min(self.kernel[d]);
        let end = (size + padding).saturating_sub(first).div_ceil(dilation).clamp(start, self.kernel[d].max(start));
        start..end
    }

    /// `columns` in runs of those that see the same taps: one by one near the sides, the middle at once.
    fn runs(&self, columns: &Range<usize>, width: usize) -> impl Iterator<Item = Range<usize>> {
        let (kernel, stride, padding) = (self.reach(1), self.stride[1], self.padding[1]);
        let first = padding.div_ceil(stride).clamp(columns.start, columns.end);
        let whole = (width + padding).checked_sub(kernel).map_or(0, |room| room / stride + 1);
        let last = whole.clamp(first, columns.end);
        let single = |range: Range<usize>| range.map(|x| x..x + 1);
        let middle = (first < last).then_some(first..last);
        single(columns.start..first).chain(middle).chain(single(last..columns.end))
    }
}

/// What holds for the parameters of every layer.
pub(super) fn check_layer(
    simd: Simd,
    weight: &[f32],
    shape: [usize; 4],
    bias: Option<&[f32]>,
    out_channels: usize,
    stride: [usize; 2],
    groups: usize,
) -> Result<()> {
    let len = shape.iter().try_fold(1_usize, |len, &side| len.checked_mul(side));
    if len != Some(weight.len()) || weight.is_empty() {
        return Err(Error::invalid(format!("weight has {} elements, its shape is {shape:?}", weight.len())));
    }
    if let Some(bias) = bias {
        if bias.len() != out_channels {
            return Err(Error::invalid(format!("bias has {} elements for {out_channels} output channels", bias.len())));
        }
        check_parameters(simd, bias, "bias")?;
    }
    if stride.contains(&0) || stride.iter().any(|&s| s > MAX_STEP) {
        return Err(Error::invalid(format!("stride {stride:?} is outside 1..={MAX_STEP}")));
    }
    if groups == 0 {
        return Err(Error::invalid("0 groups, at least 1 is needed"));
    }
    check_parameters(simd, weight, "weight")
}

/// Strides and paddings beyond this are mistakes, and products of them might overflow.
const MAX_STEP: usize = 1 << 12;

/// Padding that reaches past the kernel would make outputs that see no input.
pub(super) fn check_padding(padding: [usize; 2], kernel: [usize; 2]) -> Result<()> {
    if padding.iter().chain(&kernel).any(|&p| p > MAX_STEP) {
        return Err(Error::invalid(format!(
            "kernel {kernel:?} with padding {padding:?}: sides are at most {MAX_STEP}"
        )));
    }
    Ok(())
}

/// Refuses an input of another number of channels than the layer takes; else what it gives.
pub(super) fn check_channels(found: usize, taken: usize, given: usize) -> Result<usize> {
    if found == taken {
        return Ok(given);
    }
    Err(Error::invalid(format!("input has {found} channels, the layer takes {taken}")))
}
