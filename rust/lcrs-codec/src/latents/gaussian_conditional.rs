//! Normal distributions whose scale picks one of a few tables, by comparison with thresholds.

use std::sync::Arc;

use lcrs_core::cdf::{indexes, CdfTable};
use lcrs_core::exact::{concat, crop, Tensor};
use lcrs_core::scan::{Gain, Parameters};
use lcrs_core::{Error, Limits, Result};

use super::symbols::{check_finite, spread, EntropyParameters};
use super::table::{parse_table, parse_vector};
use crate::blame::blame_data;
use crate::graph::Job;
use crate::graph::{Attributes, Shape};
use crate::tensors::Lookup;

/// What scales and thresholds are. The comparison is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    Linear,
    /// Their logarithms.
    Log,
}

/// Tables for a range of scales.
#[derive(Debug)]
pub(crate) struct GaussianConditional {
    table: Arc<CdfTable>,
    /// Element i separates row i from row i + 1.
    thresholds: Vec<f32>,
    has_means: bool,
    domain: Domain,
}

impl GaussianConditional {
    pub(crate) fn parse(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Self> {
        let table = Arc::new(parse_table(members, tensors)?);
        let thresholds = parse_vector(members, "thresholds", tensors)?;
        let domain = match members.text("domain")? {
            "linear" => Domain::Linear,
            "log" => Domain::Log,
            other => return Err(Error::unsupported(format!("'domain' is '{other}', this build knows linear and log"))),
        };
        if thresholds.len() + 1 != table.num_rows() {
            let message = format!("{} thresholds for {} rows of the table", thresholds.len(), table.num_rows());
            return Err(Error::corrupt(message));
        }
        if let Some(pair) = thresholds.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Error::corrupt(format!("threshold {} comes after {}: they must ascend", pair[1], pair[0])));
        }
        Ok(Self { table, thresholds, has_means: members.flag("means")?, domain })
    }

    pub(crate) fn table(&self) -> &CdfTable {
        &self.table
    }

    pub(crate) fn shared_table(&self) -> &Arc<CdfTable> {
        &self.table
    }

    pub(crate) fn domain(&self) -> Domain {
        self.domain
    }

    pub(crate) fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    /// How [`GaussianConditional::joined`] lays out what a graph gives.
    pub(crate) fn joined_parameters(&self) -> Parameters {
        if self.has_means {
            Parameters::ScalesMeans
        } else {
            Parameters::Scales
        }
    }

    /// Scales, and means after them, as one tensor.
    pub(crate) fn joined(&self, outputs: Vec<(String, Tensor)>, limits: &Limits) -> Result<Tensor> {
        let (scales, means) = self.pick(outputs);
        let scales = scales.ok_or_else(|| Error::corrupt("there is no output 'scales'"))?;
        match means {
            Some(means) => concat(limits, &[&scales, &means]),
            None if self.has_means => Err(Error::corrupt("there is no output 'means'")),
            None => Ok(scales),
        }
    }

    /// The outputs that count.
    fn pick(&self, outputs: Vec<(String, Tensor)>) -> (Option<Tensor>, Option<Tensor>) {
        let (mut scales, mut means) = (None, None);
        for (name, tensor) in outputs {
            match name.as_str() {
                "scales" => scales = Some(tensor),
                "means" if self.has_means => means = Some(tensor),
                _ => {}
            }
        }
        (scales, means)
    }

    /// Checks that a graph gives scales, and means where they are needed, of a shape that `is_legal` accepts.
    pub(crate) fn check(&self, outputs: &[(&str, Shape)], is_legal: impl Fn(Shape) -> bool) -> Result<()> {
        let wanted: &[&str] = if self.has_means { &["scales", "means"] } else { &["scales"] };
        for name in wanted {
            match outputs.iter().find(|(output, _)| output == name) {
                None => return Err(Error::corrupt(format!("there is no output '{name}'"))),
                Some((_, shape)) if !is_legal(*shape) => {
                    return Err(Error::corrupt(format!("output '{name}' of {shape} does not fit its latent")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Means and indexes for a latent of `shape`, from (C, 1, 1) parameters, which are those of every position.
    pub(crate) fn parameters(
        &self,
        outputs: Vec<(String, Tensor)>,
        shape: Shape,
        job: Job<'_>,
    ) -> Result<EntropyParameters> {
        let everywhere = |(name, tensor): (String, Tensor)| {
            let shape = Shape { channels: tensor.channels(), ..shape };
            let values = spread(tensor.data(), shape, job.limits)?;
            Ok((name, Tensor::from_vec(shape.channels, shape.height, shape.width, values)?))
        };
        let outputs = outputs.into_iter().filter(|(_, tensor)| (tensor.height(), tensor.width()) == (1, 1));
        let outputs = outputs.map(everywhere).collect::<Result<_>>()?;
        self.parameters_at_gain(outputs, shape, None, job).map(|(parameters, _)| parameters)
    }

    /// Means and indexes for a latent of `shape`, from parameters at least as large (cut to the top left), their scales scaled by
    /// `gain`; and those scales, if there is one.
    pub(crate) fn parameters_at_gain(
        &self,
        outputs: Vec<(String, Tensor)>,
        shape: Shape,
        gain: Option<&Gain<'_>>,
        job: Job<'_>,
    ) -> Result<(EntropyParameters, Vec<f32>)> {
        let (scales, means) = self.pick(outputs);
        let limits = &job.holding([&scales, &means].into_iter().flatten().map(Tensor::bytes).sum(), "parameters")?;
        let mut scales = fit(scales, "scales", shape, limits)?;
        if let Some(gain) = gain {
            gain.scale(job.rt.simd, &mut scales);
        }
        check_finite(&scales, "scale")?;
        let means = if self.has_means { Some(fit(means, "means", shape, limits)?) } else { None };
        check_finite(means.as_deref().unwrap_or_default(), "mean")?;
        let mut table_indexes = limits.zeroed(scales.len(), "table indexes")?;
        indexes(job.rt.simd, &scales, &self.thresholds, &mut table_indexes).map_err(blame_data)?;
        let scales = if gain.is_some() { scales } else { Vec::new() };
        Ok((EntropyParameters { indexes: table_indexes, means }, scales))
    }
}

fn fit(tensor: Option<Tensor>, name: &str, shape: Shape, limits: &Limits) -> Result<Vec<f32>> {
    let tensor = tensor.ok_or_else(|| Error::corrupt(format!("there is no output '{name}'")))?;
    let found = Shape::from(&tensor);
    if found == shape {
        return Ok(tensor.into_vec());
    }
    if found.channels != shape.channels || found.height < shape.height || found.width < shape.width {
        return Err(Error::corrupt(format!("output '{name}' of {found} does not cover a latent of {shape}")));
    }
    crop(limits, &tensor, shape.height, shape.width).map(Tensor::into_vec)
}
