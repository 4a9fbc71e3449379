//! The graphs of a package with what they run on: whoever codes needs both.

use lcrs_core::exact::{Tensor, View};
use lcrs_core::{Error, Limits, Result};

use crate::blame::blame_data;
use crate::graph::{Job, Rows, Shape};
use crate::networks::Networks;

/// Runs the graphs of a package, at one level, on one runtime, within its limits.
#[derive(Clone, Copy)]
pub(crate) struct Runner<'a> {
    pub networks: &'a Networks,
    pub job: Job<'a>,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(networks: &'a Networks, job: Job<'a>) -> Self {
        Self { networks, job }
    }

    /// The same job within other limits.
    pub(crate) fn within<'b>(self, limits: &'b Limits) -> Runner<'b>
    where
        'a: 'b,
    {
        Runner { networks: self.networks, job: Job { limits, ..self.job } }
    }

    /// Runs graph `name`.
    ///
    /// # Errors
    /// As [`Graph::run`], but what the graph's inputs cause is blamed on the data ([`ErrorKind::Corrupt`]), not on the caller.
    pub(crate) fn run(self, name: &str, inputs: &[Tensor]) -> Result<Vec<(String, Tensor)>> {
        let graph = self.networks.graph(name, self.job.rt)?;
        graph
            .run(self.job.rt, self.job.limits, inputs, self.job.level)
            .map_err(|e| blame_data(e).at(format!("graph '{name}'")))
    }

    /// Runs graph `name`, which has a single output.
    pub(crate) fn run_single(self, name: &str, input: &Tensor) -> Result<Tensor> {
        let mut outputs = self.run(name, std::slice::from_ref(input))?;
        match (outputs.pop(), outputs.len()) {
            (Some((_, tensor)), 0) => Ok(tensor),
            _ => Err(Error::corrupt(format!("graph '{name}' must have one output"))),
        }
    }

    /// The numbers that graph `name`, without inputs, gives as its single output.
    pub(crate) fn run_constant(self, name: &str) -> Result<Vec<f32>> {
        let mut outputs = self.run(name, &[])?;
        match (outputs.pop(), outputs.len()) {
            (Some((_, tensor)), 0) => Ok(tensor.into_vec()),
            _ => Err(Error::corrupt(format!("graph '{name}' must have one output"))),
        }
    }

    /// Runs graph `name`, of one input and one output, in strips; see [`Graph::run_in_strips`].
    pub(crate) fn run_in_strips(
        self,
        name: &str,
        input: Shape,
        source: &mut dyn FnMut(&Rows) -> Result<Tensor>,
        sink: &mut dyn FnMut(Rows, View<'_>) -> Result<()>,
    ) -> Result<()> {
        let graph = self.networks.graph(name, self.job.rt)?;
        let done = graph.run_in_strips(self.job, input, source, sink);
        done.map_err(|e| blame_data(e).at(format!("graph '{name}'")))
    }
}
