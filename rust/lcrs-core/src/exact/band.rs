//! A window of rows cut out of a tensor with zeros around it: what one job of a convolution reads.

use super::Tensor;
use crate::wide::wide;
use crate::{Error, Limits, Result};

/// Rows and columns of a tensor, in coordinates that may lie outside it; there the band is zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) top: isize,
    pub(super) rows: usize,
    pub(super) left: isize,
    pub(super) columns: usize,
}

/// The values of an [`Extent`], channels innermost, rows `columns * channels` elements apart.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if a value is not finite; [`crate::ErrorKind::Limit`] if the band would exceed the limits,
/// as kernels and paddings far larger than their input can make it.
pub(super) fn cut(x: &Tensor, extent: Extent, limits: &Limits) -> Result<Vec<f32>> {
    let (channels, height, width) = x.shape();
    let pitch = extent.columns * channels;
    let bytes = extent.rows.saturating_mul(pitch).saturating_mul(size_of::<f32>());
    if bytes as u64 > limits.max_bytes {
        return Err(Error::limit(format!(
            "{} x {} inputs of {channels} channels need {bytes} bytes, at most {} are allowed",
            extent.rows, extent.columns, limits.max_bytes
        )));
    }
    let mut band = Vec::new();
    let no_memory = |_| Error::limit(format!("no memory for {bytes} bytes of inputs"));
    band.try_reserve_exact(extent.rows * pitch).map_err(no_memory)?;
    let before = extent.left.min(0).unsigned_abs().min(extent.columns);
    let first = extent.left.max(0) as usize;
    let inside = width.saturating_sub(first).min(extent.columns - before);
    for row in 0..extent.rows {
        let y = extent.top + row as isize;
        let end = band.len() + pitch;
        if y >= 0 && (y as usize) < height {
            band.resize(band.len() + before * channels, 0.0);
            let start = (y as usize * width + first.min(width)) * channels;
            let values = &x.data()[start..start + inside * channels];
            check_finite(values, x, start)?;
            band.extend_from_slice(values);
        }
        band.resize(end, 0.0);
    }
    Ok(band)
}

/// Refuses values that are not finite; `start` is where `values` begin in `x`.
pub(super) fn check_finite(values: &[f32], x: &Tensor, start: usize) -> Result<()> {
    match first_not_finite(values) {
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
pub(crate) fn first_not_finite(values: &[f32]) -> Option<usize> {
    let part = values.chunks(4096).position(any_not_finite)? * 4096;
    values[part..].iter().position(|v| !v.is_finite()).map(|i| part + i)
}

wide! {
fn any_not_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    values.iter().fold(0, |bad, v| bad | u32::from(v.to_bits() & EXPONENT == EXPONENT)) != 0
}
}

/// Refuses parameters that are not finite, by name.
pub(crate) fn check_parameters(values: &[f32], name: &str) -> Result<()> {
    match first_not_finite(values) {
        None => Ok(()),
        Some(i) => Err(Error::invalid(format!("{name} is {} at element {i}: it must be finite", values[i]))),
    }
}

/// Output rows of one job: a band of at most about a megabyte, at most sixteen rows, and work for all threads;
/// a multiple of `multiple`.
pub(super) fn rows_per_job(height: usize, band_row_len: usize, threads: usize, multiple: usize) -> usize {
    const BAND_LEN: usize = 1 << 18;
    let share = if threads > 1 { height.div_ceil(2 * threads) } else { height };
    let rows = (BAND_LEN / band_row_len.max(1)).clamp(1, 16).min(share).max(1);
    rows.div_ceil(multiple) * multiple
}
