//! Codec trees: in which order latents are coded, and what each is conditioned on.
//!
//! A tree is read from the package ([`LatentCodec::parse`]), checked against the shapes that the graphs
//! give ([`LatentCodec::check`]), and then codes latents to sections and back. Encoder and decoder run the
//! same exact networks, so they agree on every mean and every table index.
//!
//! Streams hold symbols row by row, column by column, channels innermost; those of a scan in its steps.

mod density;
mod factorized;
mod gaussian_conditional;
mod hyperprior;
mod pointwise;
mod same;
mod scan;
mod symbols;
mod table;
mod variable_rate;

use lcrs_core::exact::Tensor;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result};
use lcrs_format::Section;
use serde_json::Value;

use crate::graph::{Attributes, Shape};
use crate::networks::Networks;
use crate::runner::Runner;
use crate::tensors::Lookup;
use factorized::Factorized;
use hyperprior::Hyperprior;
pub(crate) use same::check_same;
pub(crate) use symbols::Coded;
pub(crate) use table::parse_table;

/// A tree of latent codecs.
#[derive(Debug)]
pub(crate) enum LatentCodec {
    /// y has one table a channel.
    Factorized(Box<Factorized>),
    /// y is conditioned on z.
    Hyperprior(Box<Hyperprior>),
}

impl LatentCodec {
    /// Reads a tree; `z_ratio` is how many sides of y go on one of z.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::UnsupportedVersion`] for an unknown type or key, [`lcrs_core::ErrorKind::Corrupt`] for
    /// everything else that is wrong.
    pub(crate) fn parse(tree: &Value, tensors: Lookup<'_, '_>, z_ratio: Option<usize>) -> Result<Self> {
        let mut members = Attributes::new(tree, "it")?;
        let codec = match members.text("type")? {
            "factorized" => {
                let latent = members.text("latent")?;
                if latent != "y" {
                    return Err(Error::corrupt(format!("'latent' is {latent:?}, must be \"y\"")));
                }
                Self::Factorized(Box::new(Factorized::parse(&mut members, tensors)?))
            }
            "hyperprior" => Self::Hyperprior(Box::new(Hyperprior::parse(&mut members, tensors, z_ratio)?)),
            other => return Err(Error::unsupported(format!("unknown type '{other}'"))),
        };
        members.finish()?;
        Ok(codec)
    }

    /// Checks the tree against the shapes that the graphs give for a latent of shape `y`; returns the
    /// multiply-accumulates of its graphs.
    pub(crate) fn check(&self, networks: &Networks, limits: &Limits, y: Shape) -> Result<u64> {
        match self {
            Self::Factorized(codec) => codec.check(y).map(|()| 0),
            Self::Hyperprior(codec) => codec.check(networks, limits, y),
        }
    }

    /// Codes `y`, one section a latent in coding order.
    pub(crate) fn encode(&self, runner: Runner<'_>, kind: StreamKind, y: &Tensor) -> Result<Vec<Coded>> {
        match self {
            Self::Factorized(codec) => codec.encode(runner.job, kind, y).map(|coded| vec![coded]),
            Self::Hyperprior(codec) => codec.encode(runner, kind, y),
        }
    }

    /// Codes decoded latents of another program: `z`, too, comes from there.
    pub(crate) fn encode_latents(
        &self,
        runner: Runner<'_>,
        kind: StreamKind,
        y: &Tensor,
        z: Option<&Tensor>,
    ) -> Result<Vec<Coded>> {
        match (self, z) {
            (Self::Factorized(codec), None) => codec.encode(runner.job, kind, y).map(|coded| vec![coded]),
            (Self::Hyperprior(codec), Some(z)) => codec.encode_latents(runner, kind, y, z),
            _ => Err(Error::invalid(format!("{} latents, the model has {}", 1 + z.iter().len(), self.num_latents()))),
        }
    }

    /// The shortest step of quantisation of y at the level of the job.
    pub(crate) fn finest_step(&self, runner: Runner<'_>) -> Result<f32> {
        match self {
            Self::Factorized(_) => Ok(1.0),
            Self::Hyperprior(codec) => codec.finest_step(runner),
        }
    }

    /// The decoded latent of shape `y` from its sections.
    pub(crate) fn decode(&self, runner: Runner<'_>, sections: &[Section<'_>], y: Shape) -> Result<Tensor> {
        match (self, sections) {
            (Self::Factorized(codec), [section]) => codec.decode(runner.job, section, y),
            (Self::Hyperprior(codec), [z, section]) => codec.decode(runner, z, section, y),
            _ => Err(Error::corrupt(format!("{} latents, the model has {}", sections.len(), self.num_latents()))),
        }
    }

    /// y and z of `ans` strings, each channel after channel, the last of height and width `size`; None where other numbers of
    /// strings, or more than they, decide the symbols.
    pub(crate) fn decode_channels(
        &self,
        runner: Runner<'_>,
        strings: &[&[u8]],
        size: (usize, usize),
    ) -> Result<Option<(Tensor, Option<Tensor>)>> {
        match (self, strings) {
            (Self::Factorized(codec), [y]) => {
                let y = codec.decode_channels(runner.job, y, size).map_err(|e| e.at("latent y"))?;
                Ok(Some((y, None)))
            }
            (Self::Hyperprior(codec), [y, z]) => {
                Ok(codec.decode_channels(runner, y, z, size)?.map(|(y, z)| (y, Some(z))))
            }
            _ => Ok(None),
        }
    }

    fn num_latents(&self) -> usize {
        match self {
            Self::Factorized(_) => 1,
            Self::Hyperprior(_) => 2,
        }
    }
}
