//! A latent conditioned on a smaller one (Balle et al., ICLR 2018; Minnen et al., NeurIPS 2018, with means and a
//! context).
//!
//! ```text
//! y ─ h_a ─ z ─ round ─► section 0
//!               └─ ẑ ─ h_s ─► scales, means, or side information of a scan ─► section 1
//! ```

use lcrs_core::exact::{crop, Tensor};
use lcrs_core::rans::StreamKind;
use lcrs_core::scan::Gain;
use lcrs_core::{Error, Limits, Result};
use lcrs_format::Section;

use super::density::Density;
use super::factorized::Factorized;
use super::gaussian_conditional::GaussianConditional;
use super::same::check_same;
use super::scan::Scanned;
use super::symbols::{by_channel, Coded, Lattice, Prior, Table};
use super::variable_rate::{AtLevel, VariableRate};
use crate::blame::blame_data;
use crate::graph::{Attributes, Shape};
use crate::networks::Networks;
use crate::runner::Runner;
use crate::tensors::Lookup;

/// The prior of z.
#[derive(Debug)]
enum Hyper {
    Factorized(Factorized),
    /// A density a channel, quantised with a step size that may depend on the level.
    Density(Density),
    /// A normal distribution a channel, whose parameters graph `params` gives (they may depend on the level).
    Gaussian {
        params: String,
        prior: GaussianConditional,
    },
}

/// How y is coded, given the output of the synthesis.
#[derive(Debug)]
enum Conditional {
    /// All at once: the synthesis gives its parameters.
    Gaussian { prior: GaussianConditional, variable: Option<VariableRate> },
    /// Step by step: the synthesis gives side information.
    Scanned(Scanned),
}

/// y conditioned on z.
#[derive(Debug)]
pub(crate) struct Hyperprior {
    /// The graph from y to z.
    analysis: String,
    /// The graph from decoded z to the parameters of y, or to side information for its scan.
    synthesis: String,
    hyper: Hyper,
    y: Conditional,
    /// Sides of y for one of z.
    z_ratio: usize,
}

impl Hyperprior {
    pub(crate) fn parse(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>, z_ratio: Option<usize>) -> Result<Self> {
        let z_ratio = z_ratio.ok_or_else(|| Error::corrupt("there is no stride of z"))?;
        let analysis = members.text("analysis")?.to_owned();
        let synthesis = members.text("synthesis")?.to_owned();
        let hyper = parse_hyper(members.required("hyper")?, tensors).map_err(|e| e.at("hyper"))?;
        let y = parse_y(members.required("y")?, tensors).map_err(|e| e.at("y"))?;
        Ok(Self { analysis, synthesis, hyper, y, z_ratio })
    }

    /// Checks that the graphs fit a latent of shape `y`; returns their multiply-accumulates.
    pub(crate) fn check(&self, networks: &Networks, limits: &Limits, y: Shape) -> Result<u64> {
        let wanted = self.z_shape(networks, limits, y)?;
        let (outputs, analysis_macs) = networks.infer(&self.analysis, &[y], limits)?;
        match outputs.as_slice() {
            [(_, z)] if *z == wanted => {}
            _ => {
                return Err(Error::corrupt(format!(
                    "graph '{}' does not make z of {wanted} from y of {y}",
                    self.analysis
                )))
            }
        }
        match &self.hyper {
            Hyper::Factorized(_) => {}
            Hyper::Density(density) => density.check(networks).map_err(|e| e.at("hyper"))?,
            Hyper::Gaussian { params, prior } => {
                let (outputs, _) = networks.infer(params, &[], limits)?;
                let is_legal = |shape| shape == Shape::new(wanted.channels, 1, 1);
                prior.check(&outputs, is_legal).map_err(|e| e.at(format!("graph '{params}'")))?;
            }
        }
        let (outputs, synthesis_macs) = networks.infer(&self.synthesis, &[wanted], limits)?;
        let covers_y = |shape: Shape| shape.height >= y.height && shape.width >= y.width;
        let scan_macs = match &self.y {
            Conditional::Gaussian { prior, variable } => {
                let checked = prior.check(&outputs, |shape| shape.channels == y.channels && covers_y(shape));
                let checked = checked.map_err(|e| e.at(format!("graph '{}'", self.synthesis)));
                checked.and_then(|()| variable.as_ref().map_or(Ok(0), |variable| variable.check(networks, y)))
            }
            Conditional::Scanned(scan) => match outputs.iter().find(|(_, shape)| !covers_y(*shape)) {
                Some((name, shape)) => {
                    let message = format!("output '{name}' of {shape} does not cover y of {y}");
                    Err(Error::corrupt(message).at(format!("graph '{}'", self.synthesis)))
                }
                None => scan.check(networks, limits, y, &outputs),
            },
        };
        let scan_macs = scan_macs.map_err(|e| e.at("y"))?;
        Ok(analysis_macs.saturating_add(synthesis_macs).saturating_add(scan_macs))
    }

    pub(crate) fn encode(&self, runner: Runner<'_>, kind: StreamKind, y: &Tensor) -> Result<Vec<Coded>> {
        let z = runner.run_single(&self.analysis, y)?;
        let wanted = self.z_shape(runner.networks, runner.job.limits, y.into())?;
        if Shape::from(&z) != wanted {
            return Err(Error::corrupt(format!(
                "graph '{}' gave z of {}, not {wanted}",
                self.analysis,
                Shape::from(&z)
            )));
        }
        let limits = runner.job.holding(y.bytes() + z.bytes(), "a latent")?;
        let runner = runner.within(&limits);
        let (coded_z, decoded_z) = self.encode_z(runner, kind, &z)?;
        let coded_y = self.encode_y(runner, kind, y, decoded_z).map_err(|e| e.at("latent y"))?;
        Ok(vec![coded_z, coded_y])
    }

    /// Codes latents that another program decoded, both of them.
    pub(crate) fn encode_latents(
        &self,
        runner: Runner<'_>,
        kind: StreamKind,
        y: &Tensor,
        z: &Tensor,
    ) -> Result<Vec<Coded>> {
        let (found, wanted) = (Shape::from(z), self.z_shape(runner.networks, runner.job.limits, y.into())?);
        if found != wanted {
            return Err(Error::invalid(format!("z has the shape {found}, the model has {wanted} for this y")));
        }
        let limits = runner.job.holding(y.bytes() + z.bytes(), "a latent")?;
        let runner = runner.within(&limits);
        let (coded_z, decoded_z) = self.encode_z(runner, kind, z)?;
        let step = match &self.hyper {
            Hyper::Density(density) => density.at_level(runner)?.0,
            Hyper::Factorized(_) | Hyper::Gaussian { .. } => 1.0,
        };
        check_same(z, &decoded_z, step).map_err(|e| e.at("latent z"))?;
        let coded_y = self.encode_y(runner, kind, y, decoded_z).map_err(|e| e.at("latent y"))?;
        Ok(vec![coded_z, coded_y])
    }

    pub(crate) fn finest_step(&self, runner: Runner<'_>) -> Result<f32> {
        match &self.y {
            Conditional::Gaussian { variable: None, .. } => Ok(1.0),
            Conditional::Gaussian { variable: Some(variable), .. } => Ok(variable.at_level(runner)?.finest()),
            Conditional::Scanned(scan) => scan.finest_step(runner),
        }
    }

    fn encode_z(&self, runner: Runner<'_>, kind: StreamKind, z: &Tensor) -> Result<(Coded, Tensor)> {
        let prior = self.z_prior(runner, z.into())?;
        prior.encode_and_restore(runner.job, kind, z).map_err(|e| e.at("latent z"))
    }

    pub(crate) fn decode(
        &self,
        runner: Runner<'_>,
        z_section: &Section<'_>,
        y_section: &Section<'_>,
        y: Shape,
    ) -> Result<Tensor> {
        let z = self.z_shape(runner.networks, runner.job.limits, y)?;
        let prior = self.z_prior(runner, z)?;
        let z = prior.decode(runner.job, z_section, z);
        let z = z.map_err(|e| e.at("latent z"))?;
        self.decode_y(runner, y_section, y, z).map_err(|e| e.at("latent y"))
    }

    /// y and z of `ans` strings, channel after channel, z of height and width `z_size`; None where y is not a plain normal
    /// distribution, or z not factorized.
    pub(crate) fn decode_channels(
        &self,
        runner: Runner<'_>,
        y: &[u8],
        z: &[u8],
        z_size: (usize, usize),
    ) -> Result<Option<(Tensor, Tensor)>> {
        let (Hyper::Factorized(hyper), Conditional::Gaussian { prior, variable: None }) = (&self.hyper, &self.y) else {
            return Ok(None);
        };
        let z = hyper.decode_channels(runner.job, z, z_size).map_err(|e| e.at("latent z"))?;
        let limits = runner.job.holding(z.bytes(), "a latent")?;
        let runner = runner.within(&limits);
        let outputs = runner.run(&self.synthesis, std::slice::from_ref(&z))?;
        let scales = outputs.iter().find(|(name, _)| name == "scales").map(|(_, scales)| Shape::from(scales));
        let shape = scales.ok_or_else(|| Error::corrupt("there is no output 'scales'"))?;
        let (parameters, _) = prior.parameters_at_gain(outputs, shape, None, runner.job)?;
        let prior = Prior { parameters, lattice: Lattice::Whole, table: Table::Kept(prior.table()) };
        let y = prior.decode_channels(runner.job, y, shape).map_err(|e| e.at("latent y"))?;
        Ok(Some((y, z)))
    }

    fn encode_y(&self, runner: Runner<'_>, kind: StreamKind, y: &Tensor, z: Tensor) -> Result<Coded> {
        match &self.y {
            Conditional::Gaussian { prior, variable } => {
                let outputs = runner.run(&self.synthesis, &[z])?;
                with_gain(variable.as_ref(), runner, |gain| {
                    let (parameters, scales) = prior.parameters_at_gain(outputs, y.into(), gain, runner.job)?;
                    let lattice = gain.map_or(Lattice::Whole, |gain| Lattice::Gain(*gain, &scales));
                    Prior { parameters, lattice, table: Table::Kept(prior.table()) }.encode(runner.job, kind, y)
                })
            }
            Conditional::Scanned(scan) => {
                let side = self.side(runner, z, y.into())?;
                scan.encode(runner, kind, y, side)
            }
        }
    }

    fn decode_y(&self, runner: Runner<'_>, section: &Section<'_>, y: Shape, z: Tensor) -> Result<Tensor> {
        match &self.y {
            Conditional::Gaussian { prior, variable } => {
                let outputs = runner.run(&self.synthesis, &[z])?;
                with_gain(variable.as_ref(), runner, |gain| {
                    let (parameters, scales) = prior.parameters_at_gain(outputs, y, gain, runner.job)?;
                    let lattice = gain.map_or(Lattice::Whole, |gain| Lattice::Gain(*gain, &scales));
                    Prior { parameters, lattice, table: Table::Kept(prior.table()) }.decode(runner.job, section, y)
                })
            }
            Conditional::Scanned(scan) => {
                let side = self.side(runner, z, y)?;
                scan.decode(runner, section, y.channels, side)
            }
        }
    }

    /// Side information of the height and width of `y`.
    fn side(&self, runner: Runner<'_>, z: Tensor, y: Shape) -> Result<Tensor> {
        let side = runner.run_single(&self.synthesis, &z)?;
        if (side.height(), side.width()) == (y.height, y.width) {
            return Ok(side);
        }
        let cropped = (size_of::<f32>() * side.channels() * y.height * y.width) as u64;
        runner.job.holding(side.bytes() + cropped, "side information")?;
        crop(runner.job.limits, &side, y.height, y.width).map_err(blame_data)
    }

    fn z_shape(&self, networks: &Networks, limits: &Limits, y: Shape) -> Result<Shape> {
        let channels = match &self.hyper {
            Hyper::Factorized(prior) => prior.channels(),
            Hyper::Density(density) => density.channels(),
            Hyper::Gaussian { params, .. } => {
                let (outputs, _) = networks.infer(params, &[], limits)?;
                let scales = outputs.iter().find(|(name, _)| *name == "scales");
                scales.ok_or_else(|| Error::corrupt(format!("graph '{params}' has no output 'scales'")))?.1.channels
            }
        };
        Ok(Shape::new(channels, y.height.div_ceil(self.z_ratio), y.width.div_ceil(self.z_ratio)))
    }

    fn z_prior(&self, runner: Runner<'_>, z: Shape) -> Result<Prior<'_>> {
        let limits = runner.job.limits;
        match &self.hyper {
            Hyper::Factorized(prior) => prior.prior(z, limits),
            Hyper::Density(density) => {
                density.check_shape(z)?;
                let (step, table) = density.at_level(runner).map_err(|e| e.at("hyper"))?;
                let parameters = by_channel(density.medians(), z, limits)?;
                Ok(Prior { parameters, lattice: Lattice::StepSize(step), table: Table::Built(table) })
            }
            Hyper::Gaussian { params, prior } => {
                let outputs = runner.run(params, &[])?;
                let parameters = prior.parameters(outputs, z, runner.job);
                let parameters = parameters.map_err(|e| e.at(format!("graph '{params}'")))?;
                Ok(Prior { parameters, lattice: Lattice::Whole, table: Table::Kept(prior.table()) })
            }
        }
    }
}

/// What `code` gives for the gain of the job's level, if there is one.
fn with_gain<T>(
    variable: Option<&VariableRate>,
    runner: Runner<'_>,
    code: impl FnOnce(Option<&Gain<'_>>) -> Result<T>,
) -> Result<T> {
    let at_level = variable.map(|variable| variable.at_level(runner)).transpose()?;
    let gain = at_level.as_ref().map(AtLevel::gain).transpose()?;
    code(gain.as_ref())
}

fn parse_hyper(value: &serde_json::Value, tensors: Lookup<'_, '_>) -> Result<Hyper> {
    let mut members = Attributes::new(value, "it")?;
    let hyper = match members.text("type")? {
        "factorized" => Hyper::Factorized(Factorized::parse(&mut members, tensors)?),
        "density" => Hyper::Density(Density::parse(&mut members, tensors)?),
        "gaussian" => {
            let params = members.text("params")?.to_owned();
            Hyper::Gaussian { params, prior: GaussianConditional::parse(&mut members, tensors)? }
        }
        other => return Err(Error::unsupported(format!("unknown type '{other}'"))),
    };
    members.finish()?;
    Ok(hyper)
}

fn parse_y(value: &serde_json::Value, tensors: Lookup<'_, '_>) -> Result<Conditional> {
    let mut members = Attributes::new(value, "it")?;
    let y = match members.text("type")? {
        "gaussian" => {
            let prior = GaussianConditional::parse(&mut members, tensors)?;
            let variable = VariableRate::parse(&mut members, prior.domain())?;
            Conditional::Gaussian { prior, variable }
        }
        "channel_groups" => Conditional::Scanned(Scanned::parse_groups(&mut members, tensors)?),
        kind => Conditional::Scanned(Scanned::parse(kind, &mut members, tensors)?),
    };
    members.finish()?;
    Ok(y)
}
