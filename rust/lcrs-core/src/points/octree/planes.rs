//! What is known of the children of a level while they are coded, an octant of all nodes at a time.

use std::ops::Range;

use super::{Level, BLOCK, NUM_NEIGHBOURS};
use crate::{Error, Limits, Pool, Result};

/// In which order the octants of all nodes are coded, and how far a network sees what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stages {
    order: [u8; 8],
    /// For each stage and each before it, the neighbours whose child of that stage lies in the window.
    slots: Vec<Vec<Vec<u8>>>,
}

impl Stages {
    /// Furthest reach: that of all children of all neighbours.
    pub const MAX_REACH: usize = 3;

    /// Stages that code the octants in this order, and see what lies no further than `reach` on each axis from the child in question.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if `order` is not one of 0 to 7, or for another reach than 0 to [`Self::MAX_REACH`].
    pub fn new(order: [u8; 8], reach: usize) -> Result<Self> {
        let seen = order.iter().fold(0_u32, |seen, octant| seen | 1_u32.checked_shl((*octant).into()).unwrap_or(0));
        if seen != 0xff {
            return Err(Error::invalid(format!("order of octants {order:?}, each of 0 to 7 is needed once")));
        }
        if reach > Self::MAX_REACH {
            return Err(Error::invalid(format!("reach of {reach} children, legal are 0..={}", Self::MAX_REACH)));
        }
        let slots = (0..8).map(|s| (0..s).map(|t| slots(order[s], order[t], reach)).collect()).collect();
        Ok(Self { order, slots })
    }

    /// The octants in the order in which they are coded.
    #[must_use]
    pub fn order(&self) -> [u8; 8] {
        self.order
    }

    /// How many numbers a network sees at `stage`, 0 to 7.
    #[must_use]
    pub fn count(&self, stage: usize) -> usize {
        self.slots[stage].iter().map(Vec::len).sum()
    }
}

/// The neighbours of which child `octant` is no further than `reach` from child `of` of the node in the middle.
fn slots(of: u8, octant: u8, reach: usize) -> Vec<u8> {
    let axis = |slot: u8, bit: u8| {
        (2 * i32::from(slot) - 2 + i32::from(octant >> bit & 1) - i32::from(of >> bit & 1)).unsigned_abs()
    };
    let distance = |slot: &u8| axis(slot / 9, 2).max(axis(slot / 3 % 3, 1)).max(axis(slot % 3, 0));
    (0..NUM_NEIGHBOURS as u8).filter(|slot| distance(slot) as usize <= reach).collect()
}

/// The children of a level that are known.
#[derive(Debug)]
pub struct Planes {
    /// Occupancies of all nodes as far as they are known, and a 0 for neighbours that are not there.
    known: Vec<u8>,
    /// Of each node, for each stage that is done, which of its neighbours have a child there.
    planes: Vec<[u32; 7]>,
    done: usize,
}

impl Planes {
    /// Nothing is known of `nodes` nodes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`].
    pub fn new(nodes: usize, limits: &Limits) -> Result<Self> {
        Ok(Self { known: limits.zeroed(nodes + 1, "occupancies")?, planes: limits.zeroed(nodes, "children")?, done: 0 })
    }

    /// The occupancies, as far as they are known.
    #[must_use]
    pub fn known(&self) -> &[u8] {
        &self.known[..self.planes.len()]
    }

    /// Ends the next stage: a byte for each node says whether it has a child there, 1 or 0.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for another number of bytes, or a stage too many.
    pub fn learn(&mut self, level: &Level, stages: &Stages, is_there: &[u8], pool: &Pool) -> Result<()> {
        let nodes = self.planes.len();
        if is_there.len() != nodes || level.neighbours.len() != nodes || self.done > 7 {
            return Err(Error::invalid(format!("{} nodes of {nodes} at stage {}", is_there.len(), self.done)));
        }
        let octant = stages.order[self.done];
        for (known, there) in self.known.iter_mut().zip(is_there) {
            *known |= (there & 1) << octant;
        }
        let (known, stage) = (&self.known, self.done);
        self.done += 1;
        if stage == 7 {
            return Ok(());
        }
        let mut blocks: Vec<_> = self.planes.chunks_mut(BLOCK).collect();
        pool.map_mut(&mut blocks, |block, planes| {
            for (planes, around) in planes.iter_mut().zip(&level.neighbours[block * BLOCK..]) {
                let flag = |slot: usize| u32::from(known[around[slot] as usize] >> octant & 1) << slot;
                planes[stage] = (0..NUM_NEIGHBOURS).fold(0, |plane, slot| plane | flag(slot));
            }
        });
        Ok(())
    }

    /// What a network sees of some nodes at the stage that comes next, node by node: for each stage before, in their order, and
    /// each neighbour whose child of that stage is within reach, 1 if it has that child, else 0. `out` has `stride` numbers a node, of which
    /// these are the last.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for nodes that are not there, or another room.
    pub fn write(&self, stages: &Stages, nodes: Range<usize>, stride: usize, out: &mut [f32]) -> Result<()> {
        let slots = stages.slots.get(self.done).ok_or_else(|| Error::invalid("all stages are done"))?;
        let count = stages.count(self.done);
        if nodes.end > self.planes.len() || count > stride || out.len() != stride * nodes.len() {
            return Err(Error::invalid(format!("nodes {nodes:?} of {} to {}", self.planes.len(), out.len())));
        }
        if count == 0 {
            return Ok(());
        }
        for (planes, out) in self.planes[nodes].iter().zip(out.chunks_exact_mut(stride)) {
            let mut rest = &mut out[stride - count..];
            for (plane, slots) in planes.iter().zip(slots) {
                let (mine, more) = rest.split_at_mut(slots.len());
                mine.iter_mut().zip(slots).for_each(|(out, slot)| *out = (plane >> slot & 1) as f32);
                rest = more;
            }
        }
        Ok(())
    }
}
