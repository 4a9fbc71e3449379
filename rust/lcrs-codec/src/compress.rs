//! From a picture to a file.

use lcrs_core::exact::Tensor;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::{pack, Header, Section};

use crate::analysis::{analyse, Source};
use crate::container::from_format;
use crate::digest_text::prefix;
use crate::graph::Job;
use crate::graph::Shape;
use crate::quality::{checked_quality, level};
use crate::{Layout, Package, Picture, PictureMetadata};

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
    let layout = picture.layout();
    let (quality, height, width) = check(package, &layout, options, limits)?;
    let scale = package.scale(layout.samples)?;
    let limits = &besides(picture, options, limits)?;
    let job = Job { rt, limits, level: level(package, quality)? };
    let y = analyse(package, Source { picture, scale: &scale, height, width }, job)?;
    write(package, &y, &layout, quality, options, job)
}

/// Compresses a picture of this layout from the y that its analysis gave elsewhere, perhaps in other
/// arithmetic. What decides the symbols of y runs here, so the file decodes everywhere; only its bytes depend on that y.
///
/// # Errors
/// As [`compress`]; [`lcrs_core::ErrorKind::InvalidArgument`] too for a y of another shape, or one with numbers that are no latents.
pub fn compress_latent(
    package: &Package,
    y: &Tensor,
    layout: &Layout,
    options: &CompressOptions,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Vec<u8>> {
    let (quality, height, width) = check(package, layout, options, limits)?;
    let (found, wanted) = (Shape::from(y), package.y_shape(height, width, limits)?);
    if found != wanted {
        return Err(Error::invalid(format!("y has the shape {found}, a picture of this size has {wanted}")));
    }
    if let Some(i) = y.data().iter().position(|value| !value.is_finite()) {
        return Err(Error::invalid(format!("element {i} of y is {}, must be finite", y.data()[i])));
    }
    let job = Job { rt, limits, level: level(package, quality)? };
    write(package, y, layout, quality, options, job)
}

/// The limits of a job that holds a picture and its metadata, and gives the latter again with the file.
pub(crate) fn besides(picture: &Picture, options: &CompressOptions, limits: &Limits) -> Result<Limits> {
    let bytes = picture.data().len() as u64 + 2 * options.metadata.num_bytes();
    limits.without(bytes, "a picture with its metadata")
}

/// Checks what was asked for; gives the quality as files keep it, and the height and width that the model pads to.
pub(crate) fn check(
    package: &Package,
    layout: &Layout,
    options: &CompressOptions,
    limits: &Limits,
) -> Result<(Option<f32>, usize, usize)> {
    let Layout { width, height, samples, .. } = *layout;
    if width == 0 || height == 0 {
        return Err(Error::invalid(format!("picture of {width} x {height}, at least 1 x 1 is needed")));
    }
    limits.check_picture(width, height)?;
    options.metadata.check(limits)?;
    package.scale(samples)?;
    let quality = checked_quality(package, options.quality)?;
    Ok((quality, package.padded(height.into()) as usize, package.padded(width.into()) as usize))
}

/// Codes y and packs the file.
pub(crate) fn write(
    package: &Package,
    y: &Tensor,
    layout: &Layout,
    quality: Option<f32>,
    options: &CompressOptions,
    job: Job<'_>,
) -> Result<Vec<u8>> {
    let coded = package.codec.encode(package.runner(job), options.kind, y)?;
    let mut header = Header::new(package.name(), layout.width, layout.height);
    header.samples = layout.samples;
    header.has_channel_axis = layout.has_channel_axis || layout.samples.channels() > 1;
    header.entropy_digest = prefix(&package.digests().entropy);
    header.synthesis_digest = prefix(&package.digests().synthesis);
    header.quality = quality;
    header.numerics = package.numerics();
    options.metadata.write_fields(&mut header);
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
    let streams: usize = coded.iter().map(|coded| coded.data.len()).sum();
    job.holding(y.bytes() + 2 * streams as u64, "a file")?;
    pack(&header, &sections, &options.metadata.sections()).map_err(from_format)
}
