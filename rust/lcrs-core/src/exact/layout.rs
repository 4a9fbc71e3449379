//! Operations that move elements and compute nothing.

use super::rows::{elementwise_chunk, for_chunks};
use super::Tensor;
use crate::{Error, Limits, Result, Runtime};

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

/// (C r^2, H, W) to (C, H r, W r): output (c, y r + i, x r + j) is input (c r^2 + i r + j, y, x), as in torch.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if the channels are not a multiple of `r^2`; [`crate::ErrorKind::Limit`] beyond the limits.
pub fn pixel_shuffle(rt: &Runtime, limits: &Limits, x: &Tensor, factor: usize) -> Result<Tensor> {
    let (channels, height, width) = x.shape();
    let area = shuffle_area(factor)?;
    if channels % area != 0 {
        return Err(Error::invalid(format!(
            "{channels} channels are not a multiple of {area} for pixel shuffle by {factor}"
        )));
    }
    let count = channels / area;
    let mut out = Tensor::output(rt, limits, (count, scaled(height, factor)?, scaled(width, factor)?))?;
    for_rows(rt, &mut out, |y, row| {
        for (column, to) in row.chunks_exact_mut(count).enumerate() {
            let from = x.pixel(y / factor, column / factor);
            let phase = y % factor * factor + column % factor;
            for (to, from) in to.iter_mut().zip(from[phase..].iter().step_by(area)) {
                *to = *from;
            }
        }
    })?;
    Ok(out)
}

/// The inverse of [`pixel_shuffle`]: (C, H r, W r) to (C r^2, H, W).
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if a side is not a multiple of `r`; [`crate::ErrorKind::Limit`] beyond the limits.
pub fn pixel_unshuffle(rt: &Runtime, limits: &Limits, x: &Tensor, factor: usize) -> Result<Tensor> {
    let (channels, height, width) = x.shape();
    let area = shuffle_area(factor)?;
    if height % factor != 0 || width % factor != 0 {
        return Err(Error::invalid(format!("{height} x {width} is not a multiple of {factor} for pixel unshuffle")));
    }
    let count = channels.checked_mul(area).ok_or_else(|| Error::invalid("pixel unshuffle makes too many channels"))?;
    let mut out = Tensor::output(rt, limits, (count, height / factor, width / factor))?;
    for_rows(rt, &mut out, |y, row| {
        for (column, to) in row.chunks_exact_mut(count).enumerate() {
            for phase in 0..area {
                let from = x.pixel(y * factor + phase / factor, column * factor + phase % factor);
                for (to, from) in to[phase..].iter_mut().step_by(area).zip(from) {
                    *to = *from;
                }
            }
        }
    })?;
    Ok(out)
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

/// Calls `job(y, row)` for all rows of `out`, in parallel.
fn for_rows(rt: &Runtime, out: &mut Tensor, job: impl Fn(usize, &mut [f32]) + Sync + Send) -> Result<()> {
    let row_len = out.row_len().max(1);
    let chunk = elementwise_chunk(&rt.pool, out.data().len(), row_len);
    for_chunks(&rt.pool, out.data_mut(), chunk, |i, rows| {
        rows.chunks_exact_mut(row_len).enumerate().for_each(|(y, row)| job(i * (chunk / row_len) + y, row));
        Ok(())
    })
}

fn shuffle_area(factor: usize) -> Result<usize> {
    match factor {
        1..=256 => Ok(factor * factor),
        _ => Err(Error::invalid(format!("pixel shuffle factor {factor} is outside 1..=256"))),
    }
}

fn scaled(side: usize, factor: usize) -> Result<usize> {
    side.checked_mul(factor).ok_or_else(|| Error::invalid("pixel shuffle makes a side too large"))
}
