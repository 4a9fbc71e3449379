//! Cutting a graph where the level comes in, so that what lies before is run once for many levels.

use lcrs_core::Result;

use super::op::Op;
use super::program::{last_uses, list, list_of, Node, Program};

/// The parts of a graph of one input and one output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parts {
    /// Gives a value that is the same at every level.
    pub before: Program,
    /// Makes the output of that value; `None` if it is the output.
    pub after: Option<Program>,
}

impl Program {
    /// Cuts the graph at the last value that does not depend on the level and that everything of the input goes
    /// through. `None` if there is no such value but the input itself, or if there are several inputs or outputs.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Limit`] if memory is short.
    pub(crate) fn split_at_level(&self) -> Result<Option<Parts>> {
        let ([_], [(name, output)]) = (self.inputs.as_slice(), self.outputs.as_slice()) else {
            return Ok(None);
        };
        let needed = self.needed_for(*output)?;
        let (mut of_input, mut of_level) = (list(1 + self.nodes.len())?, list(1 + self.nodes.len())?);
        of_input.push(true);
        of_level.push(false);
        // For each value the last needed node that takes it; so the cut is a value that no earlier one reaches beyond.
        let mut reach = list_of(1 + self.nodes.len(), 0)?;
        for (i, node) in self.nodes.iter().enumerate() {
            let any = |of: &[bool]| node.inputs.iter().any(|value| of[*value]);
            let (input, level) = (any(&of_input), any(&of_level) || matches!(node.op, Op::Interpolate { .. }));
            of_input.push(input);
            of_level.push(level);
            if needed[1 + i] {
                node.inputs.iter().for_each(|value| reach[*value] = 1 + i);
            }
        }
        let (mut cut, mut furthest) = (0, 0);
        for value in (0..of_input.len()).filter(|value| needed[*value] && of_input[*value]) {
            if !of_level[value] && furthest <= value {
                cut = value;
            }
            furthest = furthest.max(reach[value]);
        }
        if cut == 0 {
            return Ok(None);
        }
        let after = if cut == *output { None } else { Some(self.part(cut, *output, name)?) };
        Ok(Some(Parts { before: self.part(0, cut, "before")?, after }))
    }

    /// Whether each value is needed for `output`.
    fn needed_for(&self, output: usize) -> Result<Vec<bool>> {
        let mut needed = list_of(1 + self.nodes.len(), false)?;
        needed[output] = true;
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if needed[1 + i] {
                node.inputs.iter().for_each(|value| needed[*value] = true);
            }
        }
        Ok(needed)
    }

    /// The nodes that make value `to`, called `name`, of value `from`, which is the only input.
    fn part(&self, from: usize, to: usize, name: &str) -> Result<Self> {
        let mut needed = list_of(1 + self.nodes.len(), false)?;
        needed[to] = true;
        for value in (1..=to).rev().filter(|value| *value != from) {
            if needed[value] {
                self.nodes[value - 1].inputs.iter().for_each(|input| needed[*input] = true);
            }
        }
        let mut places = list_of(1 + self.nodes.len(), 0)?;
        let mut nodes = list(needed.iter().filter(|needed| **needed).count())?;
        for value in (1..=to).filter(|value| needed[*value] && *value != from) {
            let Node { op, inputs, place } = &self.nodes[value - 1];
            let inputs = inputs.iter().map(|input| places[*input]).collect();
            nodes.push(Node { op: op.clone(), inputs, place: place.clone() });
            places[value] = nodes.len();
        }
        let outputs = vec![(name.to_owned(), places[to])];
        let last_use = last_uses(1, &nodes, &outputs)?;
        Ok(Self { inputs: self.inputs.clone(), outputs, nodes, last_use })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use lcrs_core::exact::Tensor;
    use lcrs_core::{Limits, Runtime};
    use serde_json::{json, Value};

    use super::super::Graph;
    use super::*;
    use crate::tensors::TensorView;

    fn find(name: &str) -> Option<TensorView<'static>> {
        const ROWS: [f32; 6] = [0.5, 1.0, 1.5, 2.0, 2.5, 3.5];
        match name {
            "gain" => Some(TensorView::f32(&[3, 2], &ROWS).unwrap()),
            "bias" => Some(TensorView::f32(&[2], &ROWS[..2]).unwrap()),
            _ => None,
        }
    }

    fn program(nodes: &Value, output: usize) -> Program {
        let json = json!({"version": 1, "inputs": ["x"], "outputs": [["y", output]], "nodes": nodes});
        Program::parse(&json, &find).unwrap()
    }

    /// Nodes of the parts, after a check that they give the bits of the whole at several levels.
    fn parts(nodes: &Value, output: usize) -> Option<(usize, Option<usize>)> {
        let program = program(nodes, output);
        let parts = program.split_at_level().unwrap()?;
        let (rt, limits) = (Runtime::serial(), Limits::default());
        let run = |program: &Program, x: &Tensor, level: f32| {
            let graph = Graph::prepared(Arc::new(program.clone()), &find, &Runtime::serial()).unwrap();
            graph.run(&rt, &limits, std::slice::from_ref(x), Some(level)).unwrap().pop().unwrap().1
        };
        let x = Tensor::from_vec(2, 1, 3, vec![1.0, -2.0, 3.0, -4.0, 5.0, -6.0]).unwrap();
        let between = run(&parts.before, &x, 0.0);
        for level in [0.0, 0.3, 2.0] {
            assert_eq!(run(&parts.before, &x, level), between);
            let y = parts.after.as_ref().map_or(between.clone(), |after| run(after, &between, level));
            assert_eq!(y, run(&program, &x, level));
        }
        Some((parts.before.nodes.len(), parts.after.map(|after| after.nodes.len())))
    }

    fn gain() -> Value {
        json!({"op": "interpolate", "in": [], "tensor": "gain", "place": ""})
    }

    fn op(name: &str, inputs: &[usize]) -> Value {
        json!({"op": name, "in": inputs, "place": ""})
    }

    #[test]
    fn a_gain_at_the_end_leaves_all_before_it() {
        let nodes = json!([gain(), op("exp", &[1]), op("relu", &[0]), op("abs", &[3]), op("mul", &[4, 2])]);
        assert_eq!(parts(&nodes, 5), Some((2, Some(3))));
    }

    #[test]
    fn a_graph_without_a_level_is_all_before() {
        let bias = json!({"op": "constant", "in": [], "tensor": "bias", "place": ""});
        assert_eq!(parts(&json!([op("abs", &[0]), bias, op("add", &[1, 2])]), 3), Some((3, None)));
        // what is not needed for the output does not count
        assert_eq!(parts(&json!([op("abs", &[0]), gain(), op("mul", &[1, 2])]), 1), Some((1, None)));
    }

    /// A residual branch with a gain needs the value that it starts from, too.
    #[test]
    fn nothing_goes_round_the_cut() {
        let nodes = json!([op("abs", &[0]), op("exp", &[1]), gain(), op("mul", &[2, 3]), op("add", &[1, 4])]);
        assert_eq!(parts(&nodes, 5), Some((1, Some(4))));
        let nodes = json!([op("abs", &[0]), gain(), op("mul", &[1, 2]), op("add", &[3, 0])]);
        assert_eq!(parts(&nodes, 4), None);
    }

    #[test]
    fn constants_are_in_the_part_that_takes_them() {
        let bias = json!({"op": "constant", "in": [], "tensor": "bias", "place": ""});
        let nodes = json!([bias, gain(), op("add", &[0, 1]), op("abs", &[3]), op("mul", &[4, 2]), op("add", &[5, 1])]);
        assert_eq!(parts(&nodes, 6), Some((3, Some(4))));
    }

    #[test]
    fn a_gain_of_the_input_leaves_nothing() {
        assert_eq!(parts(&json!([gain(), op("mul", &[0, 1])]), 2), None);
    }
}
