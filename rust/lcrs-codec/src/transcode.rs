//! From latents that another program decoded to a file with the same symbols.
//!
//! The other program computed its means in its own arithmetic, so its latents lie next to, not on, the values that
//! this arithmetic gives the same symbols. What is written is accepted only if every value comes back within a
//! quarter of a step of quantisation: then no symbol has changed.

use lcrs_core::exact::Tensor;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::{pack, Header, Section};

use crate::compress::{checked_quality, level, prefix};
use crate::container::from_format;
use crate::graph::Shape;
use crate::networks::Job;
use crate::Package;

/// Values may differ by less than this part of a step when symbols are the same.
const TOLERANCE: f32 = 0.25;

/// The decoded latents of a picture.
#[derive(Debug, Clone)]
pub struct Latents {
    /// What the synthesis takes.
    pub y: Tensor,
    /// What y is conditioned on, for a model that has it.
    pub z: Option<Tensor>,
}

/// Where the visible picture lies in what the synthesis gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
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
/// [`lcrs_core::ErrorKind::InvalidArgument`] for latents, a placement or a quality that the model cannot have,
/// [`lcrs_core::ErrorKind::Desync`] if the model at hand gives the latents other symbols: they are not its own.
pub fn transcode(
    package: &Package,
    latents: &Latents,
    placement: &Placement,
    quality: Option<f64>,
    kind: StreamKind,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Vec<u8>> {
    let quality = checked_quality(package, quality)?;
    let header = Header { quality, ..header(package, placement)? };
    let (width, height) = placement.decoded;
    limits.check_picture(width, height)?;
    let job = Job { rt, limits, level: level(package, quality)? };
    let wanted = package.y_shape(height as usize, width as usize, limits)?;
    let found = Shape::from(&latents.y);
    if found != wanted {
        return Err(Error::invalid(format!("y has the shape {found}, a picture of {width} x {height} has {wanted}")));
    }
    let coded = package.codec.encode_latents(&package.networks, job, kind, &latents.y, latents.z.as_ref())?;
    let sections: Vec<Section<'_>> = coded
        .iter()
        .zip(0..)
        .map(|(coded, latent)| Section { latent, kind: kind.code(), precision: coded.precision, data: &coded.data })
        .collect();
    let decoded = package.codec.decode(&package.networks, job, &sections, wanted)?;
    let step = package.codec.finest_step(&package.networks, job)?;
    check_same(&latents.y, &decoded, step).map_err(|e| e.at("latent y"))?;
    pack(&header, &sections, &[]).map_err(from_format)
}

fn header(package: &Package, placement: &Placement) -> Result<Header> {
    let (width, height) = placement.decoded;
    if [width, height].iter().any(|side| package.padded(u64::from(*side)) != u64::from(*side)) {
        let message = format!("decoded size is {width} x {height}, the model has multiples of {}", package.padded(1));
        return Err(Error::invalid(message));
    }
    let mut header = Header::new(package.name(), placement.size.0, placement.size.1);
    (header.crop_left, header.crop_top) = placement.crop;
    let by_default = |side: u32, cut: u32| package.padded(u64::from(side) + u64::from(cut));
    let default = (by_default(header.width, header.crop_left), by_default(header.height, header.crop_top));
    if default != (u64::from(width), u64::from(height)) {
        header.decoded = Some(placement.decoded);
    }
    header.samples = package.samples();
    header.entropy_digest = prefix(&package.digests().entropy);
    header.synthesis_digest = prefix(&package.digests().synthesis);
    header.numerics = package.numerics();
    Ok(header)
}

/// Checks that values of which some lie off by less than half a step belong to the same symbols.
pub(crate) fn check_same(given: &Tensor, decoded: &Tensor, step: f32) -> Result<()> {
    // NaN is far, too.
    let is_near = |given: f32, decoded: f32| (given - decoded).abs() < TOLERANCE * step;
    let far = |(given, decoded): (&f32, &f32)| !is_near(*given, *decoded);
    match given.data().iter().zip(decoded.data()).position(far) {
        None => Ok(()),
        Some(i) => {
            let (row, column) = (i / (given.channels() * given.width()), i / given.channels() % given.width());
            let (channel, value, ours) = (i % given.channels(), given.data()[i], decoded.data()[i]);
            Err(Error::desync(format!(
                "value {value} of channel {channel} at row {row}, column {column} is none of this model's (nearest: {ours})"
            )))
        }
    }
}
