//! The table of cumulative frequencies that symbols are coded with.

use std::sync::OnceLock;

use super::cells::Cells;
use super::pmf::{check_precision, MAX_PRECISION};
use super::reciprocal::Reciprocal;
use super::row::{Row, RowHead};
use crate::{Error, Result};

/// An immutable, validated table of cumulative distributions, one a row.
///
/// Row `r` holds `length - 1` entries, entry `k` having the frequency `cdf[k + 1] - cdf[k]`. All but the last entry
/// stand for the values `offset, offset + 1, ...`; the last one is the escape, after which any other `i32` is spelled
/// out. Building it prepares what the coders look things up in, so build it once and pass it by reference.
#[derive(Debug)]
pub struct CdfTable {
    precision: u32,
    cdfs: Vec<u32>,
    heads: Vec<RowHead>,
    /// The fields `offset`, `max` and `base` of the first rows.
    first_heads: Box<[[i32; 64]; 3]>,
    entries: Vec<u32>,
    has_certainty: bool,
    has_heavy_tails: bool,
    cells: OnceLock<Option<Cells>>,
    reciprocals: OnceLock<Vec<Reciprocal>>,
}

impl CdfTable {
    /// The most rows of a table.
    pub const MAX_ROWS: usize = 1 << 16;
    /// The most entries of all rows together.
    pub const MAX_ENTRIES: usize = 1 << 27;

    /// Checks and takes over a table of `lengths.len()` rows.
    ///
    /// `cdfs` is row-major with `width` columns; the first `lengths[r]` of row `r` count, what follows is padding. They
    /// begin with 0, increase strictly and end with `2^precision`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the sizes do not agree, a row is not as above, `offset + length - 2`
    /// exceeds an `i32`, `precision` is outside 1..=16 or there are more than [`CdfTable::MAX_ROWS`] rows or
    /// [`CdfTable::MAX_ENTRIES`] entries.
    pub fn new(cdfs: &[i32], width: usize, lengths: &[i32], offsets: &[i32], precision: u32) -> Result<Self> {
        let rows = lengths.len();
        let mut table = Self::without_rows(rows, precision)?;
        if offsets.len() != rows || Some(cdfs.len()) != rows.checked_mul(width) {
            return Err(Error::invalid(format!(
                "table of {rows} lengths and {} offsets has {} cumulative frequencies, {rows} x {width} are needed",
                offsets.len(),
                cdfs.len()
            )));
        }
        for (r, (&length, &offset)) in lengths.iter().zip(offsets).enumerate() {
            let length = usize::try_from(length)
                .ok()
                .filter(|l| (2..=width).contains(l))
                .ok_or_else(|| Error::invalid(format!("row {r} has a length of {length}, legal are 2..={width}")))?;
            table.add_row(&cdfs[r * width..][..length], offset).map_err(|e| e.at(format_args!("row {r}")))?;
        }
        Ok(table)
    }

    /// A table to which so many rows are to be added.
    pub(super) fn without_rows(rows: usize, precision: u32) -> Result<Self> {
        check_precision(precision)?;
        if rows == 0 || rows > Self::MAX_ROWS {
            return Err(Error::invalid(format!("table has {rows} rows, legal are 1..={}", Self::MAX_ROWS)));
        }
        let mut heads = Vec::new();
        heads.try_reserve_exact(rows).map_err(|_| Error::limit(format!("no memory for a table of {rows} rows")))?;
        Ok(Self {
            precision,
            cdfs: vec![],
            heads,
            first_heads: Box::new([[0; 64]; 3]),
            entries: vec![],
            has_certainty: false,
            has_heavy_tails: false,
            cells: OnceLock::new(),
            reciprocals: OnceLock::new(),
        })
    }

    /// The same distributions, of which much lies beyond the rows: native streams then pack escapes if that is shorter.
    #[must_use]
    pub fn with_heavy_tails(mut self) -> Self {
        self.has_heavy_tails = true;
        self
    }

    /// Whether escapes are packed if that is shorter.
    #[must_use]
    pub fn has_heavy_tails(&self) -> bool {
        self.has_heavy_tails
    }

    /// Adds a row of cumulative frequencies as [`CdfTable::new`] takes them.
    pub(super) fn add_row(&mut self, cdf: &[i32], offset: i32) -> Result<()> {
        let total = 1i32 << self.precision;
        if cdf[0] != 0 {
            return Err(Error::invalid(format!("cumulative frequencies begin with {}, not 0", cdf[0])));
        }
        if let Some(k) = cdf.windows(2).position(|pair| pair[0] >= pair[1]) {
            let (a, b) = (cdf[k], cdf[k + 1]);
            return Err(Error::invalid(format!("cumulative frequency {} is {b}, it must be above {a}", k + 1)));
        }
        if cdf[cdf.len() - 1] != total {
            return Err(Error::invalid(format!("cumulative frequencies end with {}, not {total}", cdf[cdf.len() - 1])));
        }
        let max = (cdf.len() - 2) as i32; // at most 2^16 entries, since they increase to 2^16
        if offset.checked_add(max).is_none() {
            return Err(Error::invalid(format!("offset {offset} with {max} values exceeds 32 bits")));
        }
        let base = self.entries.len();
        if base + cdf.len() > Self::MAX_ENTRIES {
            return Err(Error::invalid(format!("table has more than {} entries", Self::MAX_ENTRIES)));
        }
        let short = |_| Error::limit(format!("no memory for a table of {} entries", base + cdf.len()));
        self.entries.try_reserve(cdf.len() - 1).map_err(short)?;
        self.cdfs.try_reserve(cdf.len()).map_err(short)?;
        self.has_certainty |= max == 0;
        if self.heads.len() < 64 {
            for (field, value) in self.first_heads.iter_mut().zip([offset, max, base as i32]) {
                field[self.heads.len()] = value;
            }
        }
        self.heads.push(RowHead::new(offset, max, base as i32));
        let shift = MAX_PRECISION - self.precision;
        self.entries.extend(cdf.windows(2).map(|pair| {
            let (start, frequency) = ((pair[0] as u32) << shift, ((pair[1] - pair[0]) as u32) << shift);
            start | frequency << 16 // a frequency of 2^16, certainty, becomes 0
        }));
        self.cdfs.extend(cdf.iter().map(|&c| c as u32));
        Ok(())
    }

    /// Number of rows, which is the number of legal indexes.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.heads.len()
    }

    /// Bits of the total: each row's frequencies sum to `2^precision`.
    #[must_use]
    pub fn precision(&self) -> u32 {
        self.precision
    }

    /// Row `r`.
    ///
    /// # Panics
    /// If `r` is not below [`CdfTable::num_rows`].
    #[must_use]
    pub fn row(&self, r: usize) -> Row<'_> {
        let head = self.heads[r];
        let length = head.max as usize + 2;
        // a row has one cumulative frequency more than it has entries
        Row { cdf: &self.cdfs[head.base as usize + r..][..length], offset: head.offset, length }
    }

    /// The heads of all rows.
    pub(crate) fn heads(&self) -> &[RowHead] {
        &self.heads
    }

    /// The fields `offset`, `max` and `base` of the first 64 rows: what fits into registers.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn first_heads(&self) -> &[[i32; 64]; 3] {
        &self.first_heads
    }

    /// All entries, `start | frequency << 16`, scaled to a total of 2^16. A frequency of 2^16 reads 0.
    pub(crate) fn entries(&self) -> &[u32] {
        &self.entries
    }

    /// For each entry what divides by its frequency, which is not scaled to a total of 2^16.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory is short.
    pub(crate) fn reciprocals(&self) -> Result<&[Reciprocal]> {
        if let Some(there) = self.reciprocals.get() {
            return Ok(there);
        }
        let scale = MAX_PRECISION - self.precision;
        let frequency = |entry: &u32| (((entry >> 16).wrapping_sub(1) & 0xffff) + 1) >> scale;
        let mut reciprocals = Vec::new();
        let short = |_| Error::limit(format!("no memory for the divisors of {} entries", self.entries.len()));
        reciprocals.try_reserve_exact(self.entries.len()).map_err(short)?;
        reciprocals.extend(self.entries.iter().map(|entry| Reciprocal::new(frequency(entry))));
        Ok(self.reciprocals.get_or_init(|| reciprocals))
    }

    /// What decoders search in; none for a table that would need too much memory for it, or more than there is.
    pub(crate) fn cells(&self) -> Option<&Cells> {
        self.cells.get_or_init(|| Cells::new(&self.heads, self.precision, |r| self.row(r))).as_ref()
    }

    /// Whether a row has one entry only, of frequency `2^precision`.
    pub(crate) fn has_certainty(&self) -> bool {
        self.has_certainty
    }

    /// Whether every index is a row.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] with the first position that is not.
    pub(crate) fn check_indexes(&self, indexes: &[i32]) -> Result<()> {
        let last = self.heads.len() as i32 - 1;
        // the sign says whether an index is below 0 or above the last: three operations that every instruction set has
        if indexes.iter().fold(0, |signs, &i| signs | i | last.wrapping_sub(i)) >= 0 {
            return Ok(());
        }
        let at = indexes.iter().position(|i| !(0..=last).contains(i)).unwrap_or(0);
        Err(Error::invalid(format!("index {} at position {at} is outside the table (0..={last})", indexes[at])))
    }
}
