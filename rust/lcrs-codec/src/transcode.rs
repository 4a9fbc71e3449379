//! From latents that another program decoded to a file with the same symbols, and from its strings to latents.
//!
//! The other program computed its means in its own arithmetic, so its latents lie next to, not on, the values that
//! this arithmetic gives the same symbols. What is written is accepted only if every value comes back within a
//! quarter of a step of quantisation: then no symbol has changed.

use lcrs_core::exact::Tensor;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, ErrorKind, Limits, Result, Runtime};
use lcrs_format::{pack, Header, Section};

use crate::container::from_format;
use crate::digest_text::prefix;
use crate::graph::Job;
use crate::graph::Shape;
use crate::latents::check_same;
use crate::quality::{checked_quality, level};
use crate::Package;

/// The decoded latents of a picture.
#[derive(Debug, Clone)]
pub struct GivenLatents {
    /// What the synthesis takes.
    pub y: Tensor,
    /// What y is conditioned on, for a model that has it.
    pub z: Option<Tensor>,
}

/// Where the visible picture lies in what the synthesis gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureWindow {
    /// Visible width and height in pixels.
    pub size: (u32, u32),
    /// Columns to cut off at the left, rows at the top.
    pub crop: (u32, u32),
    /// Width and height of what the synthesis gives.
    pub decoded: (u32, u32),
}

/// Writes a file that decodes to `latents`, but for the last bits of their means. A model of a variable rate has them at
/// `quality`.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for latents, a window or a quality that the model cannot have,
/// [`lcrs_core::ErrorKind::Desync`] if the model at hand gives the latents other symbols: they are not its own.
pub fn transcode(
    package: &Package,
    latents: &GivenLatents,
    window: &PictureWindow,
    quality: Option<f64>,
    kind: StreamKind,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Vec<u8>> {
    let quality = checked_quality(package, quality)?;
    let header = Header { quality, ..header(package, window)? };
    let (width, height) = window.decoded;
    limits.check_picture(width, height)?;
    let job = Job { rt, limits, level: level(package, quality)? };
    let wanted = package.y_shape(height as usize, width as usize, limits)?;
    let found = Shape::from(&latents.y);
    if found != wanted {
        return Err(Error::invalid(format!("y has the shape {found}, a picture of {width} x {height} has {wanted}")));
    }
    let coded = package.codec.encode_latents(package.runner(job), kind, &latents.y, latents.z.as_ref())?;
    let sections: Vec<Section<'_>> = coded
        .iter()
        .zip(0..)
        .map(|(coded, latent)| Section { latent, kind: kind.code(), precision: coded.precision, data: &coded.data })
        .collect();
    let decoded = package.codec.decode(package.runner(job), &sections, wanted)?;
    let step = package.codec.finest_step(package.runner(job))?;
    check_same(&latents.y, &decoded, step).map_err(|e| e.at("latent y"))?;
    pack(&header, &sections, &[]).map_err(from_format)
}

/// The latents of strings that CompressAI wrote, where this arithmetic decodes them: its sums were torch's.
///
/// `strings` is that of y and, for a model with a hyperprior, that of z; `size` is height and width of the last one's latent.
///
/// # Errors
/// [`lcrs_core::ErrorKind::MissingModel`] for a model with a context, a variable rate or other latents than these,
/// [`lcrs_core::ErrorKind::Desync`] if the strings do not decode with exact parameters.
pub fn latents_of_strings(
    package: &Package,
    strings: &[&[u8]],
    size: (usize, usize),
    rt: &Runtime,
    limits: &Limits,
) -> Result<GivenLatents> {
    let job = Job { rt, limits, level: None };
    let found = match package.levels() {
        None => package.codec.decode_channels(package.runner(job), strings, size),
        Some(_) => Ok(None),
    };
    match found {
        Ok(Some((y, z))) => Ok(GivenLatents { y, z }),
        Ok(None) => Err(Error::missing_model(format!(
            "model '{}' decodes these strings only with its checkpoint: give that instead of the package",
            package.name()
        ))),
        Err(error) if error.kind() == ErrorKind::Limit => Err(error),
        Err(error) => Err(Error::desync(format!(
            "exact parameters do not decode the strings ({error}); torch's may: give the checkpoint instead of the package"
        ))),
    }
}

fn header(package: &Package, window: &PictureWindow) -> Result<Header> {
    let (width, height) = window.decoded;
    if [width, height].iter().any(|side| package.padded(u64::from(*side)) != u64::from(*side)) {
        let message = format!("decoded size is {width} x {height}, the model has multiples of {}", package.padded(1));
        return Err(Error::invalid(message));
    }
    let mut header = Header::new(package.name(), window.size.0, window.size.1);
    (header.crop_left, header.crop_top) = window.crop;
    let by_default = |side: u32, cut: u32| package.padded(u64::from(side) + u64::from(cut));
    let default = (by_default(header.width, header.crop_left), by_default(header.height, header.crop_top));
    if default != (u64::from(width), u64::from(height)) {
        header.decoded = Some(window.decoded);
    }
    header.samples = package.samples();
    header.entropy_digest = prefix(&package.digests().entropy);
    header.synthesis_digest = prefix(&package.digests().synthesis);
    header.numerics = package.numerics();
    Ok(header)
}
