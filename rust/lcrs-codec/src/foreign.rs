//! Files that are not portable: a program coded them in its own arithmetic, and only that program decodes them.

use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result};
use lcrs_format::{pack, parse, Header, Section, DIGEST_PREFIX_LENGTH};

use crate::container::{format_limits, from_format};
use crate::{Layout, PictureMetadata};

/// Latents that a file can number.
const MAX_LATENTS: usize = 128;

/// What section entries say of the precision of tables that nobody else knows.
const PRECISION: u8 = 16;

/// What a file says of a model that has no package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignModel<'a> {
    /// Its name, as [`Header::model`].
    pub name: &'a str,
    /// First bytes of a digest of what decides a symbol.
    pub entropy_digest: [u8; DIGEST_PREFIX_LENGTH],
    /// First bytes of a digest of what turns symbols into pixels.
    pub synthesis_digest: [u8; DIGEST_PREFIX_LENGTH],
}

/// Writes a file that is not portable, with sections that mean what its program wants.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for a name, a layout or metadata that no file holds, and for more than 128
/// sections; [`lcrs_core::ErrorKind::Limit`] for a picture or metadata above the limits.
pub fn write_not_portable(
    model: &ForeignModel<'_>,
    layout: &Layout,
    sections: &[&[u8]],
    kind: StreamKind,
    metadata: &PictureMetadata,
    limits: &Limits,
) -> Result<Vec<u8>> {
    limits.check_picture(layout.width, layout.height)?;
    metadata.check(limits)?;
    if sections.len() > MAX_LATENTS {
        return Err(Error::invalid(format!("{} sections, at most {MAX_LATENTS} fit", sections.len())));
    }
    let mut header = Header::new(model.name, layout.width, layout.height);
    header.samples = layout.samples;
    header.has_channel_axis = layout.has_channel_axis || layout.samples.channels() > 1;
    header.entropy_digest = model.entropy_digest;
    header.synthesis_digest = model.synthesis_digest;
    header.is_portable = false;
    metadata.write_fields(&mut header);
    let sections: Vec<Section<'_>> = sections
        .iter()
        .zip(0..)
        .map(|(data, latent)| Section { latent, kind: kind.code(), precision: PRECISION, data })
        .collect();
    pack(&header, &sections, &metadata.sections()).map_err(from_format)
}

/// The sections of a file that is not portable.
///
/// # Errors
/// As [`crate::info`]; `Corrupt` too for a portable file, whose sections mean something else, and for one whose sections
/// are not numbered from 0.
pub fn read_not_portable<'a>(data: &'a [u8], limits: &Limits) -> Result<Vec<&'a [u8]>> {
    let container = parse(data, &format_limits(limits)).map_err(from_format)?;
    if container.header.is_portable {
        return Err(Error::corrupt("the file is portable: its sections are those of a package"));
    }
    if !container.sections.iter().zip(0..).all(|(section, latent): (_, u8)| section.latent == latent) {
        return Err(Error::corrupt("latents are not numbered 0, 1, ..."));
    }
    Ok(container.sections.iter().map(|section| section.data).collect())
}
