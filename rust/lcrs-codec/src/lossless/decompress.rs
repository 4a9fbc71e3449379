//! From a lossless file to its picture.

use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::parse;

use super::bands::decode;
use super::{KIND, PRECISION};
use crate::container::{format_limits, from_format};
use crate::decompress::layout;
use crate::Picture;

/// The picture of a lossless file, which needs no model.
///
/// # Errors
/// `Truncated`, `Corrupt`, `Desync` or `UnsupportedVersion` for a file that is not whole, not known, or not lossless,
/// [`lcrs_core::ErrorKind::Limit`] for one above the limits.
pub fn decompress_lossless(data: &[u8], rt: &Runtime, limits: &Limits) -> Result<Picture> {
    let container = parse(data, &format_limits(limits)).map_err(from_format)?;
    let limits = &limits.without(data.len() as u64, "the file")?;
    let header = &container.header;
    let Some(rows) = header.lossless_rows else {
        return Err(Error::corrupt(format!("the file is not lossless: it was made with model '{}'", header.model)));
    };
    let [section] = &container.sections[..] else {
        return Err(Error::corrupt(format!("lossless picture of {} sections (1)", container.sections.len())));
    };
    if (section.latent, section.kind, section.precision) != (0, KIND, PRECISION) {
        return Err(Error::unsupported(format!(
            "lossless picture in section {} of kind {} and precision {}, this build knows 0, {KIND} and {PRECISION}",
            section.latent, section.kind, section.precision
        )));
    }
    let layout = layout(header);
    Picture::with_layout(layout, decode(&layout, rows, section.data, rt, limits)?)
}
