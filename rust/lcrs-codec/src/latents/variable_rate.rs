//! Step sizes of quantisation that a level chooses, and values closer to zero than their symbols ([`lcrs_core::scan::Gain`]).

use lcrs_core::scan::{Gain, Shrinkage};
use lcrs_core::{Error, Result, Simd};

use super::gaussian_conditional::Domain;
use super::pointwise::{self, pointwise_layers};
use crate::blame::blame_data;
use crate::graph::{Attributes, Shape};
use crate::networks::Networks;
use crate::per_simd::PerSimd;
use crate::runner::Runner;

/// Outputs of a graph of gains where scales are logarithms.
const GAIN: &str = "gain";
const LOG_GAIN: &str = "log_gain";

/// How a conditional is quantised.
#[derive(Debug)]
pub(crate) struct VariableRate {
    /// A graph without inputs that gives the gain, the inverse of the step; where scales are logarithms, also that of the gain.
    gain: String,
    domain: Domain,
    shrinkage: Option<Shrunk>,
}

#[derive(Debug)]
struct Shrunk {
    /// A graph of 1x1 layers from scaled scale and gain to the shrinkage.
    network: String,
    bound: f32,
    built: PerSimd<Shrinkage>,
}

/// What a run has of it.
pub(crate) struct AtLevel<'a> {
    /// The graph that gave the gain.
    graph: &'a str,
    gain: Vec<f32>,
    /// Where scales are logarithms.
    log_gain: Option<Vec<f32>>,
    shrinkage: Option<&'a Shrinkage>,
}

impl AtLevel<'_> {
    pub(crate) fn gain(&self) -> Result<Gain<'_>> {
        match &self.log_gain {
            None => Gain::new(&self.gain, self.shrinkage),
            Some(log_gain) => Gain::logarithmic(&self.gain, log_gain),
        }
        .map_err(|e| blame_data(e).at(format!("graph '{}'", self.graph)))
    }

    /// The shortest step.
    pub(crate) fn finest(&self) -> f32 {
        1.0 / self.gain.iter().copied().fold(f32::MIN_POSITIVE, f32::max)
    }
}

impl VariableRate {
    /// Reads the members `gain` and `shrinkage` of what has scales of a `domain`; `None` if there is neither.
    pub(crate) fn parse(members: &mut Attributes<'_>, domain: Domain) -> Result<Option<Self>> {
        let gain = members.optional_text("gain")?.map(str::to_owned);
        let shrinkage = members.optional("shrinkage").map(|value| {
            let mut inner = Attributes::new(value, "it")?;
            let network = inner.text("network")?.to_owned();
            let bound = inner.number("bound")?;
            inner.finish()?;
            Ok::<_, Error>(Shrunk { network, bound, built: PerSimd::default() })
        });
        let shrinkage = shrinkage.transpose().map_err(|e| e.at("shrinkage"))?;
        match gain {
            Some(_) if domain == Domain::Log && shrinkage.is_some() => {
                Err(Error::corrupt("'shrinkage' needs the domain 'linear'"))
            }
            Some(gain) => Ok(Some(Self { gain, domain, shrinkage })),
            None if shrinkage.is_some() => Err(Error::corrupt("'shrinkage' needs a 'gain'")),
            None => Ok(None),
        }
    }

    /// Checks that the graphs fit a latent of shape `y`; returns their multiply-accumulates.
    pub(crate) fn check(&self, networks: &Networks, y: Shape) -> Result<u64> {
        match self.domain {
            Domain::Linear => vector(networks, &self.gain, &[1, y.channels])?,
            Domain::Log => pair(networks, &self.gain, &[1, y.channels])?,
        }
        let Some(shrinkage) = &self.shrinkage else {
            return Ok(0);
        };
        let at = |e: Error| e.at(format!("graph '{}'", shrinkage.network));
        pointwise::extract_chain(networks.program(&shrinkage.network)?).map_err(at)?;
        let elements = y.elements().and_then(|elements| usize::try_from(elements).ok());
        let elements = elements.ok_or_else(|| Error::limit(format!("latent of {y} is too large")))?;
        let (outputs, shapes) = networks.infer_shapes(&shrinkage.network, &[Shape::new(2, 1, elements)])?;
        match outputs.as_slice() {
            [(_, output)] if output.channels == 1 => Ok(networks.program(&shrinkage.network)?.macs(&shapes)),
            _ => Err(at(Error::corrupt("shrinkage must be one number"))),
        }
    }

    pub(crate) fn at_level(&self, runner: Runner<'_>) -> Result<AtLevel<'_>> {
        let shrinkage = self.shrinkage.as_ref().map(|shrinkage| shrinkage.built(runner.networks, runner.job.rt.simd));
        let shrinkage = shrinkage.transpose()?;
        let graph = self.gain.as_str();
        if self.domain == Domain::Linear {
            let gain = runner.run_constant(graph)?;
            return Ok(AtLevel { graph, gain, log_gain: None, shrinkage });
        }
        let mut outputs = runner.run(graph, &[])?;
        let mut take = |name: &str| {
            let found = outputs.iter().position(|(output, _)| output == name);
            let found = found.map(|i| outputs.swap_remove(i).1.into_vec());
            found.ok_or_else(|| Error::corrupt(format!("graph '{graph}' has no output '{name}'")))
        };
        Ok(AtLevel { graph, gain: take(GAIN)?, log_gain: Some(take(LOG_GAIN)?), shrinkage })
    }
}

impl Shrunk {
    fn built(&self, networks: &Networks, simd: Simd) -> Result<&Shrinkage> {
        let make = || {
            let layers = pointwise::extract_chain(networks.program(&self.network)?)?;
            let shrinkage = pointwise_layers(networks, &layers, |packed| Shrinkage::new(simd, packed, self.bound));
            shrinkage.map_err(|e| blame_data(e).at(format!("graph '{}'", self.network)))
        };
        self.built.get_or_make(simd, make)
    }
}

/// Checks that graph `name` takes nothing and gives one vector, of as many numbers as `lengths` has one of.
pub(crate) fn vector(networks: &Networks, name: &str, lengths: &[usize]) -> Result<()> {
    let (outputs, _) = networks.infer_shapes(name, &[])?;
    match outputs.as_slice() {
        [(_, shape)] if (shape.height, shape.width) == (1, 1) && lengths.contains(&shape.channels) => Ok(()),
        _ => Err(Error::corrupt(format!(
            "graph '{name}' must have one output, of {lengths:?} channels and one position"
        ))),
    }
}

/// Checks that graph `name` takes nothing and gives gains and their logarithms, as many numbers each as `lengths` has one of.
fn pair(networks: &Networks, name: &str, lengths: &[usize]) -> Result<()> {
    let (outputs, _) = networks.infer_shapes(name, &[])?;
    let is_legal = |shape: Shape| (shape.height, shape.width) == (1, 1) && lengths.contains(&shape.channels);
    match outputs.as_slice() {
        [(GAIN, gain), (LOG_GAIN, log)] | [(LOG_GAIN, log), (GAIN, gain)] if gain == log && is_legal(*gain) => Ok(()),
        _ => Err(Error::corrupt(format!(
            "graph '{name}' must have the outputs '{GAIN}' and '{LOG_GAIN}', both of one of {lengths:?} channels and one position"
        ))),
    }
}
