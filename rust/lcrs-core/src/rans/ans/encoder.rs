//! Encoding, from the last symbol to the first.

use super::stack::Stack;
use crate::cdf::CdfTable;
use crate::rans::escape::fold;
use crate::rans::words::{Stream, WordStack};
use crate::{Error, Result, Runtime};

/// Symbols are looked up and coded in runs of this many.
const RUN: usize = 2048;

/// Encodes all symbols at once: division is by the table's reciprocals.
pub(in crate::rans) fn encode(rt: &Runtime, symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Result<Stream> {
    table.check_indexes(indexes)?;
    let reciprocals = table.reciprocals()?;
    let home = (symbols.len() > RUN).then(|| rt.stream_buffers.clone());
    let mut stack = Stack::new(WordStack::new(symbols.len() / 4, home));
    let (mut places, room) = (Vec::new(), RUN.min(symbols.len()));
    places.try_reserve_exact(room).map_err(|_| Error::limit(format!("no memory for {room} symbols to encode")))?;
    let mut run = Encoder::default();
    for (symbols, indexes) in symbols.chunks(RUN).zip(indexes.chunks(RUN)).rev() {
        places.clear();
        run.clear();
        run.look_up(symbols, indexes, table, |place| places.push(place as u32))?;
        run.put(&mut stack, |i, x| reciprocals[places[i] as usize].divide(x));
    }
    stack.finish()
}

/// Collects symbols in pieces; they are coded in [`Encoder::finish`].
#[derive(Debug, Default)]
pub(in crate::rans) struct Encoder {
    /// `start | frequency << 16` of each symbol; a frequency of 2^16 reads 0.
    entries: Vec<u32>,
    /// Position and folded value of each escape, in order.
    escapes: Vec<(usize, u64)>,
}

impl Encoder {
    pub(in crate::rans) fn new() -> Self {
        Self::default()
    }

    pub(in crate::rans) fn push(&mut self, symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Result<()> {
        table.check_indexes(indexes)?;
        let (num_entries, num_escapes) = (self.entries.len(), self.escapes.len());
        self.look_up(symbols, indexes, table, |_| ()).inspect_err(|_| {
            self.entries.truncate(num_entries);
            self.escapes.truncate(num_escapes);
        })
    }

    pub(in crate::rans) fn finish(self) -> Result<Stream> {
        let mut stack = Stack::new(WordStack::default());
        self.put(&mut stack, |i, x| x / u64::from(self.entries[i] >> 16));
        stack.finish()
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.escapes.clear();
    }

    /// Appends symbols whose indexes have been checked, and shows where in the table their entries are.
    #[inline(always)]
    fn look_up(
        &mut self,
        symbols: &[i32],
        indexes: &[i32],
        table: &CdfTable,
        mut place: impl FnMut(usize),
    ) -> Result<()> {
        let (heads, entries, scale) = (table.heads(), table.entries(), 16 - table.precision());
        let short = |_| Error::limit(format!("no memory for {} symbols to encode", symbols.len()));
        self.entries.try_reserve(symbols.len()).map_err(short)?;
        for (&symbol, &index) in symbols.iter().zip(indexes) {
            let head = heads[index as usize];
            let (position, max) = (i64::from(symbol) - i64::from(head.offset), i64::from(head.max));
            let mut k = position as u64;
            if k >= max as u64 {
                self.escapes.try_reserve(1).map_err(short)?;
                self.escapes.push((self.entries.len(), fold(position, max)));
                k = max as u64;
            }
            let at = head.base as usize + k as usize;
            place(at);
            self.entries.push(if scale == 0 { entries[at] } else { unscaled(entries[at], scale) });
        }
        Ok(())
    }

    /// Puts all symbols on the stack: the runs between escapes, and the escapes.
    #[inline(always)]
    fn put(&self, stack: &mut Stack, divide: impl Fn(usize, u64) -> u64) {
        let mut end = self.entries.len();
        for &(at, raw) in self.escapes.iter().rev() {
            self.put_run(stack, at + 1..end, &divide);
            stack.put_escape(raw);
            end = at + 1;
        }
        self.put_run(stack, 0..end, &divide);
    }

    #[inline(always)]
    fn put_run(&self, stack: &mut Stack, run: std::ops::Range<usize>, divide: impl Fn(usize, u64) -> u64) {
        for start in run.clone().step_by(RUN).rev() {
            let entries = &self.entries[start..run.end.min(start + RUN)];
            stack.put_run(entries.iter().copied(), |i, x| divide(start + i, x));
        }
    }
}

/// Undoes the scaling to a total of 2^16: the peer codes tables of any precision as they are.
fn unscaled(entry: u32, scale: u32) -> u32 {
    let (start, frequency) = (entry & 0xffff, ((entry >> 16).wrapping_sub(1) & 0xffff) + 1);
    start >> scale | (frequency >> scale) << 16
}
