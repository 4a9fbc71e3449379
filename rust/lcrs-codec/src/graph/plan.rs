//! Which nodes of a graph run together, tile by tile ([`Chain`]), decided once when the graph is built.
//!
//! A chain begins with a layer that may look at neighbours and goes on with operations on single positions, as long as
//! each value is taken by the next one alone. Operands from outside are vectors of channels, known as such from the graph,
//! or values that have the chain's height and width for inputs of any size. Every other node is a unit of its own.

use std::collections::HashMap;

use lcrs_core::exact::{Pool, Spatial, Upsample, Windows};
use lcrs_core::{Error, Result};

use super::op::{Convolution, Op};
use super::program::{list, list_of, Node, Program};

/// Nodes that run together, named by the last of them, whose value they give.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unit {
    /// The last node.
    pub node: usize,
    /// What runs as a chain, if it does.
    pub chain: Option<Links>,
    /// The values that it takes from outside, each once.
    pub inputs: Vec<usize>,
}

/// The parts of a chain.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Links {
    /// The value that it begins with.
    pub input: usize,
    /// The node of its head, if that is not the input itself.
    pub head: Option<usize>,
    /// The nodes after the head, in order.
    pub steps: Vec<Link>,
    /// The factor by which pixels are shuffled at the end, 1 for none.
    pub shuffle: usize,
}

/// A node after the head.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Link {
    pub node: usize,
    /// The operand from outside, if there is one.
    pub other: Option<Operand>,
    /// How often each number of a vector is repeated: the node stands on the other side of a shuffle.
    pub repeat: usize,
    /// Whether it is a function of single elements and of vectors.
    pub is_function: bool,
}

/// An operand from outside.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    pub value: usize,
    pub is_left: bool,
    /// Whether it has one number a channel.
    pub is_vector: bool,
}

/// Links of a chain at most: what is between them must fit the cache.
const MAX_LINKS: usize = 64;

/// Heights and widths that are equal for inputs of any size have the same number.
type Size = usize;

/// What is known of a value without knowing how large inputs are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// (C, 1, 1).
    Vector,
    Map(Size),
}

/// The units of a program, in an order in which each input exists.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`] if memory is short.
pub(super) fn units(program: &Program) -> Result<Vec<Unit>> {
    let kinds = kinds(program)?;
    let mut uses = list_of(kinds.len(), 0_usize)?;
    let outputs = program.outputs.iter().map(|(_, value)| value);
    program.nodes.iter().flat_map(|node| &node.inputs).chain(outputs).for_each(|value| uses[*value] += 1);
    let num_inputs = program.inputs.len();
    let mut units: Vec<Option<Unit>> = list(program.nodes.len())?;
    for (i, node) in program.nodes.iter().enumerate() {
        // a later operand was made later, and has more work behind it
        let going_on = node.inputs.iter().rev().find_map(|value| {
            let before = value.checked_sub(num_inputs).filter(|_| uses[*value] == 1)?;
            let links = units[before].as_mut()?.chain.as_mut()?;
            goes_on(links, i, node, *value, &kinds, num_inputs).then_some(before)
        });
        let links = match going_on {
            Some(before) => units[before].take().and_then(|unit| unit.chain),
            None => begun(i, node, &kinds, num_inputs),
        };
        let mut inputs = links.as_ref().map_or_else(|| node.inputs.clone(), Links::inputs);
        inputs.sort_unstable();
        inputs.dedup();
        units.push(Some(Unit { node: i, chain: links, inputs }));
    }
    let mut whole = list(units.iter().flatten().count())?;
    whole.extend(units.into_iter().flatten());
    Ok(whole)
}

/// For each value the last unit that takes it, or that makes it if none does; `usize::MAX` for an output.
///
/// # Errors
/// As [`units`].
pub(super) fn last_uses(program: &Program, units: &[Unit]) -> Result<Vec<usize>> {
    let num_inputs = program.inputs.len();
    let mut last_use = list_of(num_inputs + program.nodes.len(), usize::MAX)?;
    for (i, unit) in units.iter().enumerate() {
        last_use[num_inputs + unit.node] = i;
        unit.inputs.iter().for_each(|value| last_use[*value] = i);
    }
    program.outputs.iter().for_each(|(_, value)| last_use[*value] = usize::MAX);
    Ok(last_use)
}

impl Links {
    fn new(input: usize) -> Self {
        Self { input, head: None, steps: Vec::new(), shuffle: 1 }
    }

    fn inputs(&self) -> Vec<usize> {
        let others = self.steps.iter().filter_map(|link| link.other.as_ref());
        std::iter::once(self.input).chain(others.map(|other| other.value)).collect()
    }

    /// Whether it changes single elements and nothing else.
    pub(super) fn is_functions(&self) -> bool {
        self.head.is_none() && self.shuffle == 1 && self.steps.iter().all(|link| link.is_function)
    }
}

/// A chain that begins with a node.
fn begun(i: usize, node: &Node, kinds: &[Kind], num_inputs: usize) -> Option<Links> {
    if kinds[num_inputs + i] == Kind::Vector {
        return None;
    }
    let map = *node.inputs.iter().find(|value| kinds[**value] != Kind::Vector).or(node.inputs.first())?;
    let is_head = match &node.op {
        Op::Conv2d(conv) => !conv.is_pointwise(),
        Op::ConvTranspose2d(_) | Op::PixelUnshuffle { .. } => true,
        _ => false,
    };
    if is_head {
        return Some(Links { head: Some(i), ..Links::new(map) });
    }
    let mut links = Links::new(map);
    goes_on(&mut links, i, node, map, kinds, num_inputs).then_some(links)
}

/// Goes on with a node which takes a chain's last value, if it can.
fn goes_on(links: &mut Links, i: usize, node: &Node, value: usize, kinds: &[Kind], num_inputs: usize) -> bool {
    let (is_shuffled, repeat) = (links.shuffle > 1, links.shuffle * links.shuffle);
    if links.steps.len() >= MAX_LINKS {
        return false;
    }
    match &node.op {
        Op::Unary(_) => links.steps.push(Link { node: i, other: None, repeat, is_function: true }),
        Op::Conv2d(conv) if conv.is_pointwise() && !is_shuffled => {
            links.steps.push(Link { node: i, other: None, repeat, is_function: false });
        }
        Op::Gdn { .. } if !is_shuffled => {
            links.steps.push(Link { node: i, other: None, repeat, is_function: false });
        }
        Op::Binary(_) => {
            let &[left, right] = node.inputs.as_slice() else { return false };
            let (other, is_left) = if right == value { (left, true) } else { (right, false) };
            let is_vector = kinds[other] == Kind::Vector;
            let is_map = !is_shuffled && kinds[other] == kinds[num_inputs + i];
            if other == value || !(is_vector || is_map) {
                return false;
            }
            let other = Some(Operand { value: other, is_left, is_vector });
            links.steps.push(Link { node: i, other, repeat, is_function: is_vector });
        }
        Op::PixelShuffle { factor } if !is_shuffled => links.shuffle = *factor,
        Op::PixelUnshuffle { factor } if links.is_functions() => {
            // functions before it may as well come after it
            links.head = Some(i);
            links.steps.iter_mut().for_each(|link| link.repeat = factor * factor);
        }
        _ => return false,
    }
    true
}

/// What changes a height and a width.
#[derive(PartialEq, Eq, Hash)]
enum Change {
    Conv([[usize; 2]; 3]),
    Transposed([[usize; 2]; 4]),
    Shuffle(usize),
    Unshuffle(usize),
    Pool(Windows),
    Pad([usize; 2]),
    Crop([usize; 2]),
}

/// What is known of each value.
fn kinds(program: &Program) -> Result<Vec<Kind>> {
    let mut sizes = program.inputs.len();
    let mut kinds = list(sizes + program.nodes.len())?;
    kinds.extend((0..sizes).map(Kind::Map));
    let mut changed: HashMap<(Size, Change), Size> = HashMap::new();
    let mut fresh = || {
        sizes += 1;
        sizes - 1
    };
    for node in &program.nodes {
        changed
            .try_reserve(2)
            .map_err(|_| Error::limit(format!("no memory to plan a graph of {} nodes", program.nodes.len())))?;
        let taken: Vec<Kind> = node.inputs.iter().map(|value| kinds[*value]).collect();
        let map = taken.iter().find_map(|kind| match kind {
            Kind::Map(size) => Some(*size),
            Kind::Vector => None,
        });
        let mut change = |change: Change, back: Option<Change>| {
            let size = map.unwrap_or_else(&mut fresh);
            let after = *changed.entry((size, change)).or_insert_with(&mut fresh);
            if let Some(back) = back {
                changed.insert((after, back), size);
            }
            Kind::Map(after)
        };
        let keeps_size = |conv: &Convolution| {
            conv.stride == [1, 1] && (0..2).all(|axis| conv.reach(axis) == 2 * conv.padding[axis] + 1)
        };
        let kind = match &node.op {
            Op::Conv2d(conv) if conv.is_pointwise() || keeps_size(conv) && map.is_some() => taken[0],
            Op::Conv2d(conv) => {
                let reach = [conv.reach(0), conv.reach(1)];
                change(Change::Conv([reach, conv.stride, conv.padding]), None)
            }
            Op::ConvTranspose2d(conv) => {
                let geometry = [conv.kernel, conv.stride, conv.padding, conv.output_padding];
                change(Change::Transposed(geometry), None)
            }
            Op::PixelShuffle { factor } => change(Change::Shuffle(*factor), Some(Change::Unshuffle(*factor))),
            Op::PixelUnshuffle { factor } => change(Change::Unshuffle(*factor), Some(Change::Shuffle(*factor))),
            Op::Constant { .. } | Op::Interpolate { .. } => Kind::Vector,
            Op::Spatial(Spatial::Pool(Pool { windows: Windows::Adaptive([1, 1]), .. })) => Kind::Vector,
            Op::Spatial(Spatial::Pool(pool)) => change(Change::Pool(pool.windows), None),
            Op::Spatial(Spatial::Upsample(Upsample { factor: [h, w], .. })) if h == w => {
                change(Change::Shuffle(*h), Some(Change::Unshuffle(*h)))
            }
            Op::Spatial(Spatial::Crop(crop)) => {
                change(Change::Crop([0, 1].map(|axis| crop.before[axis] + crop.after[axis])), None)
            }
            Op::Spatial(Spatial::Upsample(_)) => Kind::Map(fresh()),
            Op::Spatial(Spatial::Pad(pad)) => {
                let more = [0, 1].map(|axis| pad.before[axis] + pad.after[axis]);
                let padded = change(Change::Pad(more), Some(Change::Crop(more)));
                // a convolution without padding of its own leads back, too
                if let (Kind::Map(padded), Some(size)) = (padded, map) {
                    let back = Change::Conv([more.map(|more| more + 1), [1, 1], [0, 0]]);
                    changed.insert((padded, back), size);
                }
                padded
            }
            Op::Binary(_) => match (taken[0], taken[1]) {
                (Kind::Vector, other) | (other, Kind::Vector) => other,
                (a, b) if a == b => a,
                // one of them may turn out to be a single pixel
                _ => Kind::Map(fresh()),
            },
            _ => map.map_or(Kind::Vector, Kind::Map),
        };
        kinds.push(kind);
    }
    Ok(kinds)
}
