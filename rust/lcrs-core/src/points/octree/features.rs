//! What a network sees of a level before any child is known.

use std::ops::Range;

use super::window::{places, WINDOW_REACH};
use super::Ancestry;
use crate::{Error, Result};

/// A number that all nodes of a level have in common. Every operation is rounded to binary32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// How many levels of nodes with children follow below, at most 15, over 16.
    LevelsBelow,
    /// What [`growth_byte`] says of this level, over 256: how many children its nodes have in the mean.
    GrowthBelow,
    /// Nodes of this level over those of the one above, over 8; 0 for the root.
    Growth,
    /// The same for the level above; 0 where there is none.
    GrowthAbove,
    /// Bits of the number of nodes, over 32.
    NodeBits,
}

impl Scalar {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::LevelsBelow, Self::GrowthBelow, Self::Growth, Self::GrowthAbove, Self::NodeBits];

    /// The name that packages use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LevelsBelow => "levels_below",
            Self::GrowthBelow => "growth_below",
            Self::Growth => "growth",
            Self::GrowthAbove => "growth_above",
            Self::NodeBits => "node_bits",
        }
    }

    /// The number of this name, if known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scalar| scalar.name() == name)
    }

    fn value(self, ancestry: &Ancestry, told: Told) -> f32 {
        let count = |steps| ancestry.count_above(steps);
        let growth = |steps| match (count(steps), count(steps + 1)) {
            (Some(nodes), Some(above)) => nodes as f32 / above as f32 / 8.0,
            _ => 0.0,
        };
        match self {
            Self::LevelsBelow => (told.depth as usize).saturating_sub(ancestry.depth() + 1).min(15) as f32 / 16.0,
            Self::GrowthBelow => f32::from(told.growth_below) / 256.0,
            Self::Growth => growth(0),
            Self::GrowthAbove => growth(1),
            Self::NodeBits => (usize::BITS - ancestry.level().len().leading_zeros()) as f32 / 32.0,
        }
    }
}

/// What a file tells of a level before any of its children is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Levels of the whole tree.
    pub depth: u32,
    /// What [`growth_byte`] says of this level.
    pub growth_below: u8,
}

/// Children of a node in the mean, in units of 1/32: `32 children / nodes`, rounded half up, 8 to 255.
#[must_use]
pub fn growth_byte(nodes: u64, children: u64) -> u8 {
    let (nodes, children) = (u128::from(nodes.max(1)), u128::from(children));
    ((64 * children + nodes) / (2 * nodes)).clamp(8, 255) as u8
}

/// [`growth_byte`] of each level of a tree with these occupancies.
#[must_use]
pub fn growth_bytes(levels: &[Vec<u8>]) -> Vec<u8> {
    let children = |level: &[u8]| level.iter().map(|byte| u64::from(byte.count_ones())).sum();
    levels.iter().map(|level| growth_byte(level.len() as u64, children(level))).collect()
}

/// Which numbers a network sees of each node, in this order:
///
/// - the window around the node, its middle left out;
/// - for each ancestor, the nearest first: eight numbers, of which the one of the octant is 1 through which the way leads
///   from it to the node, the others 0; and its window, the middle left out. Above the root all of that is 0;
/// - numbers of the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkInputs {
    /// How far the window of the node reaches, at most [`WINDOW_REACH`].
    pub reach: usize,
    /// The same for each ancestor.
    pub ancestors: Vec<usize>,
    /// Numbers of the level.
    pub scalars: Vec<Scalar>,
}

impl TrunkInputs {
    /// Most ancestors.
    pub const MAX_ANCESTORS: usize = 16;

    /// Checks the reaches.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`].
    pub fn check(&self) -> Result<()> {
        if let Some(reach) = self.ancestors.iter().chain([&self.reach]).find(|reach| **reach > WINDOW_REACH) {
            return Err(Error::invalid(format!("window of reach {reach}, legal are 0..={WINDOW_REACH}")));
        }
        let (given, most) = (self.ancestors.len(), Self::MAX_ANCESTORS);
        if given > most {
            return Err(Error::invalid(format!("windows of {given} ancestors, at most {most} are allowed")));
        }
        Ok(())
    }

    /// How many numbers these are.
    #[must_use]
    pub fn count(&self) -> usize {
        let window = |reach: &usize| (2 * reach + 1).pow(3) - 1;
        window(&self.reach) + self.ancestors.iter().map(|reach| 8 + window(reach)).sum::<usize>() + self.scalars.len()
    }

    /// The numbers of some nodes of the current level, node by node. There is room for exactly these.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for nodes that are not there, or another room.
    pub fn write(&self, ancestry: &Ancestry, told: Told, nodes: Range<usize>, out: &mut [f32]) -> Result<()> {
        self.check()?;
        let count = self.count();
        if nodes.end > ancestry.level().len() || out.len() != count * nodes.len() {
            return Err(Error::invalid(format!("nodes {nodes:?} of {} to {}", ancestry.level().len(), out.len())));
        }
        if count == 0 {
            return Ok(());
        }
        let windows: Vec<Vec<u32>> = [&self.reach].into_iter().chain(&self.ancestors).map(|r| places(*r)).collect();
        let scalars: Vec<f32> = self.scalars.iter().map(|scalar| scalar.value(ancestry, told)).collect();
        for (node, out) in nodes.zip(out.chunks_exact_mut(count)) {
            let mut node = node;
            let (mine, mut rest) = out.split_at_mut(windows[0].len());
            flags(ancestry.level().windows[node], &windows[0], mine);
            for (step, places) in windows.iter().enumerate().skip(1) {
                let (mine, more) = rest.split_at_mut(8 + places.len());
                rest = more;
                mine.fill(0.0);
                let (Some(below), Some(level)) = (ancestry.above(step - 1), ancestry.above(step)) else { continue };
                mine[usize::from(below.octants[node])] = 1.0;
                node = below.parents[node] as usize;
                flags(level.windows[node], places, &mut mine[8..]);
            }
            rest.copy_from_slice(&scalars);
        }
        Ok(())
    }
}

/// Flags as numbers.
fn flags(window: u128, places: &[u32], out: &mut [f32]) {
    let halves = [window as u64, (window >> 64) as u64];
    for (out, place) in out.iter_mut().zip(places) {
        *out = (halves[(place >> 6) as usize] >> (place & 63) & 1) as f32;
    }
}
