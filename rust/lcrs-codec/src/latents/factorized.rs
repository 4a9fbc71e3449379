//! One table and one median a channel (Balle et al., "Variational image compression with a scale hyperprior",
//! ICLR 2018, appendix 6.1).

use lcrs_core::cdf::CdfTable;
use lcrs_core::exact::Tensor;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result};
use lcrs_format::Section;

use super::symbols::{by_channel, Coded, Lattice, Prior, Table};
use super::table::{parse_table, parse_vector};
use crate::graph::Job;
use crate::graph::{Attributes, Shape};
use crate::tensors::Lookup;

/// A latent whose elements are independent.
#[derive(Debug)]
pub(crate) struct Factorized {
    table: CdfTable,
    medians: Vec<f32>,
}

impl Factorized {
    pub(crate) fn parse(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Self> {
        let table = parse_table(members, tensors)?;
        let medians = parse_vector(members, "medians", tensors)?;
        if medians.len() != table.num_rows() {
            return Err(Error::corrupt(format!(
                "{} medians for {} rows of the table",
                medians.len(),
                table.num_rows()
            )));
        }
        Ok(Self { table, medians })
    }

    pub(crate) fn check(&self, latent: Shape) -> Result<()> {
        if latent.channels == self.medians.len() {
            return Ok(());
        }
        let message = format!("latent of {} channels, the table has {} rows", latent.channels, self.medians.len());
        Err(Error::corrupt(message))
    }

    pub(crate) fn channels(&self) -> usize {
        self.medians.len()
    }

    /// How a latent of this shape is coded.
    pub(crate) fn prior(&self, shape: Shape, limits: &Limits) -> Result<Prior<'_>> {
        self.check(shape)?;
        let parameters = by_channel(&self.medians, shape, limits)?;
        Ok(Prior { parameters, lattice: Lattice::Whole, table: Table::Kept(&self.table) })
    }

    pub(crate) fn encode(&self, job: Job<'_>, kind: StreamKind, y: &Tensor) -> Result<Coded> {
        let limits = job.holding(y.bytes(), "a latent")?;
        let job = Job { limits: &limits, ..job };
        self.prior(y.into(), job.limits)?.encode(job, kind, y).map_err(|e| e.at("latent y"))
    }

    pub(crate) fn decode(&self, job: Job<'_>, section: &Section<'_>, y: Shape) -> Result<Tensor> {
        self.prior(y, job.limits)?.decode(job, section, y).map_err(|e| e.at("latent y"))
    }

    /// The latent of an `ans` string, channel after channel, of this height and width.
    pub(crate) fn decode_channels(
        &self,
        job: Job<'_>,
        string: &[u8],
        (height, width): (usize, usize),
    ) -> Result<Tensor> {
        let shape = Shape::new(self.channels(), height, width);
        self.prior(shape, job.limits)?.decode_channels(job, string, shape)
    }
}
