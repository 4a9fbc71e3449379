//! Operations that move elements and compute nothing.

use super::spot::{Spot, Target};
use super::tensor::View;
use super::Tensor;
use crate::{Error, Limits, Result};

/// The channels of all inputs, one after another.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] without inputs or if heights or widths differ; [`crate::ErrorKind::Limit`] beyond the limits.
pub fn concat(limits: &Limits, inputs: &[&Tensor]) -> Result<Tensor> {
    let first = inputs.first().ok_or_else(|| Error::invalid("nothing to concatenate"))?;
    let (_, height, width) = first.shape();
    if let Some(other) = inputs.iter().find(|t| (t.height(), t.width()) != (height, width)) {
        return Err(Error::invalid(format!(
            "cannot concatenate {height} x {width} with {} x {}",
            other.height(),
            other.width()
        )));
    }
    let channels = inputs.iter().map(|t| t.channels()).sum();
    let mut out = Tensor::zeroed(channels, height, width, limits)?;
    let mut first = 0;
    for input in inputs {
        let count = input.channels();
        for (to, from) in out.data_mut().chunks_exact_mut(channels).zip(input.data().chunks_exact(count)) {
            to[first..first + count].copy_from_slice(from);
        }
        first += count;
    }
    Ok(out)
}

/// Channels `start..start + len`.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if they do not exist; [`crate::ErrorKind::Limit`] beyond the limits.
pub fn slice(limits: &Limits, x: &Tensor, start: usize, len: usize) -> Result<Tensor> {
    let (channels, height, width) = x.shape();
    match start.checked_add(len) {
        Some(end) if end <= channels && len > 0 => {}
        _ => return Err(Error::invalid(format!("channels {start} and {len} more are not within 0..{channels}"))),
    }
    let mut out = Tensor::zeroed(len, height, width, limits)?;
    for (to, from) in out.data_mut().chunks_exact_mut(len).zip(x.data().chunks_exact(channels)) {
        to.copy_from_slice(&from[start..start + len]);
    }
    Ok(out)
}

/// Shuffles the pixels of `rows` x `columns` runs of `channels` numbers.
pub(super) fn scatter(values: &[f32], factor: usize, [rows, columns]: [usize; 2], channels: usize, to: &mut Target) {
    let area = factor * factor;
    let count = channels / area;
    for (y, values) in values.chunks_exact(columns * channels).take(rows).enumerate() {
        for i in 0..factor {
            let row = &mut to.data[to.start + (y * factor + i) * to.pitch..][..columns * factor * count];
            for (pixels, from) in row.chunks_exact_mut(factor * count).zip(values.chunks_exact(channels)) {
                for (j, pixel) in pixels.chunks_exact_mut(count).enumerate() {
                    let from = from[i * factor + j..].iter().step_by(area);
                    pixel.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

/// The pixels of a spot, unshuffled.
pub(super) fn gather(x: View, factor: usize, spot: &Spot, to: &mut Target) {
    let (channels, area) = (x.channels(), factor * factor);
    let pitch = x.row_len();
    for (y, row) in spot.rows.clone().enumerate() {
        let out = &mut to.data[to.start + y * to.pitch..][..spot.columns.len() * channels * area];
        for i in 0..factor {
            let start = (row * factor + i) * pitch + spot.columns.start * factor * channels;
            let values = &x.data()[start..start + spot.columns.len() * factor * channels];
            for (position, from) in out.chunks_exact_mut(channels * area).zip(values.chunks_exact(factor * channels)) {
                for (j, from) in from.chunks_exact(channels).enumerate() {
                    let to = position[i * factor + j..].iter_mut().step_by(area);
                    to.zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

/// The top left part of `height` x `width`.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if `x` is smaller; [`crate::ErrorKind::Limit`] beyond the limits.
pub fn crop(limits: &Limits, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    if height > x.height() || width > x.width() {
        return Err(Error::invalid(format!("cannot crop {} x {} to {height} x {width}", x.height(), x.width())));
    }
    resize(limits, x, height, width)
}

/// `x` with its last column and row repeated to the right and to the bottom up to `height` x `width`.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if `x` is larger or empty; [`crate::ErrorKind::Limit`] beyond the limits.
pub fn pad_replicate(limits: &Limits, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    if height < x.height() || width < x.width() || x.height() == 0 || x.width() == 0 {
        return Err(Error::invalid(format!("cannot pad {} x {} to {height} x {width}", x.height(), x.width())));
    }
    resize(limits, x, height, width)
}

/// Element (c, y, x) of the result is that of `x` at the nearest position it has.
fn resize(limits: &Limits, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let channels = x.channels();
    let mut out = Tensor::zeroed(channels, height, width, limits)?;
    let row_len = out.row_len().max(1);
    for (y, row) in out.data_mut().chunks_exact_mut(row_len).enumerate() {
        let start = y.min(x.height() - 1) * x.row_len();
        let from = &x.data()[start..start + x.row_len()];
        let shared = from.len().min(row.len());
        row[..shared].copy_from_slice(&from[..shared]);
        for pixel in row[shared..].chunks_exact_mut(channels) {
            pixel.copy_from_slice(&from[from.len() - channels..]);
        }
    }
    Ok(out)
}

/// Pixels of one block of a shuffle by `factor`.
pub(super) fn shuffle_area(factor: usize) -> Result<usize> {
    match factor {
        1..=256 => Ok(factor * factor),
        _ => Err(Error::invalid(format!("pixel shuffle factor {factor} is outside 1..=256"))),
    }
}
