//! From a picture to a lossless file.

use lcrs_core::{ErrorKind, Limits, Result, Runtime};
use lcrs_format::{pack, Header, Samples, Section};

use super::bands::{band_rows, encode};
use super::{KIND, PRECISION};
use crate::container::from_format;
use crate::{Picture, PictureMetadata};

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

/// Compresses a picture to the bit, if that takes at most `max_bytes`. It ends as soon as it takes more, so of a photograph, beside
/// the file of a model, a small part is tried. Nothing of arrays, or beyond the limits: there is another file.
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
    match file(picture, metadata, max_bytes, rt, limits) {
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
