//! From a file to a picture.

use lcrs_core::exact::{Tensor, View};
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::{parse, Container, Header, Numerics};

use crate::blame::blame_data;
use crate::container::{format_limits, from_format};
use crate::digest_text::{hex, prefix};
use crate::graph::Job;
use crate::graph::{Rows, Shape};
use crate::package::SYNTHESIS;
use crate::picture::Canvas;
use crate::quality::level;
use crate::{Digests, Layout, Package, Picture, PictureMetadata};

/// How to decompress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecompressOptions {
    /// Accept a model whose synthesis is not the one that the file was made for: the symbols are right, the pixels are
    /// others than the encoder meant.
    pub allow_other_synthesis: bool,
}

/// Restores the picture in `data` with the model of `package`.
///
/// # Errors
/// [`lcrs_core::ErrorKind::MissingModel`] if the file was made with another model, `Truncated`, `Corrupt`, `Desync` or
/// `UnsupportedVersion` for a file that is not whole or not known, [`lcrs_core::ErrorKind::Limit`] for one above the limits,
/// [`lcrs_core::ErrorKind::NotPortable`] for one that decodes only where it was made.
pub fn decompress(
    package: &Package,
    data: &[u8],
    options: &DecompressOptions,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Picture> {
    let container = parse(data, &format_limits(limits)).map_err(from_format)?;
    let limits = &limits.without(data.len() as u64, "the file")?;
    let (y, job) = restore(package, &container, options, rt, limits)?;
    synthesise(package, &y, &container.header, job)
}

/// What a file holds before its synthesis.
#[derive(Debug, Clone)]
pub struct DecodedLatent {
    /// What the synthesis takes.
    pub y: Tensor,
    /// The level that it runs at, for a variable-rate model.
    pub level: Option<f32>,
    /// Size and samples of the visible picture.
    pub layout: Layout,
    /// Columns and rows of what the synthesis gives that come before it.
    pub crop: (u32, u32),
}

/// Decodes the latent of a file, for a synthesis that runs elsewhere.
///
/// # Errors
/// As [`decompress`].
pub fn decompress_latent(
    package: &Package,
    data: &[u8],
    options: &DecompressOptions,
    rt: &Runtime,
    limits: &Limits,
) -> Result<DecodedLatent> {
    let container = parse(data, &format_limits(limits)).map_err(from_format)?;
    let limits = &limits.without(data.len() as u64, "the file")?;
    let (y, job) = restore(package, &container, options, rt, limits)?;
    package.check_synthesis((&y).into())?;
    let header = &container.header;
    let crop = (header.crop_left, header.crop_top);
    Ok(DecodedLatent { y, level: job.level, layout: layout(header), crop })
}

/// The decoded latent, and what its synthesis runs on.
fn restore<'a>(
    package: &Package,
    container: &Container<'_>,
    options: &DecompressOptions,
    rt: &'a Runtime,
    limits: &'a Limits,
) -> Result<(Tensor, Job<'a>)> {
    let header = &container.header;
    check_model(package, header, options)?;
    package.scale(header.samples).map_err(blame_data)?;
    let job = Job { rt, limits, level: level(package, header.quality).map_err(blame_data)? };
    let (height, width) = padded_size(package, header, limits)?;
    let latents_ascend = container.sections.iter().zip(0..).all(|(section, latent): (_, u8)| section.latent == latent);
    if !latents_ascend {
        return Err(Error::corrupt("latents are not numbered 0, 1, ..."));
    }
    let shape = package.y_shape(height, width, limits)?;
    let y = package.codec.decode(package.runner(job), &container.sections, shape)?;
    Ok((y, job))
}

/// The visible part of what the model makes of y.
fn synthesise(package: &Package, y: &Tensor, header: &Header, job: Job<'_>) -> Result<Picture> {
    package.check_synthesis(y.into())?;
    let scale = package.scale(header.samples).map_err(blame_data)?;
    let mut canvas = Canvas::new((header.crop_left, header.crop_top), layout(header), scale, job.limits)?;
    let limits = job.holding(canvas.bytes() + y.bytes(), "a picture with its latent")?;
    let mut source = |rows: &Rows| y.view().rows(rows.clone())?.to_tensor(job.rt, job.limits);
    let mut sink = |rows: Rows, strip: View<'_>| canvas.paint(rows, strip);
    let job = Job { limits: &limits, ..job };
    package.runner(job).run_in_strips(SYNTHESIS, Shape::from(y), &mut source, &mut sink)?;
    canvas.finish()
}

/// The metadata that a file carries.
///
/// # Errors
/// As [`crate::info`].
pub fn metadata(data: &[u8], limits: &Limits) -> Result<PictureMetadata> {
    let container = parse(data, &format_limits(limits)).map_err(from_format)?;
    Ok(PictureMetadata::of(&container))
}

/// Checks that what decides the symbols of a file is at hand.
///
/// # Errors
/// [`lcrs_core::ErrorKind::MissingModel`], [`lcrs_core::ErrorKind::NotPortable`].
pub(crate) fn check_entropy(header: &Header, name: &str, digests: &Digests, numerics: Numerics) -> Result<()> {
    if !header.is_portable {
        return Err(Error::not_portable("the file was made with machine-dependent arithmetic, which is not at hand"));
    }
    if header.entropy_digest != prefix(&digests.entropy) || header.numerics != numerics {
        return Err(mismatch(header, name, "entropy", &header.entropy_digest, &digests.entropy));
    }
    Ok(())
}

fn mismatch(header: &Header, name: &str, what: &str, wanted: &[u8], found: &[u8; 32]) -> Error {
    let (wanted, found) = (hex(wanted), hex(&prefix(found)));
    Error::missing_model(format!(
        "the file needs model '{}' with {what} digest {wanted}, model '{name}' at hand has {found}",
        header.model
    ))
}

fn check_model(package: &Package, header: &Header, options: &DecompressOptions) -> Result<()> {
    if header.cloud.is_some() {
        return Err(Error::corrupt(format!(
            "the file holds a point cloud, made with model '{}', no picture",
            header.model
        )));
    }
    if header.lossless_rows.is_some() {
        return Err(Error::corrupt("the file holds a lossless picture: no model decodes it, decompress_lossless does"));
    }
    let digests = package.digests();
    check_entropy(header, package.name(), &digests, package.numerics())?;
    if header.synthesis_digest != prefix(&digests.synthesis) && !options.allow_other_synthesis {
        let (wanted, found) = (&header.synthesis_digest, &digests.synthesis);
        return Err(mismatch(header, package.name(), "synthesis", wanted, found));
    }
    Ok(())
}

pub(crate) fn layout(header: &Header) -> Layout {
    let Header { width, height, samples, has_channel_axis, .. } = *header;
    Layout { width, height, samples, has_channel_axis }
}

/// Height and width of what the model decodes: the visible part and what is cut off before it, padded.
fn padded_size(package: &Package, header: &Header, limits: &Limits) -> Result<(usize, usize)> {
    if let Some((width, height)) = header.decoded {
        limits.check_picture(width, height)?;
        if [width, height].iter().any(|side| package.padded(u64::from(*side)) != u64::from(*side)) {
            return Err(Error::corrupt(format!("decoded size is {width} x {height}, which the model does not have")));
        }
        return Ok((height as usize, width as usize));
    }
    let width = package.padded(u64::from(header.crop_left) + u64::from(header.width));
    let height = package.padded(u64::from(header.crop_top) + u64::from(header.height));
    let above = || Error::limit(format!("padded picture of {width} x {height} is beyond any memory"));
    // Padding may go past the limit of a side by less than one block.
    let uncropped = |visible: u32, cut: u32| visible.checked_add(cut).ok_or_else(above);
    limits.check_picture(uncropped(header.width, header.crop_left)?, uncropped(header.height, header.crop_top)?)?;
    match (usize::try_from(height), usize::try_from(width)) {
        (Ok(height), Ok(width)) => Ok((height, width)),
        _ => Err(above()),
    }
}
