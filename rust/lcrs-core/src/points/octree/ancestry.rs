//! The level that is being coded, with those above it that its contexts look at.

use super::Level;
use crate::{Limits, Pool, Result};

/// The way down an octree: the current level, and as many above it as contexts need.
#[derive(Debug, Clone)]
pub struct Ancestry {
    /// The current one last. Only it has neighbours.
    levels: Vec<Level>,
    /// How many levels above the current one are kept.
    kept: usize,
    /// Nodes of the levels above the current one, the nearest last, however many are kept.
    counts: Vec<usize>,
}

impl Ancestry {
    /// At the root, to keep `kept` levels above the current one.
    #[must_use]
    pub fn at_root(kept: usize) -> Self {
        Self { levels: vec![Level::root()], kept, counts: Vec::new() }
    }

    /// The current level.
    #[must_use]
    pub fn level(&self) -> &Level {
        &self.levels[self.levels.len() - 1]
    }

    /// How far below the root it is.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.counts.len()
    }

    /// The level so many above the current one, if it is there and kept.
    pub(super) fn above(&self, steps: usize) -> Option<&Level> {
        self.levels.len().checked_sub(steps + 1).map(|at| &self.levels[at])
    }

    /// The number of nodes of the level so many above the current one.
    pub(super) fn count_above(&self, steps: usize) -> Option<usize> {
        match steps {
            0 => Some(self.level().len()),
            _ => self.counts.len().checked_sub(steps).map(|at| self.counts[at]),
        }
    }

    /// Goes down one level; see [`Level::children`].
    ///
    /// # Errors
    /// As [`Level::children`].
    pub fn descend(&mut self, occupancy: &[u8], pool: &Pool, limits: &Limits) -> Result<()> {
        let below = self.level().children(occupancy, pool, limits)?;
        self.counts.push(self.level().len());
        let last = self.levels.len() - 1;
        self.levels[last].neighbours = Vec::new();
        if self.levels.len() > self.kept {
            self.levels.drain(..self.levels.len() - self.kept);
        }
        self.levels.push(below);
        Ok(())
    }

    /// Bytes that all kept levels take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let of = |level: &Level| {
            size_of_val(&level.parents[..])
                + size_of_val(&level.octants[..])
                + size_of_val(&level.neighbours[..])
                + size_of_val(&level.windows[..])
        };
        self.levels.iter().map(of).sum::<usize>() as u64
    }
}
