//! A graph with its kernels, packed for one instruction set.

use std::sync::Arc;

use lcrs_core::{Error, Result, Runtime, Simd};

use super::kernel::Kernel;
use super::op::Shape;
use super::plan::{self, Unit};
use super::program::{list, Program};
use crate::tensors::TensorView;

/// A network, ready to run.
#[derive(Debug)]
pub struct Graph {
    pub(super) program: Arc<Program>,
    /// One for each node.
    pub(super) kernels: Vec<Kernel>,
    /// What runs together.
    pub(super) units: Vec<Unit>,
    /// For each value the last unit that takes it; `usize::MAX` for an output, which outlives them all.
    pub(super) last_use: Vec<usize>,
}

impl Graph {
    /// A graph from its JSON description, with kernels for `simd`. `tensors` finds a tensor by name.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::UnsupportedVersion`] for another version, an unknown operation or attribute,
    /// [`lcrs_core::ErrorKind::Corrupt`] for everything else that is wrong. Messages name the place.
    pub fn new<'t>(json: &str, tensors: impl Fn(&str) -> Option<TensorView<'t>>, simd: Simd) -> Result<Self> {
        let json = serde_json::from_str(json).map_err(|e| Error::corrupt(format!("graph is not JSON: {e}")))?;
        let program = Program::parse(&json, &tensors)?;
        let mut kernels = list(program.nodes.len())?;
        for node in &program.nodes {
            kernels.push(Kernel::of(node, &tensors, simd)?);
        }
        Self::with_kernels(Arc::new(program), kernels)
    }

    /// A graph of a program that was parsed with the same tensors, its nodes prepared side by side. The program is shared: of large
    /// ones a copy for each instruction set would be memory that nobody has asked for.
    pub(crate) fn prepared<'t>(
        program: Arc<Program>,
        tensors: &(dyn Fn(&str) -> Option<TensorView<'t>> + Sync),
        rt: &Runtime,
    ) -> Result<Self> {
        let prepare = |i: usize| Kernel::of(&program.nodes[i], &|name| tensors(name), rt.simd);
        let kernels = rt.pool.try_map(program.nodes.len(), "kernels of a graph", prepare)?;
        Self::with_kernels(program, kernels)
    }

    fn with_kernels(program: Arc<Program>, kernels: Vec<Kernel>) -> Result<Self> {
        let units = plan::units(&program)?;
        let last_use = plan::last_uses(&program, &units)?;
        Ok(Self { program, kernels, units, last_use })
    }

    /// The names of the inputs, in order.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.program.inputs
    }

    /// The shape of the single output for a single input.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] if shapes do not go together, or there is not one of each.
    pub(crate) fn output_shape(&self, input: Shape) -> Result<Shape> {
        let shapes = self.program.shapes(&[input])?;
        match self.program.outputs.as_slice() {
            [(_, output)] => Ok(shapes[*output]),
            outputs => Err(Error::corrupt(format!("{} outputs, must be one", outputs.len()))),
        }
    }

    /// The names of the outputs, in order.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.program.outputs.iter().map(|(name, _)| name.as_str())
    }
}
