//! What a decoder searches in where a table has no cells: the row itself.

use super::cells::{Search, Taken, ESCAPE};
use super::table::CdfTable;

/// Bisection in the row itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bisect<'a>(pub(crate) &'a CdfTable);

impl Search for Bisect<'_> {
    /// The number of the entry.
    #[inline]
    fn find(self, row: i32, x: u64) -> u64 {
        let table = self.0;
        let scale = 16 - table.precision();
        let (row, slot) = (table.row(row as usize), (x & 0xffff) as u32);
        row.cdf.partition_point(|c| c << scale <= slot) as u64 - 1
    }

    #[inline]
    fn take(self, row: i32, x: u64, entry: u64) -> Taken {
        let scale = 16 - self.0.precision();
        let row = self.0.row(row as usize);
        let [start, end] = [0, 1].map(|k| u64::from(row.cdf[entry as usize + k]) << scale);
        Taken {
            value: row.offset + entry as i32,
            escape: u64::from(entry as usize + 2 == row.length) * ESCAPE,
            state: (end - start) * (x >> 16) + (x & 0xffff) - start,
        }
    }
}
