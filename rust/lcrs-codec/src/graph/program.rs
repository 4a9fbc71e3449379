//! A parsed graph: operations in an order in which each input exists, checked against their tensors.

use lcrs_core::{Error, Limits, Result};
use serde_json::Value;

use super::attributes::{check_version, Attributes};
use super::op::{Op, Shape};
use super::parse::parse_op;
use crate::tensors::Lookup;

/// The version of the graph description that this build reads, which is frozen.
pub(crate) const GRAPH_VERSION: u64 = 1;

/// Most operations of one graph: ten times what the largest known model needs.
const MAX_NODES: usize = 10_000;

/// Most inputs or outputs of one graph.
const MAX_FACES: usize = 64;

/// Most elements of one value, far beyond any memory; so sizes can be multiplied without care.
const MAX_ELEMENTS: u64 = 1 << 40;

/// Bytes of one element.
const ELEMENT: u64 = size_of::<f32>() as u64;

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub op: Op,
    /// The values it takes.
    pub inputs: Vec<usize>,
    /// The module that it was lowered from, for messages.
    pub place: String,
}

/// A graph in static single assignment form: value `i` is input `i`, or the result of node `i - inputs.len()`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    pub inputs: Vec<String>,
    pub outputs: Vec<(String, usize)>,
    pub nodes: Vec<Node>,
    /// For each value the last node that takes it; `usize::MAX` for an output, which outlives them all.
    pub last_use: Vec<usize>,
}

impl Program {
    /// Reads a graph description; see the crate's README.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::UnsupportedVersion`] for another version, an unknown operation or attribute,
    /// [`lcrs_core::ErrorKind::Corrupt`] for everything else that is wrong. Messages name the place.
    pub(crate) fn parse(graph: &Value, tensors: Lookup<'_, '_>) -> Result<Self> {
        let mut members = Attributes::new(graph, "graph")?;
        let version = members.required("version")?;
        check_version("graph", version, GRAPH_VERSION)?;
        let inputs = names(members.list("inputs")?)?;
        let nodes = members.list("nodes")?;
        if nodes.len() > MAX_NODES {
            return Err(Error::limit(format!("graph of {} operations, at most {MAX_NODES} are allowed", nodes.len())));
        }
        let nodes = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| parse_node(node, inputs.len() + i, tensors).map_err(|e| e.at(where_is(node, i))))
            .collect::<Result<Vec<_>>>()?;
        let outputs = parse_outputs(members.list("outputs")?, inputs.len() + nodes.len())?;
        members.finish()?;
        let last_use = last_uses(inputs.len(), &nodes, &outputs)?;
        Ok(Self { inputs, outputs, nodes, last_use })
    }

    /// Infers the shape of every value for inputs of these shapes; no value is allocated.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] if shapes do not go together, [`lcrs_core::ErrorKind::Limit`] for values beyond any
    /// memory, with the place, and if there is none for the shapes.
    pub(crate) fn shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        if inputs.len() != self.inputs.len() {
            return Err(Error::invalid(format!("{} inputs given, the graph has {}", inputs.len(), self.inputs.len())));
        }
        let mut shapes = list(inputs.len() + self.nodes.len())?;
        shapes.extend_from_slice(inputs);
        for node in &self.nodes {
            let taken: Vec<Shape> = node.inputs.iter().map(|value| shapes[*value]).collect();
            let shape = node.op.output(&taken).map_err(|e| e.at(&node.place))?;
            if shape.elements().is_none_or(|elements| elements > MAX_ELEMENTS) {
                return Err(Error::limit(format!("value of {shape} is too large")).at(&node.place));
            }
            shapes.push(shape);
        }
        Ok(shapes)
    }

    /// Multiply-accumulates of a run with values of these shapes.
    pub(crate) fn macs(&self, shapes: &[Shape]) -> u64 {
        let results = &shapes[self.inputs.len()..];
        let work = self.nodes.iter().zip(results).map(|(node, shape)| {
            let inputs: Vec<Shape> = node.inputs.iter().map(|value| shapes[*value]).collect();
            node.op.macs(&inputs, *shape)
        });
        work.fold(0, u64::saturating_add)
    }

    /// Checks that a run with values of these shapes, node by node, stays within the limits.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Limit`], with the first place that would exceed them.
    pub(crate) fn check_memory(&self, shapes: &[Shape], limits: &Limits) -> Result<()> {
        for (node, needed) in self.nodes.iter().zip(self.live_bytes(shapes)) {
            if needed > limits.max_bytes {
                let message = format!("values of {needed} bytes, at most {} are allowed (max_bytes)", limits.max_bytes);
                return Err(Error::limit(message).at(&node.place));
            }
        }
        Ok(())
    }

    /// For each node the bytes of all values that live while it runs.
    fn live_bytes<'a>(&'a self, shapes: &'a [Shape]) -> impl Iterator<Item = u64> + 'a {
        let num_inputs = self.inputs.len();
        let mut live = shapes[..num_inputs].iter().map(|shape| bytes(*shape)).fold(0, u64::saturating_add);
        (0..self.nodes.len()).map(move |i| {
            live = live.saturating_add(bytes(shapes[num_inputs + i]));
            let now = live.saturating_add(self.work_bytes(i, shapes, 1));
            let dead = self.dying(i, num_inputs + i).map(|value| bytes(shapes[value]));
            live = live.saturating_sub(dead.fold(0, u64::saturating_add));
            now
        })
    }

    /// Bytes that node `i` works with beside its inputs and its result, if it runs by itself.
    pub(super) fn work_bytes(&self, i: usize, shapes: &[Shape], threads: usize) -> u64 {
        let Node { op, inputs, .. } = &self.nodes[i];
        match op {
            Op::Spatial(op) => op.work_bytes(shapes[inputs[0]].into(), threads),
            Op::Attention { geometry, .. } => {
                let channels = [shapes[inputs[0]].channels, shapes[inputs[2]].channels];
                geometry.work_bytes(channels, threads)
            }
            _ => 0,
        }
    }

    /// The values that nobody takes after node `i`, whose own value is `result`.
    pub(crate) fn dying(&self, i: usize, result: usize) -> impl Iterator<Item = usize> + '_ {
        let mut values = self.nodes[i].inputs.clone();
        values.push(result);
        values.sort_unstable();
        values.dedup();
        values.into_iter().filter(move |value| self.last_use[*value] == i)
    }
}

/// An empty list with room for something of each of so many nodes or values.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`] if memory is short.
pub(super) fn list<T>(len: usize) -> Result<Vec<T>> {
    Limits::default().reserved(len, "a list of what a graph has")
}

/// A list of something of each of so many values, the same of all.
///
/// # Errors
/// As [`list`].
pub(super) fn list_of<T: Clone>(len: usize, each: T) -> Result<Vec<T>> {
    let mut values = list(len)?;
    values.resize(len, each);
    Ok(values)
}

/// Bytes of a value.
pub(super) fn bytes(shape: Shape) -> u64 {
    shape.elements().map_or(u64::MAX, |elements| elements.saturating_mul(ELEMENT))
}

fn where_is(node: &Value, i: usize) -> String {
    match node.get("place").and_then(Value::as_str) {
        Some(place) if !place.is_empty() => format!("node {i} at {place}"),
        _ => format!("node {i}"),
    }
}

fn names(list: &[Value]) -> Result<Vec<String>> {
    let names: Option<Vec<String>> = list.iter().map(|name| name.as_str().map(str::to_owned)).collect();
    let names = names.ok_or_else(|| Error::corrupt("'inputs' holds something other than strings"))?;
    if names.len() > MAX_FACES || (1..names.len()).any(|i| names[..i].contains(&names[i])) {
        return Err(Error::corrupt(format!(
            "'inputs' has {} names, must be at most {MAX_FACES}, all different",
            names.len()
        )));
    }
    Ok(names)
}

/// Inputs must be values that exist already: so there is no cycle and no forward reference.
fn parse_node(node: &Value, num_values: usize, tensors: Lookup<'_, '_>) -> Result<Node> {
    let mut members = Attributes::new(node, "node")?;
    let inputs = members.list("in")?.iter().map(|value| existing(value, num_values)).collect::<Result<Vec<_>>>()?;
    let place = members.text("place")?.to_owned();
    let op = parse_op(&mut members, tensors)?;
    members.finish()?;
    let is_legal = op.arity().map_or(!inputs.is_empty(), |arity| inputs.len() == arity);
    if !is_legal {
        let wanted = op.arity().map_or("1 or more".to_owned(), |arity| arity.to_string());
        return Err(Error::corrupt(format!("{} inputs, must be {wanted}", inputs.len())));
    }
    let place = if place.is_empty() { format!("value {num_values}") } else { place };
    Ok(Node { op, inputs, place })
}

fn existing(value: &Value, num_values: usize) -> Result<usize> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number
        .filter(|number| *number < num_values)
        .ok_or_else(|| Error::corrupt(format!("takes value {value}, only those below {num_values} exist")))
}

fn parse_outputs(list: &[Value], num_values: usize) -> Result<Vec<(String, usize)>> {
    let mut outputs: Vec<(String, usize)> = Vec::new();
    if list.is_empty() || list.len() > MAX_FACES {
        return Err(Error::corrupt(format!("{} outputs, must be 1 to {MAX_FACES}", list.len())));
    }
    for output in list {
        let Some([Value::String(name), value]) = output.as_array().map(Vec::as_slice) else {
            return Err(Error::corrupt("an output is not a pair of a name and a value"));
        };
        if outputs.iter().any(|(known, _)| known == name) {
            return Err(Error::corrupt(format!("output '{name}' is there twice")));
        }
        outputs.push((name.clone(), existing(value, num_values).map_err(|e| e.at(format!("output '{name}'")))?));
    }
    Ok(outputs)
}

/// A value that nobody takes dies at the node that made it.
///
/// # Errors
/// As [`list`].
pub(super) fn last_uses(num_inputs: usize, nodes: &[Node], outputs: &[(String, usize)]) -> Result<Vec<usize>> {
    let mut last_use = list(num_inputs + nodes.len())?;
    last_use.resize(num_inputs, usize::MAX);
    for (i, node) in nodes.iter().enumerate() {
        last_use.push(i);
        node.inputs.iter().for_each(|value| last_use[*value] = i);
    }
    outputs.iter().for_each(|(_, value)| last_use[*value] = usize::MAX);
    Ok(last_use)
}
