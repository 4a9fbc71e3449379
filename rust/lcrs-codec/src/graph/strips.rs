//! Running a graph strip by strip, so that large pictures need little memory.

use lcrs_core::exact::{Tensor, View};
use lcrs_core::{Error, Result};

use super::job::Job;
use super::op::Shape;
use super::prepared::Graph;
use super::rows::Rows;
use super::slot::Slot;
use super::tiled::{nothing_left, Strip};

/// Bytes that the values of one strip may take: so many that all threads have work, so few that they stay near the processor.
const STRIP_BYTES: u64 = 48 << 20;

impl Graph {
    /// Runs a graph of one input and one output on an input of shape `input`. `source` gives the rows of the input that
    /// are asked for, `sink` takes the rows of the output, from the top, each once. The bits are those of [`Graph::run`].
    ///
    /// # Errors
    /// As [`Graph::run`], but memory is needed for one strip at a time only; what `source` and `sink` return.
    pub(crate) fn run_in_strips(
        &self,
        job: Job<'_>,
        input: Shape,
        source: &mut dyn FnMut(&Rows) -> Result<Tensor>,
        sink: &mut dyn FnMut(Rows, View<'_>) -> Result<()>,
    ) -> Result<()> {
        let shapes = self.program.shapes(&[input])?;
        let height = self.program.outputs.first().map_or(0, |(_, output)| shapes[*output].height);
        self.run_rows_at_once(self.rows_at_once(&shapes, height, job)?, job, &shapes, source, sink)
    }

    /// Runs in strips of so many rows of the output.
    pub(super) fn run_rows_at_once(
        &self,
        rows_at_once: usize,
        job: Job<'_>,
        shapes: &[Shape],
        source: &mut dyn FnMut(&Rows) -> Result<Tensor>,
        sink: &mut dyn FnMut(Rows, View<'_>) -> Result<()>,
    ) -> Result<()> {
        let ([(_, output)], 1) = (self.program.outputs.as_slice(), self.program.inputs.len()) else {
            return Err(Error::corrupt("a graph that runs in strips must have one input and one output"));
        };
        let height = shapes[*output].height;
        let wanted = |first: usize| first..height.min(first + rows_at_once);
        let mut left = nothing_left(shapes.len())?;
        let mut strip = self.strip(shapes, &Strip::nothing(shapes.len())?.rows, |_| wanted(0))?;
        for first in (0..height).step_by(rows_at_once) {
            let wanted_now = wanted(first);
            let next = match wanted_now.end < height {
                true => Some(self.strip(shapes, &strip.rows, |_| wanted(wanted_now.end))?),
                false => None,
            };
            self.check_strip(&strip, next.as_ref(), shapes, job)?;
            let bytes = self.strip_bytes(&strip, next.as_ref(), shapes, job.rt.pool.threads());
            job.rt.settle(job.limits.max_bytes.saturating_sub(bytes));
            let slots = vec![Slot::Owned(source(&strip.rows[0])?)];
            let mut outputs =
                self.run_strip(slots, &strip, next.as_ref(), &mut left, shapes, job).or_else(|error| {
                    let rows = self.program.needed_rows(shapes, |_| wanted_now.clone())?;
                    self.refuse(error, || Ok(vec![Slot::Owned(source(&rows[0])?)]), &rows, shapes, job)
                })?;
            let (_, tensor) = outputs.pop().ok_or_else(|| Error::corrupt("the graph has no output"))?;
            let there = &strip.rows[*output];
            sink(
                wanted_now.clone(),
                tensor.view().rows(wanted_now.start - there.start..wanted_now.end - there.start)?,
            )?;
            match next {
                Some(next) => strip = next,
                None => break,
            }
        }
        Ok(())
    }

    /// As many output rows as the budget holds, at least one; strips of nearly equal size. Where operations need whole maps, and the
    /// limits allow it, as many as save memory.
    fn rows_at_once(&self, shapes: &[Shape], height: usize, job: Job<'_>) -> Result<usize> {
        let budget = STRIP_BYTES.min(job.limits.max_bytes);
        let threads = job.rt.pool.threads();
        let reaches_far = self.program.nodes.iter().any(|node| node.op.reaches_far());
        let none = Strip::nothing(shapes.len())?.rows;
        let (mut num_strips, mut before) = (1, None);
        loop {
            let rows = height.div_ceil(num_strips).max(1);
            // The first strip computes more than the others, the second one is left something and leaves something.
            let plan = |before: &[Rows], k: usize| {
                let first = height.min(k * rows);
                let strip = (first < height).then(|| self.strip(shapes, before, |_| first..height.min(first + rows)));
                strip.transpose()
            };
            let next = |strip: &Option<Strip>, k: usize| match strip {
                Some(strip) => plan(&strip.rows, k),
                None => Ok(None),
            };
            let first = plan(&none, 0)?;
            let second = next(&first, 1)?;
            let third = next(&second, 2)?;
            let bytes = |strip: &Option<Strip>, next: &Option<Strip>| {
                strip.as_ref().map_or(0, |strip| self.strip_bytes(strip, next.as_ref(), shapes, threads))
            };
            let bytes = bytes(&first, &second).max(bytes(&second, &third));
            if rows == 1 || bytes <= budget {
                return Ok(rows);
            }
            // thinner strips hardly help where values are needed as a whole, and cost copies of what is left
            match before {
                Some((rows, before)) if reaches_far && before <= job.limits.max_bytes && bytes > before / 8 * 7 => {
                    return Ok(rows);
                }
                _ => before = Some((rows, bytes)),
            }
            num_strips *= 2;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lcrs_core::{Limits, Runtime, Simd};
    use serde_json::{json, Value};

    use super::super::run::cut;
    use super::*;
    use crate::tensors::TensorView;

    const WIDTH: usize = 9;

    /// A graph of two channels with weights that differ everywhere.
    fn graph(nodes: &Value) -> Graph {
        let weights: Vec<f32> = (0..4 * 49).map(|i| ((i * 37 % 101) as f32 - 50.0) / 64.0).collect();
        let find = |name: &str| {
            let kernel: usize = name.strip_prefix('w').unwrap_or("0").parse().unwrap_or(0);
            let numbers = &weights[..4 * kernel.max(1) * kernel.max(1)];
            let shape = vec![2, 2, kernel.max(1), kernel.max(1)];
            let vector = || TensorView::f32(&[2], &[0.5, 1.5]).unwrap();
            let tensor = || TensorView::new(shape.clone(), crate::TensorData::F32(numbers.to_vec().into())).unwrap();
            Some(if name == "v" { vector() } else { tensor() })
        };
        let last = nodes.as_array().unwrap().len();
        let json = json!({"version": 1, "inputs": ["x"], "outputs": [["y", last]], "nodes": nodes});
        Graph::new(&json.to_string(), find, Simd::detect()).unwrap()
    }

    fn conv(kernel: usize, stride: usize, padding: usize) -> Value {
        json!({"op": "conv2d", "place": "", "weight": format!("w{kernel}"), "stride": [stride, 1],
               "padding": [padding, kernel / 2], "groups": 1})
    }

    fn up(kernel: usize, stride: usize, padding: usize, output_padding: usize) -> Value {
        json!({"op": "conv_transpose2d", "place": "", "weight": format!("w{kernel}"), "stride": [stride, 1],
               "padding": [padding, kernel / 2], "output_padding": [output_padding, 0], "groups": 1})
    }

    /// Appends each of `nodes` to the one before.
    fn chain(nodes: &[Value]) -> Value {
        let linked = nodes.iter().enumerate().map(|(i, node)| {
            let mut node = node.clone();
            node["in"] = json!([i]);
            node
        });
        linked.collect()
    }

    /// Every strip height of `graph` must give the bits of the whole, run node by node.
    fn check(graph: &Graph, height: usize) {
        let (rt, limits) = (Runtime::serial(), Limits::default());
        let job = Job { rt: &rt, limits: &limits, level: None };
        let data = (0..2 * height * WIDTH).map(|i| ((i * 29 % 113) as f32 - 56.0) / 32.0).collect();
        let x = Tensor::from_vec(2, height, WIDTH, data).unwrap();
        let Ok(shapes) = graph.program.shapes(&[Shape::from(&x)]) else { return };
        let rows: Vec<Rows> = shapes.iter().map(|shape| 0..shape.height).collect();
        let whole = graph.execute(vec![Slot::Borrowed(&x)], &rows, &shapes, job).unwrap().pop().unwrap().1;
        assert_eq!(graph.run(&rt, &limits, std::slice::from_ref(&x), None).unwrap()[0].1, whole, "in one piece");
        for rows_at_once in 1..=whole.height() {
            let mut next = 0;
            let mut source = |rows: &Rows| cut(&x, &(0..height), rows, job);
            let mut sink = |rows: Rows, strip: View<'_>| {
                assert_eq!(rows.start, next);
                assert_eq!(strip.data(), whole.view().rows(rows.clone()).unwrap().data(), "rows {rows:?} of {height}");
                next = rows.end;
                Ok(())
            };
            graph.run_rows_at_once(rows_at_once, job, &shapes, &mut source, &mut sink).unwrap();
            assert_eq!(next, whole.height());
        }
    }

    #[test]
    fn every_geometry_gives_the_bits_of_the_whole() {
        for kernel in 1..=7 {
            for stride in 1..=4 {
                for padding in 0..=kernel {
                    for height in [1, 2, 5, 12] {
                        check(&graph(&chain(&[conv(kernel, stride, padding)])), height);
                        for output_padding in 0..stride {
                            check(&graph(&chain(&[up(kernel, stride, padding, output_padding)])), height);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_whole_pyramid_gives_the_bits_of_the_whole() {
        let unshuffle = json!({"op": "pixel_unshuffle", "place": "", "factor": 1});
        let shuffle = json!({"op": "pixel_shuffle", "place": "", "factor": 1});
        let relu = json!({"op": "leaky_relu", "place": "", "slope": 0.1});
        let nodes =
            [conv(5, 2, 2), unshuffle, relu.clone(), conv(3, 1, 1), up(4, 2, 1, 0), relu, shuffle, conv(7, 1, 3)];
        for height in [1, 2, 8, 13, 24] {
            check(&graph(&chain(&nodes)), height);
        }
    }

    #[test]
    fn branches_and_vectors_give_the_bits_of_the_whole() {
        let mut far = conv(7, 1, 3);
        far["in"] = json!([0]);
        let mut near = conv(3, 1, 1);
        near["in"] = json!([1]);
        let nodes = json!([
            far,
            near,
            {"op": "add", "in": [1, 2], "place": ""},
            {"op": "constant", "in": [], "place": "", "tensor": "v"},
            {"op": "mul", "in": [4, 3], "place": ""},
            {"op": "concat", "in": [5, 0, 2], "place": ""},
            {"op": "slice", "in": [6], "place": "", "start": 1, "length": 4},
        ]);
        for height in [1, 4, 11] {
            check(&graph(&nodes), height);
        }
    }

    /// Maps that are needed as a whole are not copied from strip to strip to save the little that other values take.
    #[test]
    fn strips_stay_thick_where_they_save_nothing() {
        let norm = json!({"op": "normalise", "place": "", "groups": 1, "spatial": true, "epsilon": 1e-5});
        let rt = Runtime::serial();
        let rows_for = |nodes: &[Value], max_bytes: u64| {
            let mut limits = Limits::default();
            limits.max_bytes = max_bytes;
            let graph = graph(&chain(nodes));
            let shapes = graph.program.shapes(&[Shape::new(2, 1 << 13, 1000)]).unwrap();
            graph.rows_at_once(&shapes, 1 << 13, Job { rt: &rt, limits: &limits, level: None }).unwrap()
        };
        let whole = 8 * 1000 * (1 << 13);
        assert!(rows_for(&[conv(3, 1, 1), conv(3, 1, 1)], u64::MAX) < 1 << 12);
        assert!(rows_for(&[conv(3, 1, 1), norm.clone()], u64::MAX) >= 1 << 12);
        // beyond the limits they go as thin as they can
        assert_eq!(rows_for(&[conv(3, 1, 1), norm], 2 * whole - 1), 1);
    }

    #[test]
    fn strips_are_as_large_as_the_budget() {
        let graph = graph(&chain(&[conv(3, 1, 1), conv(3, 1, 1)]));
        let rt = Runtime::serial();
        let rows_for = |height: usize, max_bytes: u64| {
            let mut limits = Limits::default();
            limits.max_bytes = max_bytes;
            let shapes = graph.program.shapes(&[Shape::new(2, height, 1000)]).unwrap();
            graph.rows_at_once(&shapes, height, Job { rt: &rt, limits: &limits, level: None }).unwrap()
        };
        assert_eq!(rows_for(100, u64::MAX), 100);
        assert_eq!(rows_for(100, 1), 1);
        // A strip of 25 rows in the middle takes 27 rows of the input, since two are left from the strip before; of what is
        // between it has 25 rows and those two, and leaves two; there is a tile of work, and eight bytes a column.
        let bytes = 8 * 1000 * (27 + 27 + 2) + 8 * (25 + 3) * (1000 + 3);
        assert_eq!(rows_for(100, bytes), 25);
        assert_eq!(rows_for(100, bytes - 1), 13);
        assert!((1..=1 << 12).contains(&rows_for(1 << 20, u64::MAX)));
    }
}
