//! How the outputs of a layer are shared out: jobs of rows for threads, and in a job tiles of columns for the cache.

use crate::Pool;
use std::ops::Range;

/// Input elements of one tile at most: they and a panel of weights then stay in a second-level cache.
const TILE_LEN: usize = 3 << 16;
/// Output rows of a job at most.
const MAX_ROWS: usize = 16;
/// Columns of a block, as many as the widest kernel takes.
const BLOCK: usize = 12;
/// Blocks in a row of a tile at most.
const MAX_BLOCKS: usize = 8;

/// Rows of a job, and the columns of its tiles.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tiles {
    pub(super) rows: usize,
    pub(super) columns: Vec<Range<usize>>,
}

impl Tiles {
    /// A plan for outputs of `height` x `width`.
    ///
    /// `step` is what the outputs of one kernel call are apart: rows and columns come in multiples of it. The first and the
    /// last `border` columns see padding: they get narrow tiles, for their inputs are copied. `input_len` tells how
    /// many inputs a tile of some rows and columns reads.
    pub(super) fn new(
        pool: &Pool,
        (height, width): (usize, usize),
        step: [usize; 2],
        border: [usize; 2],
        input_len: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let threads = pool.threads();
        let share = if threads > 1 { height.div_ceil(2 * threads) } else { height };
        let unit = BLOCK * step[1];
        let mut rows = share.clamp(1, MAX_ROWS).next_multiple_of(step[0]);
        let mut blocks = MAX_BLOCKS;
        let too_large = |rows: usize, blocks: usize| input_len(rows, (blocks * unit).min(width)) > TILE_LEN;
        while too_large(rows, blocks) && (rows > step[0] || blocks > 1) {
            if rows > 4 * step[0] || blocks == 1 {
                rows = (rows / 2).next_multiple_of(step[0]);
            } else {
                blocks /= 2;
            }
        }
        Self { rows, columns: split(width, border, unit, blocks) }
    }
}

/// Tiles of at most `blocks` units, but one if that is not much more; narrow ones at the borders.
fn split(width: usize, border: [usize; 2], unit: usize, blocks: usize) -> Vec<Range<usize>> {
    let whole = || std::iter::once(0..width).collect();
    if width <= (blocks + 1).min(4) * unit {
        return whole();
    }
    let narrow = |columns: usize| columns.next_multiple_of(unit);
    let (left, right) = (narrow(border[0]), narrow(border[1]));
    let units = width.saturating_sub(left + right) / unit;
    if units == 0 {
        return whole();
    }
    let tiles = units.div_ceil(blocks);
    // what is left over by whole units goes to the last tile, so that the middle ones have full blocks
    let edge = |t: usize| left + units * t / tiles * unit;
    let mut columns: Vec<Range<usize>> = Vec::with_capacity(tiles + 2);
    if left > 0 {
        columns.push(0..left);
    }
    columns.extend((0..tiles).map(|t| edge(t)..edge(t + 1)));
    let end = edge(tiles);
    if right == 0 {
        columns[tiles - 1 + usize::from(left > 0)].end = width;
    } else if end < width {
        columns.push(end..width);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tiles follow each other from the first to the last column.
    #[test]
    fn tiles_cover_all_columns_in_order() {
        for width in 1..400 {
            for border in [[0, 0], [1, 1], [2, 0], [0, 3], [30, 1]] {
                for (unit, blocks) in [(12, 1), (12, 8), (24, 4), (36, 2)] {
                    let columns = split(width, border, unit, blocks);
                    let mut next = 0;
                    for tile in &columns {
                        assert_eq!(tile.start, next, "{width} {border:?} {columns:?}");
                        assert!(!tile.is_empty(), "{width} {border:?} {columns:?}");
                        next = tile.end;
                    }
                    assert_eq!(next, width, "{border:?} {columns:?}");
                }
            }
        }
    }

    #[test]
    fn large_inputs_get_small_tiles_and_threads_get_rows() {
        let pool = Pool::serial();
        let wide =
            Tiles::new(&pool, (256, 384), [1, 1], [1, 1], |rows, columns| (2 * rows + 3) * (2 * columns + 3) * 192);
        assert!((2 * wide.rows + 3) * (2 * wide.columns[1].len() + 3) * 192 <= 2 * TILE_LEN, "{wide:?}");
        assert_eq!((wide.columns[0].clone(), wide.columns[1].len() % 12), (0..12, 0));
        let thin = Tiles::new(&pool, (256, 384), [1, 1], [0, 0], |rows, columns| rows * columns);
        assert_eq!((thin.rows, thin.columns[0].len()), (16, 96));
        let two = Pool::new(2).expect("two threads");
        let shared = Tiles::new(&two, (12, 20), [2, 2], [1, 1], |rows, columns| rows * columns);
        assert_eq!((shared.rows, shared.columns), (4, std::iter::once(0..20).collect()));
    }
}
