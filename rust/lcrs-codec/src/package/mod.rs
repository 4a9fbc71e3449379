//! Model packages (`.lcrm`): a description, its graphs and tensors in one safetensors file.
//!
//! Everything in a package comes from outside: it is parsed, checked and its digests are verified before
//! any of it is used. The crate's README specifies the format.

mod budget;
mod description;
mod digest;
mod names;
mod read;
mod summary;

use std::fs::File;
use std::path::Path;

use lcrs_core::{Error, Limits, Result};
use lcrs_format::{Numerics, Samples};

use crate::digest_text::hex;
use crate::graph::{Job, Shape};
use crate::latents::LatentCodec;
use crate::networks::Networks;
use crate::reading::{read_announced, unreadable, ReadError};
use crate::runner::Runner;
use crate::samples::{channels, largest, ArraySamples, Scale};
use crate::tensors::Tensors;
pub(crate) use description::Description;
use description::{PictureDescription, Strides};
pub use digest::{package_digests, Digests};
pub(crate) use names::{ANALYSIS, SYNTHESIS};
pub use summary::PackageSummary;

/// Multiply-accumulates that a model may spend on a pixel: several times what the heaviest known one does.
const MAX_MACS_PER_PIXEL: u64 = 1 << 24;

/// Bytes that an element of y takes while it is decoded: of its row, its mean, its symbol and its value three at a time.
const LATENT_BYTES: u64 = 12;

/// At least this many pixels a side are planned to check a package.
const TRIAL_SIDE: usize = 256;

/// A model: what turns a picture into a file and back.
pub struct Package {
    name: String,
    numerics: Numerics,
    json: String,
    pad: usize,
    strides: Strides,
    levels: Option<usize>,
    samples: Option<ArraySamples>,
    digests: Digests,
    pub(crate) networks: Networks,
    pub(crate) codec: LatentCodec,
}

impl Package {
    /// Reads a package file.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::MissingModel`] if the file cannot be read, else as [`Package::from_bytes`].
    pub fn from_file(path: &Path, limits: &Limits) -> Result<Self> {
        let bytes = read_package_file(path, limits)?;
        Self::from_bytes(&bytes, limits).map_err(|e| e.at(path.display()))
    }

    /// Reads a package, checks all of it and verifies its digests.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Truncated`], [`lcrs_core::ErrorKind::Corrupt`] or [`lcrs_core::ErrorKind::Limit`] for bytes that
    /// are not a package, [`lcrs_core::ErrorKind::UnsupportedVersion`] for one of another version or with unknown parts.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let (description, tensors) = load(bytes, limits)?;
        Self::from_description(description, tensors, limits)
    }

    /// A package of a description (JSON) and its tensors. Digests in the description are verified; absent ones are computed.
    ///
    /// # Errors
    /// As [`Package::from_bytes`].
    pub fn from_parts(description: &str, tensors: Tensors<'static>, limits: &Limits) -> Result<Self> {
        Self::from_description(Description::parse(description, limits)?, tensors, limits)
    }

    fn from_description(description: Description, tensors: Tensors<'static>, limits: &Limits) -> Result<Self> {
        let digests = verified(&description, &tensors, limits)?;
        let Some(PictureDescription { stride, pad, levels, samples, .. }) = description.picture else {
            return Err(Error::invalid(format!("model '{}' codes point clouds, not pictures", description.name)));
        };
        let networks = Networks::new(&description.graphs, tensors)?;
        let z_ratio = stride.z.map(|z| z / stride.y);
        let codec = LatentCodec::parse(&description.codec, &networks.lookup(), z_ratio).map_err(|e| e.at("codec"))?;
        let package = Self {
            name: description.name,
            numerics: description.numerics,
            json: description.json.to_string(),
            pad,
            strides: stride,
            levels,
            samples,
            digests,
            networks,
            codec,
        };
        package.check(limits)?;
        Ok(package)
    }

    /// The model's name, which files carry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole description as JSON: architecture, configuration and card included.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.json
    }

    /// The digests, as computed from what was loaded.
    #[must_use]
    pub fn digests(&self) -> Digests {
        self.digests
    }

    /// Number of levels of a variable-rate model; `None` for a fixed rate.
    #[must_use]
    pub fn levels(&self) -> Option<usize> {
        self.levels
    }

    /// What the model codes: pictures, of which 8-bit RGB stands for all depths and for grey, or arrays of one kind.
    #[must_use]
    pub fn samples(&self) -> Samples {
        self.samples.map_or(Samples::RGB8, ArraySamples::samples)
    }

    /// How `samples` become the numbers of the model's networks.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::InvalidArgument`] if the model does not code such samples.
    pub(crate) fn scale(&self, samples: Samples) -> Result<Scale> {
        Scale::new(samples, self.samples, &self.name)
    }

    /// The largest difference of samples, which a PSNR is relative to.
    pub(crate) fn peak(&self, samples: Samples) -> f64 {
        match (samples, self.samples) {
            (Samples::Picture { bit_depth, .. }, _) => f64::from(largest(bit_depth)),
            (_, Some(array)) => f64::from(array.maximum) - f64::from(array.minimum),
            (_, None) => 1.0,
        }
    }

    /// The arithmetic that the model runs on.
    #[must_use]
    pub fn numerics(&self) -> Numerics {
        self.numerics
    }

    /// The numbers of a tensor, `F16` widened, and its shape; none if there is no such tensor, or it holds integers.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<(Vec<f32>, Vec<usize>)> {
        let tensor = self.networks.lookup()(name)?;
        let numbers = tensor.to_f32().ok()?.into_owned();
        Some((numbers, tensor.shape().to_vec()))
    }

    /// The height and width that a picture of this size is padded to for the networks.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Limit`] if the picture or its latent is above the limits.
    pub fn padded_size(&self, width: u32, height: u32, limits: &Limits) -> Result<(usize, usize)> {
        limits.check_picture(width, height)?;
        let (height, width) = (self.padded(height.into()) as usize, self.padded(width.into()) as usize);
        self.y_shape(height, width, limits)?;
        Ok((height, width))
    }

    /// The size that `side` pixels are padded to.
    pub(crate) fn padded(&self, side: u64) -> u64 {
        side.div_ceil(self.pad as u64) * self.pad as u64
    }

    /// Runs the networks on what a job has.
    pub(crate) fn runner<'a>(&'a self, job: Job<'a>) -> Runner<'a> {
        Runner::new(&self.networks, job)
    }

    /// The shape of a padded picture for the networks.
    pub(crate) fn picture_shape(&self, height: usize, width: usize) -> Shape {
        Shape::new(channels(self.samples), height, width)
    }

    /// The shape of y for a padded picture, within the limits.
    pub(crate) fn y_shape(&self, height: usize, width: usize, limits: &Limits) -> Result<Shape> {
        let (outputs, _) = self.networks.infer_shapes(ANALYSIS, &[self.picture_shape(height, width)])?;
        match outputs.as_slice() {
            [(_, y)] if (y.height * self.strides.y, y.width * self.strides.y) == (height, width) => {
                let bytes = y.elements().map_or(u64::MAX, |elements| elements.saturating_mul(LATENT_BYTES));
                if bytes > limits.max_bytes {
                    let message = format!(
                        "latent of {y} needs {bytes} bytes, at most {} are allowed (max_bytes)",
                        limits.max_bytes
                    );
                    return Err(Error::limit(message));
                }
                Ok(*y)
            }
            _ => {
                let stride = self.strides.y;
                Err(Error::corrupt(format!(
                    "graph '{ANALYSIS}' must have one output, {stride} times smaller than its input"
                )))
            }
        }
    }

    /// Checks that y of this shape gives a picture of the size it was made from.
    pub(crate) fn check_synthesis(&self, y: Shape) -> Result<()> {
        let wanted = self.picture_shape(y.height * self.strides.y, y.width * self.strides.y);
        let (outputs, _) = self.networks.infer_shapes(SYNTHESIS, &[y])?;
        match outputs.as_slice() {
            [(_, x_hat)] if *x_hat == wanted => Ok(()),
            _ => Err(Error::corrupt(format!("graph '{SYNTHESIS}' must have one output, of {wanted} for {y}"))),
        }
    }

    /// Plans a run of everything on a small picture: whatever does not fit together shows before it is used.
    fn check(&self, limits: &Limits) -> Result<()> {
        self.networks.check_levels(self.levels)?;
        let side = self.padded(TRIAL_SIDE as u64) as usize;
        let x = self.picture_shape(side, side);
        let y = self.y_shape(side, side, limits)?;
        let (_, analysis_macs) = self.networks.infer(ANALYSIS, &[x], limits)?;
        let codec_macs = self.codec.check(&self.networks, limits, y).map_err(|e| e.at("codec"))?;
        self.check_synthesis(y)?;
        let (_, synthesis_macs) = self.networks.infer(SYNTHESIS, &[y], limits)?;
        let macs = analysis_macs.saturating_add(codec_macs).saturating_add(synthesis_macs) / (side * side) as u64;
        if macs > MAX_MACS_PER_PIXEL {
            let message =
                format!("the model needs {macs} operations a pixel, at most {MAX_MACS_PER_PIXEL} are allowed");
            return Err(Error::limit(message));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entropy_digest = self.digests.entropy_hex();
        f.debug_struct("Package")
            .field("name", &self.name)
            .field("entropy_digest", &entropy_digest)
            .finish_non_exhaustive()
    }
}

impl Digests {
    /// The entropy digest in hexadecimal.
    #[must_use]
    pub fn entropy_hex(&self) -> String {
        hex(&self.entropy)
    }

    /// The synthesis digest in hexadecimal.
    #[must_use]
    pub fn synthesis_hex(&self) -> String {
        hex(&self.synthesis)
    }

    /// The analysis digest in hexadecimal.
    #[must_use]
    pub fn analysis_hex(&self) -> String {
        hex(&self.analysis)
    }
}

/// The bytes of a package file.
///
/// # Errors
/// [`lcrs_core::ErrorKind::MissingModel`] if the file cannot be read, [`lcrs_core::ErrorKind::Limit`] for one above the limits.
pub(crate) fn read_package_file(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    let bytes = File::open(path).map_err(ReadError::Io).and_then(|mut file| {
        // Of a regular file the system knows the length before any of it is read.
        let length = file.metadata()?.len();
        read::check_length(length, limits)?;
        read_announced(&mut file, |first| read::bytes_needed(first, limits))
    });
    bytes.map_err(|error| match error {
        ReadError::File(error) => error.at(path.display()),
        ReadError::Io(error) => unreadable(path, &error),
    })
}

/// The description and the tensors of a package's bytes. Its digests are there, and are to be verified.
pub(crate) fn load(bytes: &[u8], limits: &Limits) -> Result<(Description, Tensors<'static>)> {
    let (description, tensors) = read::read(bytes, limits)?;
    let description = Description::parse(&description, limits)?;
    description.check_digests_are_there()?;
    Ok((description, tensors))
}

/// The digests of a package, which are those that its description announces.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Corrupt`] if they are not, [`lcrs_core::ErrorKind::Limit`] if its parts would take too many bytes.
pub(crate) fn verified(description: &Description, tensors: &Tensors<'_>, limits: &Limits) -> Result<Digests> {
    let digests = digest::digests(description, tensors)?;
    verify("entropy_digest", description.entropy_digest.as_deref(), &digests.entropy)?;
    verify("synthesis_digest", description.synthesis_digest.as_deref(), &digests.synthesis)?;
    verify("analysis_digest", description.analysis_digest.as_deref(), &digests.analysis)?;
    let parts = description.graphs.values().chain([&description.codec]);
    budget::check_named_bytes(parts, tensors, limits)?;
    Ok(digests)
}

fn verify(name: &str, announced: Option<&str>, computed: &[u8; 32]) -> Result<()> {
    let computed = hex(computed);
    match announced {
        Some(announced) if announced != computed => {
            Err(Error::corrupt(format!("{name} of the package is {announced:.80}, its contents give {computed}")))
        }
        _ => Ok(()),
    }
}
