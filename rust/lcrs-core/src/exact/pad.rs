//! Margins around maps, and maps without their margins.

use super::placed::Placed;
use crate::{Error, Result};
use std::ops::Range;

/// What a margin is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PadMode {
    /// Zeros.
    Zeros,
    /// The map mirrored at its first and last inputs, which are not repeated: margins are smaller than the map.
    Reflect,
    /// The nearest input.
    Replicate,
    /// The map again: margins are not larger than the map.
    Circular,
}

/// A layer that adds margins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pad {
    /// What they are filled with.
    pub mode: PadMode,
    /// Rows above, columns on the left.
    pub before: [usize; 2],
    /// Rows below, columns on the right.
    pub after: [usize; 2],
}

/// A layer that leaves margins out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// Rows above, columns on the left.
    pub before: [usize; 2],
    /// Rows below, columns on the right.
    pub after: [usize; 2],
}

impl Crop {
    pub(super) fn side(&self, input: usize, axis: usize) -> Result<usize> {
        let (before, after) = (self.before[axis], self.after[axis]);
        let side = input.checked_sub(before).and_then(|side| side.checked_sub(after)).filter(|side| *side > 0);
        side.ok_or_else(|| Error::invalid(format!("{input} inputs leave nothing without margins {before} and {after}")))
    }

    /// Row `y` of the result.
    pub(super) fn fill(&self, x: Placed<'_>, y: usize, out: &mut [f32]) {
        let row = x.row(y + self.before[0]);
        out.copy_from_slice(&row[self.before[1] * x.rows.channels()..][..out.len()]);
    }
}

impl Pad {
    pub(super) fn side(&self, input: usize, axis: usize) -> Result<usize> {
        let (before, after) = (self.before[axis], self.after[axis]);
        let most = match self.mode {
            PadMode::Zeros | PadMode::Replicate => usize::MAX,
            PadMode::Reflect => input - 1,
            PadMode::Circular => input,
        };
        let side = input.checked_add(before).and_then(|side| side.checked_add(after));
        side.filter(|_| before.max(after) <= most).ok_or_else(|| {
            let mode = self.mode;
            Error::invalid(format!("{input} inputs are too few for margins {before} and {after} of mode {mode:?}"))
        })
    }

    /// The input in place `o`, if there is one.
    fn source(&self, o: usize, input: usize, axis: usize) -> Option<usize> {
        let before = self.before[axis];
        match self.mode {
            _ if (before..before + input).contains(&o) => Some(o - before),
            PadMode::Zeros => None,
            PadMode::Replicate => Some(o.saturating_sub(before).min(input - 1)),
            PadMode::Reflect if o < before => Some(before - o),
            PadMode::Reflect => Some(2 * (input - 1) - (o - before)),
            PadMode::Circular => Some((o + input - before) % input),
        }
    }

    /// Whether first rows need the last ones.
    pub(super) fn is_global(&self) -> bool {
        self.mode == PadMode::Circular && (self.before[0] > 0 || self.after[0] > 0)
    }

    pub(super) fn input_rows(&self, rows: &Range<usize>, height: usize) -> Range<usize> {
        let below = self.before[0] + height;
        let (start, end) = (rows.start.clamp(self.before[0], below), rows.end.clamp(self.before[0], below));
        let margins = (rows.start..rows.end.min(self.before[0])).chain(rows.start.max(below)..rows.end);
        let inside = (start < end).then_some([start, end - 1]).into_iter().flatten();
        let sources = margins.chain(inside).filter_map(|o| self.source(o, height, 0));
        // rows of zeros alone still take one row of input
        let (first, last) = sources.fold((height - 1, 0), |(first, last), y| (first.min(y), last.max(y)));
        first.min(last)..last.max(first.min(last)) + 1
    }

    /// Row `y` of the result.
    pub(super) fn fill(&self, x: Placed<'_>, y: usize, out: &mut [f32]) {
        let Some(row) = self.source(y, x.height, 0).map(|y| x.row(y)) else { return out.fill(0.0) };
        let (channels, input) = (x.rows.channels(), x.rows.width());
        let width = out.len() / channels;
        out[self.before[1] * channels..][..row.len()].copy_from_slice(row);
        for o in (0..self.before[1]).chain(width - self.after[1]..width) {
            let pixel = &mut out[o * channels..(o + 1) * channels];
            match self.source(o, input, 1) {
                Some(column) => pixel.copy_from_slice(&row[column * channels..(column + 1) * channels]),
                None => pixel.fill(0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows that are said to be needed reach from the first source to the last one.
    #[test]
    fn needed_rows_are_those_of_the_sources() {
        for mode in [PadMode::Zeros, PadMode::Reflect, PadMode::Replicate] {
            for (before, after) in [(0, 0), (1, 0), (0, 2), (3, 4), (4, 1)] {
                for height in 1..9 {
                    let pad = Pad { mode, before: [before; 2], after: [after; 2] };
                    let Ok(side) = pad.side(height, 0) else { continue };
                    for rows in (0..side).flat_map(|start| (start + 1..=side).map(move |end| start..end)) {
                        let needed = pad.input_rows(&rows, height);
                        let sources: Vec<_> = rows.clone().filter_map(|o| pad.source(o, height, 0)).collect();
                        let ends = sources.iter().min().zip(sources.iter().max());
                        match ends {
                            Some((first, last)) => assert_eq!(needed, *first..*last + 1, "{pad:?} {rows:?}"),
                            None => assert!(needed.len() == 1 && needed.end <= height, "{pad:?} {rows:?} {needed:?}"),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn margins_are_those_of_torch() {
        let line = |mode| {
            let pad = Pad { mode, before: [2; 2], after: [3; 2] };
            (0..9).map(|o| pad.source(o, 4, 0)).collect::<Vec<_>>()
        };
        let some = |places: [usize; 9]| places.map(Some).to_vec();
        assert_eq!(line(PadMode::Reflect), some([2, 1, 0, 1, 2, 3, 2, 1, 0]));
        assert_eq!(line(PadMode::Replicate), some([0, 0, 0, 1, 2, 3, 3, 3, 3]));
        assert_eq!(line(PadMode::Circular), some([2, 3, 0, 1, 2, 3, 0, 1, 2]));
        assert_eq!(line(PadMode::Zeros)[1..3], [None, Some(0)]);
    }
}
