//! How symbols are coded once their parameters are known.

use crate::cdf::CdfTable;
use crate::{Error, Result};
use std::sync::Arc;

/// Which parameters a place has, in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parameters {
    /// A scale for each channel; all means are zero.
    Scales,
    /// Scales of all channels, then means of all channels.
    ScalesMeans,
    /// Means of all channels, then scales of all channels.
    MeansScales,
}

/// A Gaussian for each channel of a place: index = number of thresholds below the scale, symbol = `round_half_even(y - mean)`,
/// value = `symbol + mean`.
#[derive(Debug, Clone)]
pub struct Gaussian {
    table: Arc<CdfTable>,
    thresholds: Vec<f32>,
    channels: usize,
    parameters: Parameters,
}

impl Gaussian {
    /// Gaussians of `channels` channels, with scales compared with `thresholds` to find a row of `table`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] without channels, or if there are not fewer thresholds than rows, or one is NaN.
    pub fn new(table: Arc<CdfTable>, thresholds: Vec<f32>, channels: usize, parameters: Parameters) -> Result<Self> {
        if channels == 0 {
            return Err(Error::invalid("0 channels, at least 1 is needed"));
        }
        if thresholds.len() >= table.num_rows() {
            return Err(Error::invalid(format!(
                "{} thresholds for a table of {} rows, at most {} are possible",
                thresholds.len(),
                table.num_rows(),
                table.num_rows() - 1
            )));
        }
        if let Some(i) = thresholds.iter().position(|t| t.is_nan()) {
            return Err(Error::invalid(format!("threshold {i} is NaN")));
        }
        Ok(Self { table, thresholds, channels, parameters })
    }

    /// Number of channels of the latent.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of parameters of a place.
    #[must_use]
    pub fn parameter_channels(&self) -> usize {
        if self.has_means() {
            2 * self.channels
        } else {
            self.channels
        }
    }

    pub(super) fn has_means(&self) -> bool {
        self.parameters != Parameters::Scales
    }

    pub(super) fn table(&self) -> &CdfTable {
        &self.table
    }

    pub(super) fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    /// The scales among the parameters of one place.
    pub(super) fn scales<'a>(&self, parameters: &'a [f32]) -> &'a [f32] {
        match self.parameters {
            Parameters::Scales | Parameters::ScalesMeans => &parameters[..self.channels],
            Parameters::MeansScales => &parameters[self.channels..],
        }
    }

    /// The means among the parameters of one place; none if all are zero.
    pub(super) fn means<'a>(&self, parameters: &'a [f32]) -> &'a [f32] {
        match self.parameters {
            Parameters::Scales => &[],
            Parameters::ScalesMeans => &parameters[self.channels..],
            Parameters::MeansScales => &parameters[..self.channels],
        }
    }
}
