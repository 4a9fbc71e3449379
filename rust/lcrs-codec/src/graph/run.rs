//! The interpreter: one node after the other, values freed as soon as nobody takes them any more.

use lcrs_core::exact::{concat, pixel_shuffle, pixel_unshuffle, slice, Tensor};
use lcrs_core::{Error, Limits, Result, Runtime};

use super::kernel::{interpolate, Kernel};
use super::op::{Op, Shape};
use super::Graph;

/// What a job hands to every node.
#[derive(Clone, Copy)]
struct Job<'a> {
    rt: &'a Runtime,
    limits: &'a Limits,
    level: Option<f32>,
}

enum Slot<'a> {
    /// An input, which belongs to the caller.
    Borrowed(&'a Tensor),
    Owned(Tensor),
    /// Nobody takes it any more.
    Free,
}

impl Slot<'_> {
    fn get(&self) -> Result<&Tensor> {
        match self {
            Self::Borrowed(tensor) => Ok(tensor),
            Self::Owned(tensor) => Ok(tensor),
            Self::Free => Err(Error::corrupt("value is used after its last use")),
        }
    }

    /// The tensor, for changing in place: moved out if `is_last`, else copied.
    fn take(&mut self, is_last: bool) -> Result<Tensor> {
        if is_last && matches!(self, Self::Owned(_)) {
            if let Self::Owned(tensor) = std::mem::replace(self, Self::Free) {
                return Ok(tensor);
            }
        }
        self.get().cloned()
    }
}

impl From<&Tensor> for Shape {
    fn from(tensor: &Tensor) -> Self {
        Self::new(tensor.channels(), tensor.height(), tensor.width())
    }
}

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
        let shapes: Vec<Shape> = inputs.iter().map(Shape::from).collect();
        self.program.plan(&shapes, limits)?;
        let job = Job { rt, limits, level };
        let mut slots: Vec<Slot<'_>> = inputs.iter().map(Slot::Borrowed).collect();
        for i in 0..self.program.nodes.len() {
            let result = self.step(i, &mut slots, job).map_err(|e| e.at(&self.program.nodes[i].place))?;
            slots.push(Slot::Owned(result));
            for value in self.program.dying(i, slots.len() - 1) {
                slots[value] = Slot::Free;
            }
        }
        self.collect(slots)
    }

    fn step(&self, i: usize, slots: &mut [Slot<'_>], job: Job<'_>) -> Result<Tensor> {
        let Job { rt, limits, level } = job;
        let node = &self.program.nodes[i];
        if let Op::Unary(function) = &node.op {
            let value = node.inputs[0];
            let mut tensor = slots[value].take(self.program.last_use[value] == i)?;
            function.apply(rt, &mut tensor);
            return Ok(tensor);
        }
        let input = |n: usize| slots[node.inputs[n]].get();
        match (&node.op, &self.kernels[i]) {
            (_, Kernel::Conv2d(conv)) => conv.run(rt, limits, input(0)?),
            (_, Kernel::ConvTranspose2d(conv)) => conv.run(rt, limits, input(0)?),
            (_, Kernel::Gdn(gdn)) => gdn.run(rt, limits, input(0)?),
            (_, Kernel::Constant(tensor)) => Ok(tensor.clone()),
            (_, Kernel::Interpolate(levels)) => {
                let level =
                    level.ok_or_else(|| Error::invalid("a variable-rate graph needs a level, none is given"))?;
                interpolate(levels, level, rt, limits)
            }
            (Op::Binary(function), _) => function.run(rt, limits, input(0)?, input(1)?),
            (Op::PixelShuffle { factor }, _) => pixel_shuffle(rt, limits, input(0)?, *factor),
            (Op::PixelUnshuffle { factor }, _) => pixel_unshuffle(rt, limits, input(0)?, *factor),
            (Op::Slice { start, length }, _) => slice(limits, input(0)?, *start, *length),
            (Op::Concat, _) => {
                let inputs = (0..node.inputs.len()).map(input).collect::<Result<Vec<_>>>()?;
                concat(limits, &inputs)
            }
            (op, _) => Err(Error::corrupt(format!("operation {op:?} has no kernel"))),
        }
    }

    fn collect(&self, mut slots: Vec<Slot<'_>>) -> Result<Vec<(String, Tensor)>> {
        let outputs = &self.program.outputs;
        let take = |(i, (name, value)): (usize, &(String, usize))| {
            let is_last = outputs[i + 1..].iter().all(|(_, later)| later != value);
            Ok((name.clone(), slots[*value].take(is_last)?))
        };
        outputs.iter().enumerate().map(take).collect()
    }
}
