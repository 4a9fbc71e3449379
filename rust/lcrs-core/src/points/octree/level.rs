//! One level of an octree: its nodes with their parents and neighbours.

use super::window::{child_block, window};
use super::{BLOCK, CENTRE, NUM_NEIGHBOURS};
use crate::{Error, Limits, Pool, Result};

/// The nodes of one level, in Morton order.
#[derive(Debug, Clone)]
pub struct Level {
    /// Of each node the index of its parent in the level above; nothing of the root.
    pub(super) parents: Vec<u32>,
    /// Of each node its place in its parent.
    pub(super) octants: Vec<u8>,
    /// Of each node the indexes of its neighbours; the number of nodes where there is none.
    pub(super) neighbours: Vec<[u32; NUM_NEIGHBOURS]>,
    /// Of each node what its window holds.
    pub(super) windows: Vec<u128>,
}

impl Level {
    /// Level 0 of a cloud with at least one point.
    #[must_use]
    pub fn root() -> Self {
        let mut neighbours = [1; NUM_NEIGHBOURS];
        neighbours[CENTRE] = 0;
        Self { parents: vec![0], octants: vec![0], neighbours: vec![neighbours], windows: vec![1 << 62] }
    }

    /// Number of nodes, at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.octants.len()
    }

    /// Of each node the index of its parent in the level above; 0 for the root, which has none.
    #[must_use]
    pub fn parents(&self) -> &[u32] {
        &self.parents
    }

    /// Of each node its place in its parent; 0 for the root.
    #[must_use]
    pub fn octants(&self) -> &[u8] {
        &self.octants
    }

    /// Of each node the indexes of its neighbours, the number of nodes where there is none. Nothing once the level is passed.
    #[must_use]
    pub fn neighbours(&self) -> &[[u32; NUM_NEIGHBOURS]] {
        &self.neighbours
    }

    /// Nodes whose window holds nothing but themselves.
    #[must_use]
    pub fn num_lonely(&self) -> usize {
        self.windows.iter().filter(|window| window.count_ones() == 1).count()
    }

    /// The nodes below, `occupancy` having a byte for each node, none of them 0.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for another number of bytes or one that is 0, [`crate::ErrorKind::Limit`] for more nodes
    /// than an index of 32 bits counts or than the limits allow.
    pub fn children(&self, occupancy: &[u8], pool: &Pool, limits: &Limits) -> Result<Self> {
        let nodes = self.len();
        let (first_children, padded) = self.number_children(occupancy, limits)?;
        let total = first_children[nodes] as usize;
        let limits = &limits.without((5 * nodes) as u64, "a level")?;
        let mut parents = limits.zeroed(total, "parents")?;
        let mut octants = limits.zeroed(total, "octants")?;
        let mut neighbours = limits.zeroed(total, "neighbours")?;
        let mut windows = limits.zeroed(total, "windows")?;
        let mut blocks = Vec::with_capacity(nodes.div_ceil(BLOCK));
        let mut left = (&mut parents[..], &mut octants[..], &mut neighbours[..], &mut windows[..]);
        for begin in (0..nodes).step_by(BLOCK) {
            let end = (begin + BLOCK).min(nodes);
            let count = (first_children[end] - first_children[begin]) as usize;
            let (parents, more_parents) = left.0.split_at_mut(count);
            let (octants, more_octants) = left.1.split_at_mut(count);
            let (neighbours, more_neighbours) = left.2.split_at_mut(count);
            let (windows, more_windows) = left.3.split_at_mut(count);
            left = (more_parents, more_octants, more_neighbours, more_windows);
            blocks.push((begin..end, Children { parents, octants, neighbours, windows }));
        }
        let none = total as u32;
        pool.map_mut(&mut blocks, |_, (nodes, out)| {
            let mut at = 0;
            for node in nodes.clone() {
                let around = &self.neighbours[node];
                let bytes = around.map(|neighbour| padded[neighbour as usize]);
                let block = child_block(bytes);
                for octant in (0..8_u8).filter(|octant| padded[node] >> octant & 1 == 1) {
                    out.parents[at] = node as u32;
                    out.octants[at] = octant;
                    out.windows[at] = window(&block, octant);
                    for (number, (slot, place)) in CHILD_NEIGHBOURS[usize::from(octant)].iter().enumerate() {
                        let (slot, place) = (usize::from(*slot), u32::from(*place));
                        let there = bytes[slot] >> place & 1 == 1;
                        let before = (bytes[slot] & ((1 << place) - 1)).count_ones();
                        let index = first_children[around[slot] as usize] + before;
                        out.neighbours[at][number] = if there { index } else { none };
                    }
                    at += 1;
                }
            }
        });
        Ok(Self { parents, octants, neighbours, windows })
    }

    /// The index of each node's first child, the last of them being the number of children, and the occupancies with a 0 for
    /// neighbours that are not there.
    fn number_children(&self, occupancy: &[u8], limits: &Limits) -> Result<(Vec<u32>, Vec<u8>)> {
        let nodes = self.len();
        if occupancy.len() != nodes {
            return Err(Error::invalid(format!("{} occupancies given, the level has {nodes} nodes", occupancy.len())));
        }
        let mut first_children: Vec<u32> = limits.zeroed(nodes + 1, "indexes of children")?;
        let mut padded: Vec<u8> = limits.zeroed(nodes + 1, "occupancies")?;
        padded[..nodes].copy_from_slice(occupancy);
        let mut total = 0_u32;
        for (node, occupancy) in occupancy.iter().enumerate() {
            if *occupancy == 0 {
                return Err(Error::invalid(format!("occupancy of node {node} is 0, a node has a child")));
            }
            let more = total.checked_add(occupancy.count_ones()).filter(|more| *more < u32::MAX);
            total = more.ok_or_else(|| Error::limit(format!("more nodes in a level than {}", u32::MAX)))?;
            first_children[node + 1] = total;
        }
        Ok((first_children, padded))
    }
}

/// Where the children of some nodes go.
struct Children<'a> {
    parents: &'a mut [u32],
    octants: &'a mut [u8],
    neighbours: &'a mut [[u32; NUM_NEIGHBOURS]],
    windows: &'a mut [u128],
}

/// For a child in each octant where its neighbours are: in which of the parent's neighbours, in which octant of it.
const CHILD_NEIGHBOURS: [[(u8, u8); NUM_NEIGHBOURS]; 8] = {
    let mut table = [[(0, 0); NUM_NEIGHBOURS]; 8];
    let mut octant = 0;
    while octant < 8 {
        let mut number = 0;
        while number < NUM_NEIGHBOURS {
            // the coordinates in a cube of the parent's neighbours' children, the parent's beginning at 2
            let x = 1 + (octant >> 2) + number / 9;
            let y = 1 + (octant >> 1 & 1) + number / 3 % 3;
            let z = 1 + (octant & 1) + number % 3;
            let slot = 9 * (x / 2) + 3 * (y / 2) + z / 2;
            table[octant][number] = (slot as u8, (4 * (x % 2) + 2 * (y % 2) + z % 2) as u8);
            number += 1;
        }
        octant += 1;
    }
    table
};
