//! The graphs of a package, parsed when it is loaded, packed for an instruction set when they first run.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use lcrs_core::exact::{Tensor, View};
use lcrs_core::{Error, ErrorKind, Limits, Result, Runtime, Simd};
use serde_json::Value;

pub(crate) use crate::graph::Job;
use crate::graph::{Graph, Op, Program, Rows, Shape};
use crate::tensors::{TensorView, Tensors};

#[derive(Debug)]
struct Network {
    program: Program,
    /// By position in [`Simd::ALL`].
    built: [OnceLock<Graph>; Simd::ALL.len()],
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
            by_name.insert(name.clone(), Network { program, built: Default::default() });
        }
        Ok(Self { by_name, tensors })
    }

    /// Finds tensors by name.
    pub(crate) fn lookup<'a>(&'a self) -> impl Fn(&str) -> Option<TensorView<'a>> + 'a {
        |name: &str| self.tensors.get(name).map(|tensor| tensor.borrowed())
    }

    /// What graph `name` says.
    pub(crate) fn program(&self, name: &str) -> Result<&Program> {
        self.network(name).map(|network| &network.program)
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

    /// Runs graph `name`.
    ///
    /// # Errors
    /// As [`Graph::run`], but what the graph's inputs cause is blamed on the data ([`ErrorKind::Corrupt`]), not on the caller.
    pub(crate) fn run(&self, name: &str, job: Job<'_>, inputs: &[Tensor]) -> Result<Vec<(String, Tensor)>> {
        let graph = self.graph(name, job.rt)?;
        graph.run(job.rt, job.limits, inputs, job.level).map_err(|e| blame_data(e).at(format!("graph '{name}'")))
    }

    /// Runs graph `name`, which has a single output.
    pub(crate) fn run_single(&self, name: &str, job: Job<'_>, input: &Tensor) -> Result<Tensor> {
        let mut outputs = self.run(name, job, std::slice::from_ref(input))?;
        match (outputs.pop(), outputs.len()) {
            (Some((_, tensor)), 0) => Ok(tensor),
            _ => Err(Error::corrupt(format!("graph '{name}' must have one output"))),
        }
    }

    /// The numbers that graph `name`, without inputs, gives as its single output.
    pub(crate) fn run_constant(&self, name: &str, job: Job<'_>) -> Result<Vec<f32>> {
        let mut outputs = self.run(name, job, &[])?;
        match (outputs.pop(), outputs.len()) {
            (Some((_, tensor)), 0) => Ok(tensor.into_vec()),
            _ => Err(Error::corrupt(format!("graph '{name}' must have one output"))),
        }
    }

    /// Runs graph `name`, of one input and one output, in strips; see [`Graph::run_in_strips`].
    pub(crate) fn run_in_strips(
        &self,
        name: &str,
        job: Job<'_>,
        input: Shape,
        source: &mut dyn FnMut(&Rows) -> Result<Tensor>,
        sink: &mut dyn FnMut(Rows, View<'_>) -> Result<()>,
    ) -> Result<()> {
        let graph = self.graph(name, job.rt)?;
        let done = graph.run_in_strips(job, input, source, sink);
        done.map_err(|e| blame_data(e).at(format!("graph '{name}'")))
    }

    /// Graph `name` cut where the level comes in, see [`Program::split_at_level`]: what is before, and what comes after, if
    /// anything does. Both are made for this call: who needs them runs them for many levels.
    pub(crate) fn split_at_level(&self, name: &str, rt: &Runtime) -> Result<Option<(Graph, Option<Graph>)>> {
        let Some(parts) = self.program(name)?.split_at_level() else { return Ok(None) };
        let ready = |program| Graph::prepared(program, &self.lookup(), rt);
        let graphs = ready(parts.before).and_then(|before| Ok((before, parts.after.map(ready).transpose()?)));
        graphs.map(Some).map_err(|e| blame_data(e).at(format!("graph '{name}'")))
    }

    fn graph(&self, name: &str, rt: &Runtime) -> Result<&Graph> {
        let network = self.network(name)?;
        let place = Simd::ALL.iter().position(|path| *path == rt.simd).unwrap_or(0);
        let built = &network.built[place];
        if let Some(graph) = built.get() {
            return Ok(graph);
        }
        let graph = Graph::prepared(network.program.clone(), &self.lookup(), rt)
            .map_err(|e| blame_data(e).at(format!("graph '{name}'")))?;
        Ok(built.get_or_init(|| graph))
    }
}

/// Inside a package or a file there is no caller to blame: an illegal argument is an impossible content.
pub(crate) fn blame_data(error: Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidArgument => Error::corrupt(error.message().to_owned()),
        _ => error,
    }
}
