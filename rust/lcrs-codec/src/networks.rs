//! The graphs of a package, parsed when it is loaded, packed for an instruction set when they first run.

use std::collections::BTreeMap;
use std::sync::Arc;

use lcrs_core::{Error, Limits, Result, Runtime};
use serde_json::Value;

use crate::blame::blame_data;
use crate::graph::{Graph, Op, Program, Shape};
use crate::per_simd::PerSimd;
use crate::tensors::{TensorView, Tensors};

#[derive(Debug)]
struct Network {
    program: Arc<Program>,
    built: PerSimd<Graph>,
}

/// Names and shapes of the outputs of a graph.
pub(crate) type Outputs<'a> = Vec<(&'a str, Shape)>;

/// The graphs of a package by name, with all its tensors.
#[derive(Debug)]
pub(crate) struct Networks {
    by_name: BTreeMap<String, Network>,
    tensors: Tensors<'static>,
}

impl Networks {
    /// Parses all graphs.
    ///
    /// # Errors
    /// As [`Graph::new`]; messages name the graph.
    pub(crate) fn new(graphs: &BTreeMap<String, Value>, tensors: Tensors<'static>) -> Result<Self> {
        let mut by_name = BTreeMap::new();
        for (name, graph) in graphs {
            let lookup = |name: &str| tensors.get(name).map(|tensor| tensor.borrowed());
            let program = Program::parse(graph, &lookup).map_err(|e| e.at(format!("graph '{name}'")))?;
            by_name.insert(name.clone(), Network { program: Arc::new(program), built: PerSimd::default() });
        }
        Ok(Self { by_name, tensors })
    }

    /// Finds tensors by name.
    pub(crate) fn lookup<'a>(&'a self) -> impl Fn(&str) -> Option<TensorView<'a>> + 'a {
        |name: &str| self.tensors.get(name).map(|tensor| tensor.borrowed())
    }

    /// What graph `name` says.
    pub(crate) fn program(&self, name: &str) -> Result<&Program> {
        self.network(name).map(|network| &*network.program)
    }

    fn network(&self, name: &str) -> Result<&Network> {
        self.by_name.get(name).ok_or_else(|| Error::corrupt(format!("there is no graph '{name}'")))
    }

    /// The shapes of the outputs of graph `name`, by their names, and its multiply-accumulates.
    ///
    /// # Errors
    /// `Corrupt` if shapes do not go together, `Limit` if a run in one piece would exceed `limits`.
    pub(crate) fn infer(&self, name: &str, inputs: &[Shape], limits: &Limits) -> Result<(Outputs<'_>, u64)> {
        let (outputs, shapes) = self.infer_shapes(name, inputs)?;
        let program = self.program(name)?;
        program.check_memory(&shapes, limits).map_err(|e| e.at(format!("graph '{name}'")))?;
        Ok((outputs, program.macs(&shapes)))
    }

    /// The shapes of the outputs of graph `name`, by their names, and of all its values.
    pub(crate) fn infer_shapes(&self, name: &str, inputs: &[Shape]) -> Result<(Outputs<'_>, Vec<Shape>)> {
        let program = &self.network(name)?.program;
        if inputs.len() != program.inputs.len() {
            let (given, wanted) = (inputs.len(), program.inputs.len());
            return Err(Error::corrupt(format!("graph '{name}' has {wanted} inputs, must have {given}")));
        }
        let shapes = program.shapes(inputs).map_err(|e| e.at(format!("graph '{name}'")))?;
        let outputs = program.outputs.iter().map(|(name, value)| (name.as_str(), shapes[*value])).collect();
        Ok((outputs, shapes))
    }

    /// Checks that every interpolation has `levels` levels, and that there is none in a fixed-rate package.
    pub(crate) fn check_levels(&self, levels: Option<usize>) -> Result<()> {
        for (name, network) in &self.by_name {
            for node in &network.program.nodes {
                match node.op {
                    Op::Interpolate { levels: found, .. } if Some(found) != levels => {
                        let wanted = levels.map_or("none".to_owned(), |levels| levels.to_string());
                        let message = format!("interpolates {found} levels, the package has {wanted}");
                        return Err(Error::corrupt(message).at(&node.place).at(format!("graph '{name}'")));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Graph `name` cut where the level comes in, see [`Program::split_at_level`]: what is before, and what comes after, if
    /// anything does. Both are made for this call: who needs them runs them for many levels.
    pub(crate) fn split_at_level(&self, name: &str, rt: &Runtime) -> Result<Option<(Graph, Option<Graph>)>> {
        let parts = self.program(name)?.split_at_level().map_err(|e| e.at(format!("graph '{name}'")))?;
        let Some(parts) = parts else { return Ok(None) };
        let ready = |program| Graph::prepared(Arc::new(program), &self.lookup(), rt);
        let graphs = ready(parts.before).and_then(|before| Ok((before, parts.after.map(ready).transpose()?)));
        graphs.map(Some).map_err(|e| blame_data(e).at(format!("graph '{name}'")))
    }

    /// Graph `name`, packed for the instruction set of a runtime.
    pub(crate) fn graph(&self, name: &str, rt: &Runtime) -> Result<&Graph> {
        let network = self.network(name)?;
        let make = || Graph::prepared(Arc::clone(&network.program), &self.lookup(), rt);
        network.built.get_or_make(rt.simd, make).map_err(|e| blame_data(e).at(format!("graph '{name}'")))
    }
}
