//! Runs of a whole graph, and the plain interpreter: one node after the other, values freed as soon as nobody takes them any more.
//!
//! The plain one says what the numbers are, and which node refuses which number at which place. Usually units of several nodes run
//! in its stead ([`super::tiled`]); where one of those meets a number that a layer refuses, the plain one runs again to say where.

use lcrs_core::exact::{concat, pixel_shuffle, pixel_unshuffle, slice, Placed, Tensor};
use lcrs_core::{Error, ErrorKind, Limits, Result, Runtime};

use super::job::Job;
use super::kernel::{interpolate, Kernel};
use super::op::{Op, Shape};
use super::prepared::Graph;
use super::program::list;
use super::rows::Rows;
use super::slot::Slot;
use super::tiled::{nothing_left, Strip};

impl Graph {
    /// Runs the graph on `inputs`, in the order of [`Graph::inputs`]. `level` is the place between the levels of a
    /// variable-rate model, from 0 to their number less one; a fixed-rate graph ignores it.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::InvalidArgument`] for inputs of the wrong number, a missing or illegal level, or numbers that
    /// stop being finite, [`lcrs_core::ErrorKind::Corrupt`] if shapes do not go together, [`lcrs_core::ErrorKind::Limit`] if
    /// values would exceed the limits. Messages name the place.
    pub fn run(
        &self,
        rt: &Runtime,
        limits: &Limits,
        inputs: &[Tensor],
        level: Option<f32>,
    ) -> Result<Vec<(String, Tensor)>> {
        let given: Vec<Shape> = inputs.iter().map(Shape::from).collect();
        let shapes = self.program.shapes(&given)?;
        let job = Job { rt, limits, level };
        let none = Strip::nothing(shapes.len())?.rows;
        let mut strip = self.strip(&shapes, &none, |output| 0..output.height)?;
        // Inputs are there as a whole, whatever of them is needed.
        (0..given.len()).for_each(|value| strip.rows[value] = 0..given[value].height);
        strip.lent = given.len();
        self.check_strip(&strip, None, &shapes, job)?;
        job.rt.settle(limits.max_bytes.saturating_sub(self.strip_bytes(&strip, None, &shapes, rt.pool.threads())));
        let slots = || inputs.iter().map(Slot::Borrowed).collect();
        let mut left = nothing_left(shapes.len())?;
        self.run_strip(slots(), &strip, None, &mut left, &shapes, job).or_else(|error| {
            let mut rows = self.program.needed_rows(&shapes, |output| 0..output.height)?;
            rows[..given.len()].clone_from_slice(&strip.rows[..given.len()]);
            self.refuse(error, || Ok(slots()), &rows, &shapes, job)
        })
    }

    /// The error of the plain interpreter, where units of nodes have refused a number.
    pub(super) fn refuse<'a, T>(
        &self,
        error: Error,
        inputs: impl FnOnce() -> Result<Vec<Slot<'a>>>,
        rows: &[Rows],
        shapes: &[Shape],
        job: Job<'_>,
    ) -> Result<T> {
        let mut strip = list(shapes.len())?;
        strip.extend(shapes.iter().zip(rows).map(|(s, rows)| Shape { height: rows.len(), ..*s }));
        if error.kind() != ErrorKind::InvalidArgument || self.program.check_memory(&strip, job.limits).is_err() {
            return Err(error);
        }
        self.execute(inputs()?, rows, shapes, job).map_or_else(Err, |_| Err(error))
    }

    /// Runs node by node on `inputs` that hold `rows` of each input, to give `rows` of each value.
    pub(super) fn execute(
        &self,
        inputs: Vec<Slot<'_>>,
        rows: &[Rows],
        shapes: &[Shape],
        job: Job<'_>,
    ) -> Result<Vec<(String, Tensor)>> {
        let mut slots = list(shapes.len())?;
        slots.extend(inputs);
        for i in 0..self.program.nodes.len() {
            let result = slots.len();
            if rows[result].is_empty() {
                slots.push(Slot::Free);
                continue;
            }
            job.rt.pool.check()?;
            let tensor = self.step(i, &mut slots, rows, shapes, job);
            slots.push(Slot::Owned(tensor.map_err(|e| e.at(&self.program.nodes[i].place))?));
            for value in self.program.dying(i, result) {
                slots[value] = Slot::Free;
            }
        }
        self.collect(slots, job)
    }

    /// The rows of node `i`'s value that are asked for.
    pub(super) fn step(
        &self,
        i: usize,
        slots: &mut [Slot<'_>],
        rows: &[Rows],
        shapes: &[Shape],
        job: Job<'_>,
    ) -> Result<Tensor> {
        let (node, result) = (&self.program.nodes[i], self.program.inputs.len() + i);
        let wanted = &rows[result];
        // Some operations are told where their rows lie.
        let placed = |value: usize| {
            let (there, height) = (&rows[value], shapes[value].height);
            slots[value].get().map(|tensor| Placed { rows: tensor.view(), first: there.start, height })
        };
        match (&node.op, &self.kernels[i], node.inputs.as_slice()) {
            (Op::Spatial(op), _, [value]) => return op.run(job.rt, job.limits, placed(*value)?, wanted),
            (_, Kernel::Attention(attention), [query, key, value]) => {
                let inputs = [placed(*query)?, placed(*key)?, placed(*value)?];
                return attention.run(job.rt, job.limits, inputs, wanted);
            }
            _ => {}
        }
        let mut operands = Vec::with_capacity(node.inputs.len());
        let mut first_row = wanted.start;
        // Inputs of other rows than are there are cut; others are taken as they are.
        let mut cuts: Vec<Option<Tensor>> = Vec::with_capacity(node.inputs.len());
        for (n, value) in node.inputs.iter().enumerate() {
            let needed = node.op.input_rows(wanted, shapes[*value], shapes[result]);
            if n == 0 {
                first_row = node.op.first_row(wanted, &needed);
            }
            cuts.push(if needed == rows[*value] {
                None
            } else {
                Some(cut(slots[*value].get()?, &rows[*value], &needed, job)?)
            });
        }
        if let Op::Unary(function) = &node.op {
            let value = node.inputs[0];
            let is_last = self.program.last_use[value] == i;
            let mut tensor = cuts.swap_remove(0).map_or_else(|| slots[value].take(is_last, job), Ok)?;
            function.apply(job.rt, &mut tensor)?;
            return Ok(tensor);
        }
        for (value, cut) in node.inputs.iter().zip(&cuts) {
            operands.push(match cut {
                Some(tensor) => tensor,
                None => slots[*value].get()?,
            });
        }
        let tensor = self.apply(i, &operands, job)?;
        let there = first_row..first_row + tensor.height();
        if there == *wanted {
            Ok(tensor)
        } else {
            cut(&tensor, &there, wanted, job)
        }
    }

    /// The whole result of node `i` for `inputs`.
    fn apply(&self, i: usize, inputs: &[&Tensor], job: Job<'_>) -> Result<Tensor> {
        let Job { rt, limits, level } = job;
        match (&self.program.nodes[i].op, &self.kernels[i]) {
            (_, Kernel::Conv2d(conv)) => conv.run(rt, limits, inputs[0]),
            (_, Kernel::ConvTranspose2d(conv)) => conv.run(rt, limits, inputs[0]),
            (_, Kernel::Gdn(gdn)) => gdn.run(rt, limits, inputs[0]),
            (_, Kernel::Constant(tensor)) => tensor.try_clone(rt, limits),
            (_, Kernel::Interpolate(levels)) => {
                let level =
                    level.ok_or_else(|| Error::invalid("a variable-rate graph needs a level, none is given"))?;
                interpolate(levels, level, rt, limits)
            }
            (Op::Binary(function), _) => function.run(rt, limits, inputs[0], inputs[1]),
            (Op::PixelShuffle { factor }, _) => pixel_shuffle(rt, limits, inputs[0], *factor),
            (Op::PixelUnshuffle { factor }, _) => pixel_unshuffle(rt, limits, inputs[0], *factor),
            (Op::Slice { start, length }, _) => slice(limits, inputs[0], *start, *length),
            (Op::Concat, _) => concat(limits, inputs),
            (op, _) => Err(Error::corrupt(format!("operation {op:?} has no kernel"))),
        }
    }

    pub(super) fn collect(&self, mut slots: Vec<Slot<'_>>, job: Job<'_>) -> Result<Vec<(String, Tensor)>> {
        let outputs = &self.program.outputs;
        let take = |(i, (name, value)): (usize, &(String, usize))| {
            let is_last = outputs[i + 1..].iter().all(|(_, later)| later != value);
            Ok((name.clone(), slots[*value].take(is_last, job)?))
        };
        outputs.iter().enumerate().map(take).collect()
    }
}

/// Rows `wanted` of a tensor that holds rows `there`.
pub(super) fn cut(tensor: &Tensor, there: &Rows, wanted: &Rows, job: Job<'_>) -> Result<Tensor> {
    if wanted.start < there.start || wanted.end > there.end {
        return Err(Error::corrupt(format!("rows {wanted:?} are needed, {there:?} are there")));
    }
    tensor.view().rows(wanted.start - there.start..wanted.end - there.start)?.to_tensor(job.rt, job.limits)
}
