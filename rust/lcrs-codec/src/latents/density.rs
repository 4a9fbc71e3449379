//! A factorized prior whose step of quantisation depends on the level: its table is built when the step is known.

use std::sync::{Arc, Mutex, PoisonError};

use lcrs_core::cdf::{factorized_table_with_step_size, CdfTable, FactorizedParameters};
use lcrs_core::{Error, Limits, Result};
use serde_json::Value;

use super::table::parse_vector;
use super::variable_rate::vector;
use crate::blame::blame_data;
use crate::graph::{Attributes, Shape};
use crate::networks::Networks;
use crate::runner::Runner;
use crate::tensors::{find, Lookup};

/// Most layers of a density; known ones have 5.
const MAX_LAYERS: usize = 64;

/// Most entries of a row of a table that is built: the tails that [`factorized_table_with_step_size`] looks for, and the ends.
const MAX_ROW: u64 = 16_386;

/// Most work for the rows of all channels: about ten seconds. Known densities take a tenth of it.
const MAX_WORK: u64 = 1 << 33;

/// Work of one output of a layer, in products.
const OUTPUT_WORK: u64 = 16;

/// Bytes that one entry takes while a table is built.
const ENTRY_BYTES: u64 = 16;

/// Elements are independent, of a learned density for each channel.
#[derive(Debug)]
pub(crate) struct Density {
    layers: Vec<Layer>,
    /// Widths after all layers but the last.
    filters: Vec<usize>,
    medians: Vec<f32>,
    tail_mass: f64,
    /// A graph without inputs that gives the step.
    step: String,
    /// The last table, and its step.
    built: Mutex<Option<(f32, Arc<CdfTable>)>>,
}

#[derive(Debug)]
struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
    factor: Option<Vec<f32>>,
}

impl Density {
    pub(crate) fn parse(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Self> {
        let medians = parse_vector(members, "medians", tensors)?;
        let step = members.text("step")?.to_owned();
        let tail_mass = members.required("tail_mass")?;
        let tail_mass = tail_mass.as_f64().filter(|mass| *mass > 0.0 && *mass < 1.0);
        let tail_mass = tail_mass.ok_or_else(|| Error::corrupt("'tail_mass' must be between 0 and 1"))?;
        let list = members.list("layers")?;
        if !(1..=MAX_LAYERS).contains(&list.len()) {
            return Err(Error::corrupt(format!("{} layers, must be 1 to {MAX_LAYERS}", list.len())));
        }
        let (mut layers, mut filters, mut inputs, mut work) = (Vec::new(), Vec::new(), 1, 0);
        for (i, value) in list.iter().enumerate() {
            let is_last = i + 1 == list.len();
            let parsed = parse_layer(value, tensors, [medians.len(), inputs], is_last);
            let (layer, outputs) = parsed.map_err(|e| e.at(format!("layer {i}")))?;
            layers.push(layer);
            filters.push(outputs);
            work += outputs as u64 * (inputs as u64 + OUTPUT_WORK);
            inputs = outputs;
        }
        filters.pop();
        let work = (medians.len() as u64).saturating_mul(MAX_ROW * work);
        if work > MAX_WORK {
            return Err(Error::limit(format!(
                "rows of densities need {work} products, at most {MAX_WORK} are allowed"
            )));
        }
        Ok(Self { layers, filters, medians, tail_mass, step, built: Mutex::new(None) })
    }

    pub(crate) fn channels(&self) -> usize {
        self.medians.len()
    }

    pub(crate) fn medians(&self) -> &[f32] {
        &self.medians
    }

    /// Checks the graph of the step.
    pub(crate) fn check(&self, networks: &Networks) -> Result<()> {
        vector(networks, &self.step, &[1])
    }

    pub(crate) fn check_shape(&self, latent: Shape) -> Result<()> {
        if latent.channels == self.medians.len() {
            return Ok(());
        }
        let message = format!("latent of {} channels, the density has {}", latent.channels, self.medians.len());
        Err(Error::corrupt(message))
    }

    /// Step and table at the level of the job.
    pub(crate) fn at_level(&self, runner: Runner<'_>) -> Result<(f32, Arc<CdfTable>)> {
        let step = runner.run_constant(&self.step)?;
        let &[step] = step.as_slice() else {
            return Err(Error::corrupt(format!("graph '{}' must give one number", self.step)));
        };
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        match &*built {
            Some((known, table)) if *known == step => Ok((step, Arc::clone(table))),
            _ => {
                let table = Arc::new(self.table(step, runner.job.limits)?);
                *built = Some((step, Arc::clone(&table)));
                Ok((step, table))
            }
        }
    }

    fn table(&self, step: f32, limits: &Limits) -> Result<CdfTable> {
        let bytes = (self.channels() as u64).saturating_mul(MAX_ROW * ENTRY_BYTES);
        if bytes > limits.max_bytes {
            let message = format!("a table of {} rows may need {bytes} bytes", self.channels());
            return Err(Error::limit(message));
        }
        let parameters = FactorizedParameters {
            channels: self.channels(),
            filters: self.filters.clone(),
            matrices: self.layers.iter().map(|layer| layer.weight.as_slice()).collect(),
            biases: self.layers.iter().map(|layer| layer.bias.as_slice()).collect(),
            factors: self.layers.iter().filter_map(|layer| layer.factor.as_deref()).collect(),
            quantiles: Some(&self.medians),
        };
        factorized_table_with_step_size(&parameters, step, self.tail_mass).map_err(blame_data)
    }
}

/// A layer of `channels` densities that takes `inputs` numbers; its number of outputs.
fn parse_layer(
    value: &Value,
    tensors: Lookup<'_, '_>,
    [channels, inputs]: [usize; 2],
    is_last: bool,
) -> Result<(Layer, usize)> {
    let mut members = Attributes::new(value, "it")?;
    let name = members.text("weight")?;
    let weight = find(tensors, name)?;
    let outputs = match *weight.shape() {
        [c, outputs @ 1..=256, i] if (c, i) == (channels, inputs) && (outputs == 1 || !is_last) => outputs,
        _ => {
            let message = format!("weight {name:?} has shape {:?}, must be for {channels} channels", weight.shape());
            return Err(Error::corrupt(format!("{message} and {inputs} inputs")));
        }
    };
    let vector = |name: &str| {
        let tensor = find(tensors, name)?;
        if tensor.shape() != [channels, outputs] {
            let message = format!("{name:?} has shape {:?}, must be [{channels}, {outputs}]", tensor.shape());
            return Err(Error::corrupt(message));
        }
        Ok(tensor.to_f32()?.into_owned())
    };
    let bias = vector(members.text("bias")?)?;
    let factor = if is_last { None } else { Some(vector(members.text("factor")?)?) };
    members.finish()?;
    Ok((Layer { weight: weight.to_f32()?.into_owned(), bias, factor }, outputs))
}
