//! Convolutions (cross-correlations, as everywhere in the field).

use super::band::{check_finite, check_parameters, check_tensor, positions_per_job, share_is_finite, Extent, Window};
use super::kernel::{depthwise, product, Grid, Panels, Segment};
use super::rows::for_chunks;
use super::tiles::Tiles;
use super::Tensor;
use crate::{Error, Limits, Result, Runtime, Simd};
use std::ops::Range;

/// A two-dimensional convolution with zero padding, groups included.
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
        Ok(Self { in_channels, out_channels, kernel: [kh, kw], stride, padding, parts })
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
            match padded.checked_sub(self.kernel[d]) {
                Some(room) if size > 0 => Ok(room / self.stride[d] + 1),
                _ => Err(Error::invalid(format!(
                    "input of {height} x {width} with padding {:?} is smaller than the kernel {:?}",
                    self.padding, self.kernel
                ))),
            }
        };
        Ok((side(height, 0)?, side(width, 1)?))
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
        if self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0] {
            self.run_pointwise(rt, x, &mut out)?;
        } else {
            self.run_tiles(rt, limits, x, &mut out)?;
        }
        Ok(out)
    }

    /// A 1x1 layer: the picture is one long row.
    fn run_pointwise(&self, rt: &Runtime, x: &Tensor, out: &mut Tensor) -> Result<()> {
        let positions = x.height() * x.width();
        let job = positions_per_job(positions, self.in_channels + self.out_channels, rt.pool.threads());
        for_chunks(&rt.pool, out.data_mut(), job * self.out_channels, |i, chunk| {
            let start = i * job * self.in_channels;
            let columns = chunk.len() / self.out_channels;
            let values = &x.data()[start..start + columns * self.in_channels];
            check_finite(rt.simd, values, x, start)?;
            self.multiply(Window { values, pitch: values.len() }, 0..columns, columns, chunk);
            Ok(())
        })
    }

    fn run_tiles(&self, rt: &Runtime, limits: &Limits, x: &Tensor, out: &mut Tensor) -> Result<()> {
        let (_, height, width) = out.shape();
        let ([sy, sx], [py, px], kw) = (self.stride, self.padding, self.kernel[1]);
        // columns whose taps reach beyond the left and the right side
        let right = ((width - 1) * sx + kw).saturating_sub(px + x.width());
        let border = [px.div_ceil(sx), right.div_ceil(sx)];
        let side = |outputs: usize, d: usize| (outputs - 1) * self.stride[d] + self.kernel[d];
        let input_len = |rows: usize, columns: usize| side(rows, 0) * side(columns, 1) * self.in_channels;
        let tiles = Tiles::new(&rt.pool, (height, width), [1, 1], border, input_len);
        let row_len = out.row_len();
        for_chunks(&rt.pool, out.data_mut(), tiles.rows * row_len, |i, chunk| {
            let (first, rows) = (i * tiles.rows, chunk.len() / row_len);
            let mut buffer = Vec::new();
            for columns in &tiles.columns {
                if !share_is_finite(rt.simd, x, (height, width), first..first + rows, columns) {
                    return check_tensor(rt.simd, x);
                }
                let extent = Extent {
                    top: (first * sy) as isize - py as isize,
                    rows: side(rows, 0),
                    left: (columns.start * sx) as isize - px as isize,
                    columns: side(columns.len(), 1),
                };
                self.multiply(extent.of(x, limits, &mut buffer)?, columns.clone(), width, chunk);
            }
            Ok(())
        })
    }

    /// The outputs of some columns of the rows in `out`, which are `width` positions long; `input` begins at the first tap of the
    /// first of them.
    fn multiply(&self, input: Window, columns: Range<usize>, width: usize, out: &mut [f32]) {
        let Window { values, pitch } = input;
        let row_len = width * self.out_channels;
        let rows = out.len() / row_len;
        let grid = |channel_in: usize, channel_out: usize| Grid {
            rows,
            columns: columns.len(),
            input: (channel_in, self.stride[0] * pitch, self.stride[1] * self.in_channels),
            output: (columns.start * self.out_channels + channel_out, row_len, self.out_channels),
        };
        let [kh, kw] = self.kernel;
        match &self.parts {
            Parts::Depthwise(panels) => {
                let taps: Vec<usize> = (0..kh * kw).map(|t| t / kw * pitch + t % kw * self.in_channels).collect();
                depthwise(panels, &taps, &grid(0, 0), values, out);
            }
            Parts::Groups(groups) => {
                let group_in = self.in_channels / groups.len();
                let segments: Vec<Segment> = if groups.len() == 1 {
                    (0..kh).map(|ky| Segment { offset: ky * pitch, len: kw * group_in }).collect()
                } else {
                    let tap = |t: usize| t / kw * pitch + t % kw * self.in_channels;
                    (0..kh * kw).map(|t| Segment { offset: tap(t), len: group_in }).collect()
                };
                for (g, panels) in groups.iter().enumerate() {
                    product(panels, &segments, &grid(g * group_in, g * panels.outputs()), values, out);
                }
            }
        }
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

/// Refuses an input of another number of channels.
pub(super) fn check_channels(x: &Tensor, channels: usize) -> Result<()> {
    if x.channels() == channels {
        return Ok(());
    }
    Err(Error::invalid(format!("input has {} channels, the layer takes {channels}", x.channels())))
}
