//! What a decoder searches in: from a row and a slot to the entry that covers the slot, in two loads.
//!
//! A row's 2^16 slots fall into 256 buckets. A bucket is cut into `2^(8 - shift)` equal cells, as few as are needed
//! for a cell to have at most one boundary between entries inside. So a cell meets at most two entries, A and B = A +
//! 1, and knows both: `slot < boundary` says which. Equal neighbours among one-cell buckets share their cell, so that
//! the flat parts of a row cost nothing and the steep parts stay in the cache.

use super::row::{Row, RowHead};

/// Buckets of a row.
const BUCKETS: usize = 256;
/// Cells of all rows together; a table that needs more is searched by bisection.
const MAX_CELLS: usize = 1 << 23;

/// The bucket descriptors and cells of a table.
#[derive(Debug)]
pub(crate) struct Cells {
    /// For each row and bucket `(first cell - first slot >> shift) << 5 | shift`, so that the cell of a slot is
    /// `(bucket >> 5) + (slot >> shift)`.
    buckets: Vec<[i32; BUCKETS]>,
    cells: Vec<u64>,
    /// Of each row the offset and the escape entry; used with wide cells.
    limits: Vec<(i32, i32)>,
    narrow: bool,
}

/// The bit of [`Taken::escape`] that counts.
pub(crate) const ESCAPE: u64 = 1 << 48;

/// A symbol taken from a state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    /// The value; that of the escape entry is `offset + max`.
    pub(crate) value: i32,
    /// Has [`ESCAPE`] if it is the row's escape, and anything else. (So loops gather it without a comparison a symbol.)
    pub(crate) escape: u64,
    /// The state after the symbol, before renormalisation.
    pub(crate) state: u64,
}

/// How a decoder finds the entry for a slot and what it makes of the state. In two steps, since the first one is made of
/// loads and the second one of arithmetic, which compilers do for several states at once.
pub(crate) trait Search: Copy {
    /// What is known of the entry of `row` that covers the slot `x mod 2^16`.
    fn find(self, row: i32, x: u64) -> u64;

    /// Takes that symbol off the state `x`: the new state is `frequency * (x div 2^16) + slot - start`.
    fn take(self, row: i32, x: u64, found: u64) -> Taken;

    /// The narrow cells, if these are they: SIMD paths read them themselves.
    fn narrow(&self) -> Option<Narrow<'_>> {
        None
    }
}

/// Cells of 15-bit values: boundary (16 bits), frequency of A (16), of B (16), "B is the escape" (1), value of A,
/// signed (15).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrow<'a>(&'a Cells);

/// Cells for any table: boundary (16 bits), frequency of A less 1 (16), of B less 1 (16), entry A plus 1 (16).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wide<'a>(&'a Cells);

impl Cells {
    /// The cells of a table of this precision with these rows; nothing if they are too many or memory is short.
    pub(super) fn new<'a>(heads: &[RowHead], precision: u32, row: impl Fn(usize) -> Row<'a>) -> Option<Self> {
        let rows = 0..heads.len();
        let is_narrow = |r: usize| {
            let row = row(r);
            let last = i64::from(row.offset) + row.length as i64 - 2;
            row.length > 2 && row.offset >= -(1 << 14) && last <= 1 << 14
        };
        let (mut buckets, mut limits) = (Vec::new(), Vec::new());
        buckets.try_reserve_exact(rows.len()).ok()?;
        limits.try_reserve_exact(rows.len()).ok()?;
        limits.extend(heads.iter().map(|h| (h.offset, h.max)));
        let mut cells = Self { buckets, cells: vec![], limits, narrow: rows.clone().all(is_narrow) };
        let mut starts = Vec::new();
        for r in rows {
            let row = row(r);
            let scale = 16 - precision;
            starts.clear();
            starts.try_reserve(row.length).ok()?;
            starts.extend(row.cdf.iter().map(|c| c << scale));
            cells.add_row(&starts, row.offset)?;
            if cells.cells.len() > MAX_CELLS {
                return None;
            }
        }
        Some(cells)
    }

    /// Adds the cells of a row, if there is memory for them.
    fn add_row(&mut self, starts: &[u32], offset: i32) -> Option<()> {
        let mut buckets = [0; BUCKETS];
        let mut entry = 0;
        for (b, bucket) in buckets.iter_mut().enumerate() {
            let low = (b << 8) as u32;
            let shift = coarsest_shift(&starts[entry..], low);
            let first = self.cells.len();
            self.cells.try_reserve(256 >> shift).ok()?;
            for slot in (low..low + 256).step_by(1 << shift) {
                while starts[entry + 1] <= slot {
                    entry += 1;
                }
                let cell = self.cell(starts, entry, offset);
                self.cells.push(cell);
            }
            let is_repeated = shift == 8 && b > 0 && self.cells[first - 1] == self.cells[first];
            if is_repeated {
                self.cells.pop();
            }
            *bucket = ((first - usize::from(is_repeated)) as i32 - (low >> shift) as i32) << 5 | shift as i32;
        }
        self.buckets.push(buckets);
        Some(())
    }

    /// The cell that begins in `entry`. In the last entry there is no boundary to come, so that one is B there.
    fn cell(&self, starts: &[u32], entry: usize, offset: i32) -> u64 {
        let last = starts.len() - 2;
        let frequency = |k: usize| u64::from(starts[k + 1] - starts[k]);
        if last == 0 {
            return 0xffff << 32; // certainty: boundary 0, B has 2^16, A + 1 = 0
        }
        let a = entry.min(last - 1);
        let boundary = u64::from(starts[a + 1]);
        if self.narrow {
            let value = (a as i64 + i64::from(offset)) as u64;
            let escape = u64::from(a + 1 == last);
            boundary | frequency(a) << 16 | frequency(a + 1) << 32 | escape << 48 | value << 49
        } else {
            boundary | (frequency(a) - 1) << 16 | (frequency(a + 1) - 1) << 32 | (a as u64 + 1) << 48
        }
    }

    /// The narrow cells, unless this table has values beyond 15 bits or a row of one entry.
    pub(crate) fn narrow(&self) -> Option<Narrow<'_>> {
        self.narrow.then_some(Narrow(self))
    }

    /// The wide cells, unless there are narrow ones.
    pub(crate) fn wide(&self) -> Option<Wide<'_>> {
        (!self.narrow).then_some(Wide(self))
    }

    #[inline(always)]
    fn find(&self, row: i32, slot: u64) -> u64 {
        let bucket = self.buckets[row as usize][(slot >> 8) as usize % BUCKETS];
        self.cells[((bucket >> 5) + (slot as u32 >> (bucket & 31)) as i32) as usize]
    }
}

/// The largest `shift` with at most one start strictly inside each of the bucket's cells of `2^shift` slots.
/// `starts` begins at or before the bucket.
fn coarsest_shift(starts: &[u32], low: u32) -> u32 {
    let inside = starts.iter().skip_while(|&&s| s <= low).take_while(|&&s| s < low + 256);
    let mut shift = 8;
    let mut previous: Option<u32> = None;
    for &start in inside {
        // two starts must be in different cells, or the later one must begin its cell
        while previous.is_some_and(|p| p >> shift == start >> shift && !p.is_multiple_of(1 << shift)) {
            shift -= 1;
        }
        previous = Some(start);
    }
    shift
}

/// The state after taking the entry that covers `slot` of a cell with this boundary, and all ones if that is A, else
/// 0. Masks rather than branches, since A or B is a toss that no predictor learns.
#[inline(always)]
pub(crate) fn take_either(x: u64, boundary: u64, frequencies: [u64; 2]) -> (u64, u64) {
    let [high, rest] = [x >> 16, (x & 0xffff).wrapping_sub(boundary)];
    let in_a = ((rest as i64) >> 63) as u64;
    let frequency = frequencies[1] ^ (frequencies[0] ^ frequencies[1]) & in_a;
    (frequency * high + rest.wrapping_add(frequency & in_a), in_a)
}

impl<'a> Narrow<'a> {
    /// Buckets of each row and all cells. With `bucket` that of a row and a slot, the cell
    /// `(bucket >> 5) + (slot >> (bucket & 31))` exists.
    #[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code))]
    pub(crate) fn parts(self) -> (&'a [[i32; BUCKETS]], &'a [u64]) {
        (&self.0.buckets, &self.0.cells)
    }
}

impl Search for Narrow<'_> {
    fn narrow(&self) -> Option<Narrow<'_>> {
        Some(*self)
    }

    #[inline(always)]
    fn find(self, row: i32, x: u64) -> u64 {
        self.0.find(row, x & 0xffff)
    }

    #[inline(always)]
    fn take(self, _: i32, x: u64, cell: u64) -> Taken {
        let (state, in_a) = take_either(x, cell & 0xffff, [cell >> 16 & 0xffff, cell >> 32 & 0xffff]);
        Taken { value: ((cell >> 32) as i32 >> 17) + 1 + in_a as i32, escape: cell & !in_a, state }
    }
}

impl Search for Wide<'_> {
    #[inline(always)]
    fn find(self, row: i32, x: u64) -> u64 {
        self.0.find(row, x & 0xffff)
    }

    #[inline(always)]
    fn take(self, row: i32, x: u64, cell: u64) -> Taken {
        let frequencies = [(cell >> 16 & 0xffff) + 1, (cell >> 32 & 0xffff) + 1];
        let (state, in_a) = take_either(x, cell & 0xffff, frequencies);
        let entry = (cell >> 48) as i32 + in_a as i32;
        let (offset, max) = self.0.limits[row as usize];
        Taken { value: offset + entry, escape: u64::from(entry == max) * ESCAPE, state }
    }
}
