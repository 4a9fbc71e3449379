//! A latent conditioned on a smaller one (Balle et al., ICLR 2018; Minnen et al., NeurIPS 2018, with means).
//!
//! ```text
//! y ─ h_a ─ z ─ round ─► section 0
//!               └─ ẑ ─ h_s ─► scales, means ─► section 1
//! ```

use lcrs_core::cdf::CdfTable;
use lcrs_core::exact::Tensor;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result};
use lcrs_format::Section;

use super::factorized::Factorized;
use super::gaussian::Gaussian;
use super::symbols::{self, Condition};
use super::Coded;
use crate::graph::{Attributes, Shape};
use crate::networks::{Job, Networks};
use crate::tensors::Lookup;

/// The prior of z.
#[derive(Debug)]
enum Hyper {
    Factorized(Factorized),
    /// A normal distribution a channel, whose parameters graph `params` gives (they may depend on the level).
    Gaussian {
        params: String,
        prior: Gaussian,
    },
}

/// y conditioned on z.
#[derive(Debug)]
pub(crate) struct Hyperprior {
    /// The graph from y to z.
    analysis: String,
    /// The graph from decoded z to the parameters of y.
    synthesis: String,
    hyper: Hyper,
    y: Gaussian,
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
        if let Hyper::Gaussian { params, prior } = &self.hyper {
            let (outputs, _) = networks.infer(params, &[], limits)?;
            let is_legal = |shape| shape == Shape::new(wanted.channels, 1, 1);
            prior.check(&outputs, is_legal).map_err(|e| e.at(format!("graph '{params}'")))?;
        }
        let (outputs, synthesis_macs) = networks.infer(&self.synthesis, &[wanted], limits)?;
        let covers = |s: Shape| s.channels == y.channels && s.height >= y.height && s.width >= y.width;
        self.y.check(&outputs, covers).map_err(|e| e.at(format!("graph '{}'", self.synthesis)))?;
        Ok(analysis_macs.saturating_add(synthesis_macs))
    }

    pub(crate) fn encode(&self, networks: &Networks, job: Job<'_>, kind: StreamKind, y: &Tensor) -> Result<Vec<Coded>> {
        let z = networks.run_single(&self.analysis, job, y.clone())?;
        let wanted = self.z_shape(networks, job.limits, y.into())?;
        if Shape::from(&z) != wanted {
            return Err(Error::corrupt(format!(
                "graph '{}' gave z of {}, not {wanted}",
                self.analysis,
                Shape::from(&z)
            )));
        }
        let condition = self.z_condition(networks, job, wanted)?;
        let (coded_z, decoded_z) =
            symbols::encode(job, kind, &z, &condition, self.z_table()).map_err(|e| e.at("latent z"))?;
        let condition = self.y_condition(networks, job, decoded_z, y.into())?;
        let (coded_y, _) = symbols::encode(job, kind, y, &condition, self.y.table()).map_err(|e| e.at("latent y"))?;
        Ok(vec![coded_z, coded_y])
    }

    pub(crate) fn decode(
        &self,
        networks: &Networks,
        job: Job<'_>,
        z_section: &Section<'_>,
        y_section: &Section<'_>,
        y: Shape,
    ) -> Result<Tensor> {
        let z = self.z_shape(networks, job.limits, y)?;
        let condition = self.z_condition(networks, job, z)?;
        let z = symbols::decode(job, z_section, z, &condition, self.z_table()).map_err(|e| e.at("latent z"))?;
        let condition = self.y_condition(networks, job, z, y)?;
        symbols::decode(job, y_section, y, &condition, self.y.table()).map_err(|e| e.at("latent y"))
    }

    fn z_shape(&self, networks: &Networks, limits: &Limits, y: Shape) -> Result<Shape> {
        let channels = match &self.hyper {
            Hyper::Factorized(prior) => prior.channels(),
            Hyper::Gaussian { params, .. } => {
                let (outputs, _) = networks.infer(params, &[], limits)?;
                let scales = outputs.iter().find(|(name, _)| *name == "scales");
                scales.ok_or_else(|| Error::corrupt(format!("graph '{params}' has no output 'scales'")))?.1.channels
            }
        };
        Ok(Shape::new(channels, y.height.div_ceil(self.z_ratio), y.width.div_ceil(self.z_ratio)))
    }

    fn z_table(&self) -> &CdfTable {
        match &self.hyper {
            Hyper::Factorized(prior) => prior.table(),
            Hyper::Gaussian { prior, .. } => prior.table(),
        }
    }

    fn z_condition(&self, networks: &Networks, job: Job<'_>, z: Shape) -> Result<Condition> {
        match &self.hyper {
            Hyper::Factorized(prior) => prior.condition(z, job.limits),
            Hyper::Gaussian { params, prior } => {
                let outputs = networks.run(params, job, &[])?;
                prior.condition(outputs, z, job.limits).map_err(|e| e.at(format!("graph '{params}'")))
            }
        }
    }

    fn y_condition(&self, networks: &Networks, job: Job<'_>, z: Tensor, y: Shape) -> Result<Condition> {
        let outputs = networks.run(&self.synthesis, job, &[z])?;
        self.y.condition(outputs, y, job.limits).map_err(|e| e.at(format!("graph '{}'", self.synthesis)))
    }
}

fn parse_hyper(value: &serde_json::Value, tensors: Lookup<'_, '_>) -> Result<Hyper> {
    let mut members = Attributes::new(value, "it")?;
    let hyper = match members.text("type")? {
        "factorized" => Hyper::Factorized(Factorized::parse(&mut members, tensors)?),
        "gaussian" => {
            let params = members.text("params")?.to_owned();
            Hyper::Gaussian { params, prior: Gaussian::parse(&mut members, tensors)? }
        }
        other => return Err(Error::unsupported(format!("unknown type '{other}'"))),
    };
    members.finish()?;
    Ok(hyper)
}

/// How y is coded, given its parameters. Scans over y (raster, checkerboard, channel groups) are further types here.
fn parse_y(value: &serde_json::Value, tensors: Lookup<'_, '_>) -> Result<Gaussian> {
    let mut members = Attributes::new(value, "it")?;
    let y = match members.text("type")? {
        "gaussian" => Gaussian::parse(&mut members, tensors)?,
        other => return Err(Error::unsupported(format!("unknown type '{other}'"))),
    };
    members.finish()?;
    Ok(y)
}
