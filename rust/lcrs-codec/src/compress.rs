//! From a picture to a file.

use lcrs_core::exact::{Tensor, View};
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::{pack, Header, Metadata, MetadataKind, Section, DIGEST_PREFIX_LENGTH};

use crate::container::from_format;
use crate::graph::{Rows, Shape};
use crate::networks::Job;
use crate::package::ANALYSIS;
use crate::picture::COMPONENTS;
use crate::{Package, Picture};

/// Metadata that travels with a picture: kept as it is, never applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PictureMetadata {
    /// An ICC profile.
    pub icc: Option<Vec<u8>>,
    /// An EXIF block from its TIFF header on.
    pub exif: Option<Vec<u8>>,
}

/// How to compress.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CompressOptions {
    /// From 0 to 100; needed by a variable-rate model, refused by one of a fixed rate.
    pub quality: Option<f64>,
    /// The kind of the entropy-coded streams.
    pub kind: StreamKind,
    /// Metadata to keep.
    pub metadata: PictureMetadata,
}

/// Compresses `picture` with the model of `package`. The bytes depend on nothing else but the options.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for a quality that is out of range, missing, or given for a fixed rate,
/// [`lcrs_core::ErrorKind::Limit`] for a picture above the limits, [`lcrs_core::ErrorKind::Corrupt`] if the model's numbers
/// stop being finite or its parts do not fit together.
pub fn compress(
    package: &Package,
    picture: &Picture,
    options: &CompressOptions,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Vec<u8>> {
    let size = (picture.width(), picture.height());
    let (quality, height, width) = check(package, size, options, limits)?;
    let job = Job { rt, limits, level: level(package, quality)? };
    let y = analyse(package, picture, job, height, width)?;
    write(package, &y, size, quality, options, job)
}

/// Compresses a picture of `size` (width and height) from the y that its analysis gave elsewhere, perhaps in other
/// arithmetic. What decides the symbols of y runs here, so the file decodes everywhere; only its bytes depend on that y.
///
/// # Errors
/// As [`compress`]; [`lcrs_core::ErrorKind::InvalidArgument`] too for a y of another shape, or one with numbers that are no latents.
pub fn compress_latent(
    package: &Package,
    y: &Tensor,
    size: (u32, u32),
    options: &CompressOptions,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Vec<u8>> {
    let (quality, height, width) = check(package, size, options, limits)?;
    let (found, wanted) = (Shape::from(y), package.y_shape(height, width, limits)?);
    if found != wanted {
        return Err(Error::invalid(format!("y has the shape {found}, a picture of this size has {wanted}")));
    }
    if let Some(i) = y.data().iter().position(|value| !value.is_finite()) {
        return Err(Error::invalid(format!("element {i} of y is {}, must be finite", y.data()[i])));
    }
    let job = Job { rt, limits, level: level(package, quality)? };
    write(package, y, size, quality, options, job)
}

/// Checks what was asked for; gives the quality as files keep it, and the height and width that the model pads to.
fn check(
    package: &Package,
    (width, height): (u32, u32),
    options: &CompressOptions,
    limits: &Limits,
) -> Result<(Option<f32>, usize, usize)> {
    if width == 0 || height == 0 {
        return Err(Error::invalid(format!("picture of {width} x {height}, at least 1 x 1 is needed")));
    }
    limits.check_picture(width, height)?;
    check_metadata(&options.metadata, limits)?;
    let quality = checked_quality(package, options.quality)?;
    Ok((quality, package.padded(height.into()) as usize, package.padded(width.into()) as usize))
}

/// Codes y and packs the file.
fn write(
    package: &Package,
    y: &Tensor,
    (width, height): (u32, u32),
    quality: Option<f32>,
    options: &CompressOptions,
    job: Job<'_>,
) -> Result<Vec<u8>> {
    let coded = package.codec.encode(&package.networks, job, options.kind, y)?;
    let mut header = Header::new(package.name(), width, height);
    header.entropy_digest = prefix(&package.digests().entropy);
    header.synthesis_digest = prefix(&package.digests().synthesis);
    header.quality = quality;
    header.numerics = package.numerics();
    let sections: Vec<Section<'_>> = coded
        .iter()
        .zip(0..)
        .map(|(coded, latent)| Section {
            latent,
            kind: options.kind.code(),
            precision: coded.precision,
            data: &coded.data,
        })
        .collect();
    let icc = options.metadata.icc.iter().map(|data| Metadata { kind: MetadataKind::Icc, data });
    let exif = options.metadata.exif.iter().map(|data| Metadata { kind: MetadataKind::Exif, data });
    pack(&header, &sections, &icc.chain(exif).collect::<Vec<_>>()).map_err(from_format)
}

/// y of a picture padded to `height` x `width`.
fn analyse(package: &Package, picture: &Picture, job: Job<'_>, height: usize, width: usize) -> Result<Tensor> {
    let shape = package.y_shape(height, width, job.limits)?;
    let mut y = Tensor::zeroed(shape.channels, shape.height, shape.width, job.limits)?;
    let row = shape.channels * shape.width;
    let held = (picture.data().len() + size_of_val(y.data())) as u64;
    let limits = job.limits.without(held, "a picture with its latent")?;
    let mut source = |rows: &Rows| picture.padded_rows(rows, width, job.limits);
    let mut sink = |rows: Rows, strip: View<'_>| {
        y.data_mut()[rows.start * row..rows.end * row].copy_from_slice(strip.data());
        Ok(())
    };
    let x = Shape::new(COMPONENTS, height, width);
    package.networks.run_in_strips(ANALYSIS, Job { limits: &limits, ..job }, x, &mut source, &mut sink)?;
    Ok(y)
}

/// The part of a digest that files carry.
pub(crate) fn prefix(digest: &[u8; 32]) -> [u8; DIGEST_PREFIX_LENGTH] {
    let mut prefix = [0; DIGEST_PREFIX_LENGTH];
    prefix.copy_from_slice(&digest[..DIGEST_PREFIX_LENGTH]);
    prefix
}

/// The level of a variable-rate model at a quality from 0 to 100; none for a fixed rate.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for a quality that is out of range, missing, or given for a fixed rate.
pub fn level_of(package: &Package, quality: Option<f64>) -> Result<Option<f32>> {
    level(package, checked_quality(package, quality)?)
}

/// The place between the levels of a variable-rate model, as encoder and decoder both compute it.
pub(crate) fn level(package: &Package, quality: Option<f32>) -> Result<Option<f32>> {
    match (package.levels(), quality) {
        (Some(levels), Some(quality)) => Ok(Some((f64::from(quality) / 100.0 * (levels - 1) as f64) as f32)),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::invalid(format!("model '{}' needs a quality (0 to 100)", package.name()))),
        (None, Some(quality)) => {
            Err(Error::invalid(format!("quality is {quality}, but model '{}' has a fixed rate", package.name())))
        }
    }
}

/// The quality as files keep it. What is too small for a normal binary32 number is zero.
pub(crate) fn checked_quality(package: &Package, quality: Option<f64>) -> Result<Option<f32>> {
    match quality {
        Some(quality) if !(0.0..=100.0).contains(&quality) => {
            Err(Error::invalid(format!("quality is {quality} (0 to 100)")))
        }
        _ => {
            let quality =
                quality.map(|quality| if quality < f64::from(f32::MIN_POSITIVE) { 0.0 } else { quality as f32 });
            level(package, quality).map(|_| quality)
        }
    }
}

fn check_metadata(metadata: &PictureMetadata, limits: &Limits) -> Result<()> {
    let bytes: u64 = [&metadata.icc, &metadata.exif].into_iter().flatten().map(|data| data.len() as u64).sum();
    if bytes > limits.max_metadata_bytes {
        let message = format!("metadata of {bytes} bytes, at most {} are allowed", limits.max_metadata_bytes);
        return Err(Error::limit(message));
    }
    Ok(())
}
