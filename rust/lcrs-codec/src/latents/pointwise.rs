//! Reading a graph as layers of 1x1 convolutions, which a scan can evaluate at a few places at a time.

use std::borrow::Cow;

use lcrs_core::exact::Unary;
use lcrs_core::scan::{Merge, Parameters, Pointwise};
use lcrs_core::{Error, Result};

use crate::graph::{Convolution, Node, Op, Program};
use crate::networks::Networks;
use crate::tensors::{find, Lookup};

/// A 1x1 convolution and the function after it.
#[derive(Debug)]
pub(crate) struct Layer<'a> {
    pub convolution: &'a Convolution,
    pub activation: Option<Unary>,
}

/// A graph of the one form that scans know.
#[derive(Debug)]
pub(crate) struct Layers<'a> {
    pub merge: Merge,
    /// At least one.
    pub layers: Vec<Layer<'a>>,
    /// Where scales and means lie in the last layer's result.
    pub order: Parameters,
}

/// Reads a graph of two inputs, side information and context features: their concatenation, 1x1 convolutions with at most
/// one function after each, and outputs `scales` and `means` that are the two halves of the last result, or `scales` alone that
/// are all of it.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Corrupt`] for any other graph, with the place.
pub(crate) fn extract(program: &Program) -> Result<Layers<'_>> {
    if program.inputs.len() != 2 {
        return Err(Error::corrupt(format!("{} inputs, must be side and context", program.inputs.len())));
    }
    let mut nodes = program.nodes.iter().zip(2..);
    let merge = match nodes.next() {
        Some((Node { op: Op::Concat, inputs, .. }, _)) if *inputs == [0, 1] => Merge::SideFirst,
        Some((Node { op: Op::Concat, inputs, .. }, _)) if *inputs == [1, 0] => Merge::ContextFirst,
        _ => return Err(Error::corrupt("the first operation must concatenate side and context")),
    };
    let chain = chain(nodes, 2)?;
    let order = parameters(program, &chain)?;
    Ok(Layers { merge, layers: chain.layers, order })
}

/// Reads a graph of one input: 1x1 convolutions with at most one function after each, whose last result is the one output.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Corrupt`] for any other graph, with the place.
pub(crate) fn extract_chain(program: &Program) -> Result<Vec<Layer<'_>>> {
    let chain = chain(program.nodes.iter().zip(1..), 0)?;
    match program.outputs.as_slice() {
        [(_, output)] if program.inputs.len() == 1 && *output == chain.last => Ok(chain.layers),
        _ => Err(Error::corrupt("a network of 1x1 layers must have one input, and one output: its last result")),
    }
}

/// Layers one after another, and slices of the last result.
struct Chain<'a> {
    layers: Vec<Layer<'a>>,
    /// The value that the last layer gives.
    last: usize,
    /// (value, start, length).
    slices: Vec<(usize, usize, usize)>,
}

/// Nodes, each with the number of its value, that begin with value `last`.
fn chain<'a>(nodes: impl Iterator<Item = (&'a Node, usize)>, mut last: usize) -> Result<Chain<'a>> {
    let (mut layers, mut slices): (Vec<Layer<'_>>, Vec<_>) = (Vec::new(), Vec::new());
    for (node, value) in nodes {
        let fault = |what: &str| Err(Error::corrupt(format!("{what} in a network of 1x1 layers")).at(&node.place));
        if node.inputs != [last] {
            return fault("an operation that does not follow the one before");
        }
        match (&node.op, layers.last_mut()) {
            (Op::Slice { start, length }, Some(_)) => slices.push((value, *start, *length)),
            _ if !slices.is_empty() => return fault("an operation after the outputs"),
            (Op::Conv2d(conv), _) if conv.is_pointwise() && conv.groups == 1 => {
                layers.push(Layer { convolution: conv, activation: None });
                last = value;
            }
            (Op::Unary(function), Some(Layer { activation: activation @ None, .. })) => {
                *activation = Some(*function);
                last = value;
            }
            _ => return fault("an operation that has no place"),
        }
    }
    match layers.is_empty() {
        true => Err(Error::corrupt("a network of 1x1 layers has no layer")),
        false => Ok(Chain { layers, last, slices }),
    }
}

/// Where the outputs of a program of layers lie.
fn parameters(program: &Program, chain: &Chain<'_>) -> Result<Parameters> {
    let outputs = chain.layers.last().map_or(0, |layer| layer.convolution.out_channels);
    let (last, slices) = (chain.last, &chain.slices);
    let value_of = |wanted: &str| program.outputs.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let start_of = |value: Option<usize>| {
        let slice = slices.iter().find(|(number, _, length)| Some(*number) == value && 2 * *length == outputs);
        slice.map(|(_, start, _)| *start)
    };
    let (scales, means) = (value_of("scales"), value_of("means"));
    match (start_of(scales), start_of(means)) {
        _ if scales == Some(last) && means.is_none() => Ok(Parameters::Scales),
        (Some(0), Some(half)) if 2 * half == outputs => Ok(Parameters::ScalesMeans),
        (Some(half), Some(0)) if 2 * half == outputs => Ok(Parameters::MeansScales),
        _ => Err(Error::corrupt("outputs 'scales' and 'means' must be the halves of the last layer's result")),
    }
}

/// What `build` makes of layers with their weights.
pub(crate) fn pointwise_layers<T>(
    networks: &Networks,
    layers: &[Layer<'_>],
    build: impl FnOnce(&[Pointwise<'_>]) -> Result<T>,
) -> Result<T> {
    let lookup = networks.lookup();
    let read = |name: &str| weights(&lookup, name);
    let tensors = layers.iter().map(|layer| {
        let bias = layer.convolution.bias.as_deref().map(read).transpose()?;
        Ok((read(&layer.convolution.weight)?, bias))
    });
    let tensors: Vec<(Vec<f32>, Option<Vec<f32>>)> = tensors.collect::<Result<_>>()?;
    let packed: Vec<Pointwise<'_>> = layers
        .iter()
        .zip(&tensors)
        .map(|(layer, (weight, bias))| Pointwise {
            weight,
            outputs: layer.convolution.out_channels,
            bias: bias.as_deref(),
            activation: layer.activation,
        })
        .collect();
    build(&packed)
}

/// The numbers of a tensor, copied.
pub(crate) fn weights(tensors: Lookup<'_, '_>, name: &str) -> Result<Vec<f32>> {
    let tensor = find(tensors, name)?;
    let numbers = match tensor.to_f32()? {
        Cow::Owned(numbers) => return Ok(numbers),
        Cow::Borrowed(numbers) => numbers,
    };
    let mut copy = Vec::new();
    let no_memory = |_| Error::limit(format!("no memory for {} weights", numbers.len()));
    copy.try_reserve_exact(numbers.len()).map_err(no_memory)?;
    copy.extend_from_slice(numbers);
    Ok(copy)
}
