//! From a picture to a lossless file.

use lcrs_core::{ErrorKind, Limits, Result, Runtime};
use lcrs_format::{pack, Header, Samples, Section};

use super::bands::{band_rows, encode};
use super::{KIND, PRECISION};
use crate::container::from_format;
use crate::{Picture, PictureMetadata};

/// Rows that are looked at: every so many-th.
const SAMPLED_ROWS: usize = 8;

/// Pixels of a hundred, at least, that are the same as one near them in pictures worth a trial.
const LIKE_PERCENT: usize = 60;

/// Compresses a picture to the bit. The bytes depend on nothing else.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for an array, [`lcrs_core::ErrorKind::Limit`] above the limits,
/// [`lcrs_core::ErrorKind::Interrupted`].
pub fn compress_lossless(
    picture: &Picture,
    metadata: &PictureMetadata,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Vec<u8>> {
    Ok(file(picture, metadata, usize::MAX, rt, limits)?.unwrap_or_default())
}

/// Compresses a picture to the bit, if that takes at most `max_bytes`. Where too few pixels are like their neighbours, as in
/// photographs, that is not tried; nor for arrays, or beyond the limits: there is another file.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Interrupted`].
pub fn lossless_if_no_larger(
    picture: &Picture,
    metadata: &PictureMetadata,
    max_bytes: usize,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Option<Vec<u8>>> {
    if matches!(picture.samples(), Samples::Array { .. }) {
        return Ok(None);
    }
    let found = match is_worth_a_trial(picture, limits) {
        Ok(true) => file(picture, metadata, max_bytes, rt, limits),
        other => other.map(|_| None),
    };
    match found {
        Err(error) if error.kind() == ErrorKind::Limit => Ok(None),
        found => found,
    }
}

fn file(
    picture: &Picture,
    metadata: &PictureMetadata,
    max_bytes: usize,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Option<Vec<u8>>> {
    let layout = picture.layout();
    limits.check_picture(layout.width, layout.height)?;
    metadata.check(limits)?;
    let limits =
        &limits.without(picture.data().len() as u64 + 2 * metadata.num_bytes(), "a picture with its metadata")?;
    let rows = band_rows(&layout);
    let Some(data) = encode(&layout, rows, picture.data(), max_bytes, rt, limits)? else { return Ok(None) };
    let mut header = Header::of_lossless(layout.width, layout.height, rows);
    header.samples = layout.samples;
    header.has_channel_axis = layout.has_channel_axis || layout.samples.channels() > 1;
    metadata.write_fields(&mut header);
    let section = Section { latent: 0, kind: KIND, precision: PRECISION, data: &data };
    let file = pack(&header, &[section], &metadata.sections()).map_err(from_format)?;
    Ok((file.len() <= max_bytes).then_some(file))
}

/// Whether enough pixels are the same as one near them.
fn is_worth_a_trial(picture: &Picture, limits: &Limits) -> Result<bool> {
    let layout = picture.layout();
    let row_bytes = layout.row_bytes();
    let row = |y: usize| picture.data()[y * row_bytes..][..row_bytes].chunks_exact(row_bytes / layout.width as usize);
    let mut pixels: Vec<bool> = limits.zeroed(layout.width as usize, "a row of flags")?;
    let (mut alike, mut looked_at) = (0, 0);
    for y in (0..layout.height as usize).step_by(SAMPLED_ROWS) {
        let near = [(0, 1), (0, 2), (1, 0), (1, 1), (2, 0)].map(|(up, left)| (y.checked_sub(up).map(row), left));
        pixels.fill(false);
        for (other, left) in near {
            let others = other.into_iter().flatten();
            let pairs = pixels[left.min(layout.width as usize)..].iter_mut().zip(row(y).skip(left)).zip(others);
            pairs.for_each(|((is_alike, pixel), other)| *is_alike |= pixel == other);
        }
        alike += pixels.iter().filter(|is_alike| **is_alike).count();
        looked_at += pixels.len();
    }
    Ok(100 * alike >= LIKE_PERCENT * looked_at)
}
