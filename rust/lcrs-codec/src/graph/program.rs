//! A parsed graph: operations in an order in which each input exists, checked against their tensors.

use lcrs_core::{Error, Limits, Result};
use serde_json::Value;

use super::attributes::Attributes;
use super::op::{Op, Shape};
use super::parse::parse_op;
use crate::tensors::Lookup;

/// The version of the graph description that this build reads and writes.
pub(crate) const GRAPH_VERSION: u64 = 0;

/// Most operations of one graph: ten times what the largest known model needs.
const MAX_NODES: usize = 10_000;

/// Most inputs or outputs of one graph.
const MAX_FACES: usize = 64;

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

/// What a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The shape of each value.
    pub shapes: Vec<Shape>,
    /// Multiply-accumulates.
    pub macs: u64,
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
        if version.as_u64() != Some(GRAPH_VERSION) {
            return Err(Error::unsupported(format!("graph version {version}, this build reads {GRAPH_VERSION}")));
        }
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
        let last_use = last_uses(inputs.len(), &nodes, &outputs);
        Ok(Self { inputs, outputs, nodes, last_use })
    }

    /// Infers every shape for inputs of these shapes, before anything is allocated.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] if shapes do not go together, [`lcrs_core::ErrorKind::Limit`] if the
    /// values that live at one time would exceed the limit. Messages name the place.
    pub(crate) fn plan(&self, inputs: &[Shape], limits: &Limits) -> Result<Plan> {
        if inputs.len() != self.inputs.len() {
            return Err(Error::invalid(format!("{} inputs given, the graph has {}", inputs.len(), self.inputs.len())));
        }
        let mut plan = Plan { shapes: inputs.to_vec(), macs: 0 };
        let mut live = inputs.iter().try_fold(0_u64, |sum, shape| sum.checked_add(bytes(*shape)?));
        for (i, node) in self.nodes.iter().enumerate() {
            let taken: Vec<Shape> = node.inputs.iter().map(|value| plan.shapes[*value]).collect();
            let shape = node.op.output(&taken).map_err(|e| e.at(&node.place))?;
            live = live.zip(bytes(shape)).and_then(|(live, new)| live.checked_add(new));
            let now = live.filter(|now| *now <= limits.max_bytes).ok_or_else(|| {
                let needed = live.map_or("over 2^64".to_owned(), |now| now.to_string());
                Error::limit(format!("values of {needed} bytes, at most {} are allowed", limits.max_bytes))
                    .at(&node.place)
            })?;
            plan.macs = plan.macs.saturating_add(node.op.macs(taken.first().copied(), shape));
            plan.shapes.push(shape);
            let dead = self.dying(i, self.inputs.len() + i).map(|value| bytes(plan.shapes[value]).unwrap_or(0));
            live = Some(now - dead.sum::<u64>());
        }
        Ok(plan)
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

fn bytes(shape: Shape) -> Option<u64> {
    shape.elements()?.checked_mul(ELEMENT)
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
fn last_uses(num_inputs: usize, nodes: &[Node], outputs: &[(String, usize)]) -> Vec<usize> {
    let mut last_use = vec![usize::MAX; num_inputs];
    for (i, node) in nodes.iter().enumerate() {
        last_use.push(i);
        node.inputs.iter().for_each(|value| last_use[*value] = i);
    }
    outputs.iter().for_each(|(_, value)| last_use[*value] = usize::MAX);
    last_use
}
