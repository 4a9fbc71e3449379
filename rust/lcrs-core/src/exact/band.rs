//! The window of a tensor, with zeros around it, that one tile of a convolution reads.

use super::tensor::{View, ROOM};
use crate::wide::wider;
use crate::{Error, Limits, Result, Simd};
use std::ops::Range;

/// Rows and columns of a tensor, in coordinates that may lie outside it; there the window is zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) top: isize,
    pub(super) rows: usize,
    pub(super) left: isize,
    pub(super) columns: usize,
}

/// The values of an [`Extent`], channels innermost, rows `pitch` elements apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) values: &'a [f32],
    pub(super) pitch: usize,
}

impl Extent {
    /// The window: a part of `x` itself where it lies inside, else a copy in `buffer`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if a copy would exceed the limits, as kernels and paddings far larger than their input can
    /// make it.
    pub(super) fn of<'a>(self, x: View<'a>, limits: &Limits, buffer: &'a mut Vec<f32>) -> Result<Window<'a>> {
        let (channels, height, width) = x.shape();
        let is_inside = |first: isize, len: usize, side: usize| first >= 0 && first as usize + len <= side;
        if is_inside(self.top, self.rows, height) && is_inside(self.left, self.columns, width) {
            let start = (self.top as usize * width + self.left as usize) * channels;
            let len = ((self.rows - 1) * width + self.columns) * channels;
            return Ok(Window { values: &x.data()[start..start + len], pitch: width * channels });
        }
        let start = self.copy(x, limits, buffer)?;
        Ok(Window { values: &buffer[start..], pitch: self.columns * channels })
    }

    /// Fills the buffer; the window begins, on a cache line, at the returned element.
    fn copy(self, x: View, limits: &Limits, buffer: &mut Vec<f32>) -> Result<usize> {
        let (channels, height, width) = x.shape();
        let pitch = self.columns * channels;
        let bytes = self.rows.saturating_mul(pitch).saturating_mul(size_of::<f32>());
        if bytes as u64 > limits.max_bytes {
            return Err(Error::limit(format!(
                "{} x {} inputs of {channels} channels need {bytes} bytes, at most {} are allowed (max_bytes)",
                self.rows, self.columns, limits.max_bytes
            )));
        }
        buffer.clear();
        let no_memory = |_| Error::limit(format!("no memory for {bytes} bytes of inputs"));
        buffer.try_reserve(self.rows * pitch + ROOM).map_err(no_memory)?;
        let start = buffer.as_ptr().align_offset(64).min(ROOM);
        buffer.resize(start, 0.0);
        let before = self.left.min(0).unsigned_abs().min(self.columns);
        let first = self.left.max(0) as usize;
        let inside = width.saturating_sub(first).min(self.columns - before);
        for row in 0..self.rows {
            let y = self.top + row as isize;
            let end = buffer.len() + pitch;
            if y >= 0 && (y as usize) < height {
                buffer.resize(buffer.len() + before * channels, 0.0);
                let start = (y as usize * width + first.min(width)) * channels;
                buffer.extend_from_slice(&x.data()[start..start + inside * channels]);
            }
            buffer.resize(end, 0.0);
        }
        Ok(start)
    }
}

/// Whether the inputs are finite that fall to one tile: all tiles of `outputs` (height, width) together have all inputs, each once.
pub(super) fn share_is_finite(
    simd: Simd,
    x: View,
    outputs: (usize, usize),
    rows: Range<usize>,
    columns: &Range<usize>,
) -> bool {
    let (channels, height, width) = x.shape();
    let share =
        |side: usize, outputs: usize, part: &Range<usize>| side * part.start / outputs..side * part.end / outputs;
    let columns = share(width, outputs.1, columns);
    share(height, outputs.0, &rows).all(|y| {
        let row = y * width * channels;
        !any_not_finite(simd, &x.data()[row + columns.start * channels..row + columns.end * channels])
    })
}

/// Refuses rows that are not finite, naming the first place in raster order.
pub(super) fn check_view(simd: Simd, x: View) -> Result<()> {
    check_finite(simd, x.data(), x, 0)
}

/// Refuses values that are not finite; `start` is where `values` begin in `x`.
pub(super) fn check_finite(simd: Simd, values: &[f32], x: View, start: usize) -> Result<()> {
    match first_not_finite(simd, values) {
        None => Ok(()),
        Some(i) => {
            let at = start + i;
            let (channels, _, width) = x.shape();
            let (c, column, row) = (at % channels, at / channels % width, at / channels / width);
            Err(Error::invalid(format!(
                "input is {} at channel {c}, row {row}, column {column}: it must be finite",
                values[i]
            )))
        }
    }
}

/// Position of the first infinity or NaN.
pub(crate) fn first_not_finite(simd: Simd, values: &[f32]) -> Option<usize> {
    let part = values.chunks(4096).position(|part| any_not_finite(simd, part))? * 4096;
    values[part..].iter().position(|v| !v.is_finite()).map(|i| part + i)
}

wider! {
fn any_not_finite(simd: Simd, values: &[f32]) -> bool {
    const MAGNITUDE: u32 = 0x7fff_ffff;
    // magnitudes compare as integers; infinity and NaN are the largest
    values.iter().fold(0, |largest, v| largest.max(v.to_bits() & MAGNITUDE)) >= f32::INFINITY.to_bits()
}
}

/// Refuses parameters that are not finite, by name.
pub(crate) fn check_parameters(simd: Simd, values: &[f32], name: &str) -> Result<()> {
    match first_not_finite(simd, values) {
        None => Ok(()),
        Some(i) => Err(Error::invalid(format!("{name} is {} at element {i}: it must be finite", values[i]))),
    }
}

/// Positions of one job of a layer that works on each by itself: at most about a megabyte, and work for all threads; a
/// multiple of twelve, as many as the widest kernel takes.
pub(super) fn positions_per_job(positions: usize, position_len: usize, threads: usize) -> usize {
    const JOB_LEN: usize = 1 << 18;
    const BLOCK: usize = 12;
    let blocks = positions.div_ceil(BLOCK);
    let share = if threads > 1 { blocks.div_ceil(2 * threads) } else { blocks };
    (JOB_LEN / (BLOCK * position_len).max(1)).clamp(1, 16).min(share).max(1) * BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::testing::{compare, numbers};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_finds_the_first_number_that_is_not_finite(
            values in numbers(),
            len in 0_usize..9000,
            bad in prop::option::of((0_usize..9000, any::<bool>())),
        ) {
            let expected = values.iter().position(|v| !v.is_finite());
            compare(|simd| assert_eq!(first_not_finite(simd, &values), expected, "{simd:?}"));
            let mut values = vec![f32::MAX; len];
            let bad = bad.filter(|(at, _)| *at < len);
            if let Some((at, is_nan)) = bad {
                values[at] = if is_nan { f32::NAN } else { f32::NEG_INFINITY };
            }
            compare(|simd| assert_eq!(first_not_finite(simd, &values), bad.map(|(at, _)| at), "{simd:?}"));
        }
    }
}
