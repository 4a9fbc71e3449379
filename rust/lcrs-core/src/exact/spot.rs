//! The part of a result that is computed at a time, and where it goes.

use std::ops::Range;

/// Positions of the grid that a chain works on: after its head, before pixels are shuffled.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Spot {
    pub(super) fn positions(&self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

/// Where the outputs of a spot go: its first row from `start` on, rows `pitch` elements apart.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) start: usize,
    pub(super) pitch: usize,
}
