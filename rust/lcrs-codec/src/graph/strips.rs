//! Running a graph strip by strip, so that large pictures need little memory.

use lcrs_core::exact::Tensor;
use lcrs_core::{Error, Limits, Result, Runtime};

use super::op::Shape;
use super::rows::Rows;
use super::run::{Job, Slot};
use super::Graph;

/// Bytes that the values of one strip may take: so much that the halos of usual networks cost little time.
const STRIP_BYTES: u64 = 192 << 20;

/// Very large pictures take no more strips than this, for the same reason.
const MAX_STRIPS: u64 = 16;

impl Graph {
    /// Runs a graph of one input and one output on an input of shape `input`. `source` gives the rows of the input that
    /// are asked for, `sink` takes the rows of the output, from the top, each once. The bits are those of [`Graph::run`].
    ///
    /// # Errors
    /// As [`Graph::run`], but memory is needed for one strip at a time only; what `source` and `sink` return.
    pub(crate) fn run_in_strips(
        &self,
        rt: &Runtime,
        limits: &Limits,
        level: Option<f32>,
        input: Shape,
        source: &mut dyn FnMut(&Rows) -> Result<Tensor>,
        sink: &mut dyn FnMut(Rows, Tensor) -> Result<()>,
    ) -> Result<()> {
        let shapes = self.program.shapes(&[input])?;
        let [(_, output)] = self.program.outputs.as_slice() else {
            return Err(Error::corrupt("a graph that runs in strips must have one output"));
        };
        let height = shapes[*output].height;
        let rows_at_once = self.rows_at_once(&shapes, height, limits);
        for first in (0..height).step_by(rows_at_once) {
            let wanted = first..height.min(first + rows_at_once);
            let rows = self.program.needed_rows(&shapes, |_| wanted.clone());
            self.program.check_memory(&strip(&shapes, &rows), limits)?;
            let slots = vec![Slot::Owned(source(&rows[0])?)];
            let mut outputs = self.execute(slots, &rows, &shapes, Job { rt, limits, level })?;
            let (_, tensor) = outputs.pop().ok_or_else(|| Error::corrupt("the graph has no output"))?;
            sink(wanted, tensor)?;
        }
        Ok(())
    }

    /// As many output rows as the budget holds, at least one; strips of nearly equal size.
    fn rows_at_once(&self, shapes: &[Shape], height: usize, limits: &Limits) -> usize {
        let whole = self.program.peak_bytes(shapes);
        let budget = STRIP_BYTES.max(whole / MAX_STRIPS).min(limits.max_bytes);
        let mut num_strips = 1;
        loop {
            let rows = height.div_ceil(num_strips).max(1);
            // A strip in the middle has a halo on both sides.
            let first = (height - rows) / 2;
            let needed = self.program.needed_rows(shapes, |_| first..first + rows);
            if rows == 1 || self.program.peak_bytes(&strip(shapes, &needed)) <= budget {
                return rows;
            }
            num_strips *= 2;
        }
    }
}

/// The shapes of the values of one strip.
fn strip(shapes: &[Shape], rows: &[Rows]) -> Vec<Shape> {
    shapes.iter().zip(rows).map(|(shape, rows)| Shape { height: rows.len(), ..*shape }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lcrs_core::Simd;
    use serde_json::{json, Value};

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

    /// Every strip height of `graph` must give the bits of the whole.
    fn check(graph: &Graph, height: usize) {
        let (rt, limits) = (Runtime::serial(), Limits::default());
        let data = (0..2 * height * WIDTH).map(|i| ((i * 29 % 113) as f32 - 56.0) / 32.0).collect();
        let x = Tensor::from_vec(2, height, WIDTH, data).unwrap();
        let Ok(mut whole) = graph.run(&rt, &limits, std::slice::from_ref(&x), None) else {
            return;
        };
        let whole = whole.pop().unwrap().1;
        let shapes = graph.program.shapes(&[Shape::from(&x)]).unwrap();
        for rows_at_once in 1..=whole.height() {
            let mut first = 0;
            while first < whole.height() {
                let wanted = first..whole.height().min(first + rows_at_once);
                let rows = graph.program.needed_rows(&shapes, |_| wanted.clone());
                let input = super::super::run::cut(&x, &(0..height), &rows[0]).unwrap();
                let job = Job { rt: &rt, limits: &limits, level: None };
                let strip = graph.execute(vec![Slot::Owned(input)], &rows, &shapes, job).unwrap().pop().unwrap().1;
                let expected = super::super::run::cut(&whole, &(0..whole.height()), &wanted).unwrap();
                assert_eq!(strip, expected, "rows {wanted:?} of {height}");
                first = wanted.end;
            }
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

    #[test]
    fn strips_are_as_large_as_the_budget() {
        let graph = graph(&chain(&[conv(3, 1, 1), conv(3, 1, 1)]));
        let rows_for = |height: usize, max_bytes: u64| {
            let mut limits = Limits::default();
            limits.max_bytes = max_bytes;
            let shapes = graph.program.shapes(&[Shape::new(2, height, 1000)]).unwrap();
            graph.rows_at_once(&shapes, height, &limits)
        };
        assert_eq!(rows_for(100, u64::MAX), 100);
        assert_eq!(rows_for(100, 1), 1);
        // 25 rows of output need 27 rows in between and 29 of the input, of eight bytes a column
        assert_eq!(rows_for(100, 8 * 1000 * (27 + 29)), 25);
        assert_eq!(rows_for(100, 8 * 1000 * (27 + 29) - 1), 13);
        // a sixteenth of the picture would have a halo too much
        assert_eq!(rows_for(1 << 20, u64::MAX), 1 << 15);
    }
}
