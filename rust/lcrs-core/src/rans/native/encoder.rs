//! Encoding: symbols become entries as they come, and words once all have come, since the coder runs backwards.

use std::sync::Arc;

use super::digits::{DigitWriter, Escapes, LateDigits};
use super::lane::put_all;
use super::path::Path;
use super::progress::{Symbols, Words, RUN};
use super::{head, Lanes, LOW, MAX_LANES, START};
use crate::buffer_pool::BufferPool;
use crate::cdf::CdfTable;
use crate::rans::words::{Stream, WordStack};
use crate::{Error, Limits, Result, Runtime, Simd};

/// A stream of this cost has all lanes.
const FULL_COST: u64 = (MAX_LANES as u64) << COST_BITS;
/// Room made at once for symbols that come before the number of lanes is settled; usually there are fewer.
const MAX_SETTLING: usize = 1 << 18;
/// A lane is worth this cost, the power of two: 512 bytes in units of 1/256 bit.
const COST_BITS: u32 = 20;

/// Encodes all symbols at once. Beyond the point where the number of lanes is settled, entries are looked up run by
/// run just before they are coded, so that they never leave the cache.
pub(in crate::rans) fn encode(rt: &Runtime, symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Result<Stream> {
    let mut first = Encoder::on(rt, symbols.len().min(MAX_SETTLING));
    let mut settled = 0;
    while settled < symbols.len() && first.cost < FULL_COST {
        let run = settled..symbols.len().min(settled + RUN);
        settled = run.end;
        first.make_room(run.len())?;
        first
            .push_run(&symbols[run.clone()], &indexes[run], table)?
            .map_or_else(|| table.check_indexes(indexes), Ok)?;
    }
    let words = expected_words(first.cost) as f64 * (symbols.len() as f64 / settled.max(1) as f64);
    let words = WordStack::new(words as usize, first.home.as_ref().map(|home| home.streams.clone()));
    let mut coder = first.coder(words, table.has_certainty());
    let mut late_digits = LateDigits::default();
    let mut scratch = Limits::default().zeroed(RUN.min(symbols.len() - settled), "a run of symbols")?;
    for start in (settled..symbols.len()).step_by(RUN).rev() {
        let run = start..symbols.len().min(start + RUN);
        let (symbols, indexes_of_run) = (&symbols[run.clone()], &indexes[run]);
        let found = coder.encode_run(table, start, symbols, indexes_of_run, &mut scratch, &mut late_digits);
        found.map_or_else(|| table.check_indexes(indexes), Ok)?;
    }
    first.digits.append_late(&late_digits);
    first.digits.check()?;
    coder.finish(first.entries(), &first.digits.spelled(first.has_heavy_tails)?)
}

/// Collects symbols in pieces; they are coded in [`Encoder::finish`].
#[derive(Debug)]
pub(in crate::rans) struct Encoder {
    path: Path,
    /// `start | frequency << 16` of each symbol, `len` of them; a frequency of 2^16 reads 0.
    buffer: Vec<u32>,
    len: usize,
    home: Option<Home>,
    digits: DigitWriter,
    /// Sum of the entries' costs, in 1/256 bit.
    cost: u64,
    /// Whether a table had a row of one entry.
    has_certainty: bool,
    /// Whether a table had heavy tails.
    has_heavy_tails: bool,
}

/// Where the memory of an encoder comes from and goes back to.
#[derive(Debug)]
struct Home {
    entries: Arc<BufferPool<u32>>,
    streams: Arc<BufferPool<u8>>,
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            home.entries.give(std::mem::take(&mut self.buffer));
        }
    }
}

impl Encoder {
    /// With memory of its own.
    pub(in crate::rans) fn new(simd: Simd) -> Self {
        let (path, digits) = (Path::new(simd), DigitWriter::default());
        let (has_certainty, has_heavy_tails) = (false, false);
        Self { path, buffer: vec![], len: 0, home: None, digits, cost: 0, has_certainty, has_heavy_tails }
    }

    /// With room for `capacity` symbols, in memory of the runtime.
    pub(in crate::rans) fn on(rt: &Runtime, capacity: usize) -> Self {
        let mut encoder = Self::new(rt.simd);
        // fresh memory costs a page fault every four kilobytes, but is faster had for a page or two
        if capacity > RUN {
            encoder.home = Some(Home { entries: rt.entry_buffers.clone(), streams: rt.stream_buffers.clone() });
            encoder.buffer = rt.entry_buffers.take(capacity).unwrap_or_default();
        }
        // what cannot be had now is an error when symbols come
        let _ = encoder.make_room(capacity);
        encoder
    }

    fn entries(&self) -> &[u32] {
        &self.buffer[..self.len]
    }

    pub(in crate::rans) fn push(&mut self, symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Result<()> {
        self.make_room(symbols.len())?;
        self.push_run(symbols, indexes, table)?.map_or_else(|| table.check_indexes(indexes), Ok)
    }

    /// Room for so many symbols more.
    fn make_room(&mut self, count: usize) -> Result<()> {
        let end = self.len + count;
        if self.buffer.len() < end {
            let len = end.max(2 * self.buffer.len());
            let short = |_| Error::limit(format!("no memory for {len} symbols to encode"));
            self.buffer.try_reserve_exact(len - self.buffer.len()).map_err(short)?;
            self.buffer.resize(len, 0);
        }
        Ok(())
    }

    /// Appends symbols that there is room for, or nothing if an index is not a row or there is no room for their escapes.
    fn push_run(&mut self, symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Result<Option<()>> {
        let (end, num_digits) = (self.len + symbols.len(), self.digits.len());
        let entries = &mut self.buffer[self.len..end];
        let found = self.path.look_up(table, symbols, indexes, entries, &mut self.digits);
        let has_room = self.digits.check();
        if found.is_some() && has_room.is_ok() {
            self.len = end;
            self.cost += self.path.cost(entries);
            self.has_certainty |= table.has_certainty();
            self.has_heavy_tails |= table.has_heavy_tails();
        } else {
            self.digits.truncate(num_digits);
        }
        has_room.map(|()| found)
    }

    pub(in crate::rans) fn finish(self) -> Result<Stream> {
        let words = WordStack::new(expected_words(self.cost), self.home.as_ref().map(|home| home.streams.clone()));
        self.coder(words, false).finish(self.entries(), &self.digits.spelled(self.has_heavy_tails)?)
    }

    /// A coder for these symbols and others, which have rows of one entry or not.
    fn coder(&self, words: WordStack<2>, has_certainty: bool) -> Coder {
        let path = if self.has_certainty || has_certainty { Path::Scalar } else { self.path };
        let mut lanes = [0; MAX_LANES];
        lanes[0] = START;
        Coder { path, words, lanes, num_lanes: lanes_for(self.cost), emitted: 0, main: None }
    }
}

/// About the number of words for this cost; few streams need more.
fn expected_words(cost: u64) -> usize {
    (cost / (16 * 256)) as usize
}

/// One lane for every 512 bytes.
fn lanes_for(cost: u64) -> usize {
    match cost >> COST_BITS {
        0 => 1,
        units => 1 << units.ilog2().min(MAX_LANES.ilog2()),
    }
}

/// The coder proper: takes runs of entries from the last to the first.
struct Coder {
    path: Path,
    words: WordStack<2>,
    lanes: Lanes,
    num_lanes: usize,
    /// Words that the tail has emitted.
    emitted: usize,
    /// Symbols in the main part, once the tail is complete.
    main: Option<usize>,
}

impl Coder {
    /// Looks up and codes the symbols that begin at `start`, a multiple of `MAX_LANES`; nothing if an index is not a row.
    /// Escapes come piece by piece, from the last to the first.
    fn encode_run(
        &mut self,
        table: &CdfTable,
        start: usize,
        symbols: &[i32],
        indexes: &[i32],
        scratch: &mut [u32],
        late_digits: &mut LateDigits,
    ) -> Option<()> {
        if self.main.is_some() && self.path.encodes_groups(table, self.num_lanes) {
            let (room, mut top) = self.words.room(symbols.len());
            let output = Words { lanes: &mut self.lanes, room, top: &mut top };
            self.path.encode_groups(Symbols { table, symbols, indexes }, output, late_digits)?;
            self.words.set_top(top);
            return Some(());
        }
        let entries = &mut scratch[..symbols.len()];
        self.path.look_up(table, symbols, indexes, entries, late_digits.piece())?;
        late_digits.end_piece();
        self.put_run(start, entries);
        Some(())
    }

    /// Codes the entries that begin at symbol `start`, a multiple of `MAX_LANES`.
    fn put_run(&mut self, start: usize, mut entries: &[u32]) {
        if self.main.is_none() {
            let left = self.put_tail(entries);
            entries = &entries[..left];
            if start + left > 0 && self.is_tail_complete(left) {
                self.seed();
                self.main = Some(start + left);
            }
        }
        if !entries.is_empty() {
            let (room, mut top) = self.words.room(entries.len());
            self.path.put_groups(&mut self.lanes, self.num_lanes, entries, room, &mut top);
            self.words.set_top(top);
        }
    }

    /// Whether with `left` symbols left in a run (and any number of runs) lanes can begin.
    fn is_tail_complete(&self, left: usize) -> bool {
        self.num_lanes > 1 && self.emitted >= 2 * (self.num_lanes - 1) && left.is_multiple_of(self.num_lanes)
    }

    /// Codes symbols on lane 0, from the last one, until the tail is complete; returns how many are left.
    fn put_tail(&mut self, entries: &[u32]) -> usize {
        let mut left = entries.len();
        while left > 0 && !self.is_tail_complete(left) {
            // to the next group boundary
            let group = if self.num_lanes == 1 { MAX_LANES } else { self.num_lanes };
            let size = (left - 1) % group + 1;
            self.emitted += put_all(&mut self.lanes[0], &entries[left - size..left], &mut self.words);
            left -= size;
        }
        left
    }

    /// Makes the last words of the tail the states of lanes 1 and up.
    fn seed(&mut self) {
        for x in &mut self.lanes[1..self.num_lanes] {
            let [low, high] = std::array::from_fn(|_| self.words.pop().map_or(0, u16::from_le_bytes)); // there are as many
            *x = LOW | u64::from(high) << 16 | u64::from(low);
        }
    }

    /// Codes the symbols before all runs so far and returns the stream.
    fn finish(mut self, entries: &[u32], escapes: &Escapes) -> Result<Stream> {
        for start in (0..entries.len()).step_by(RUN).rev() {
            self.put_run(start, &entries[start..entries.len().min(start + RUN)]);
        }
        let main = self.main.unwrap_or(0);
        let num_lanes = if main == 0 { 1 } else { self.num_lanes };
        let (mut bytes, room) = (Vec::new(), escapes.bytes.len() + 8 * num_lanes + 16);
        bytes.try_reserve_exact(room).map_err(|_| Error::limit(format!("no memory for {room} bytes of escapes")))?;
        head::write(&mut bytes, num_lanes, main, &self.lanes, escapes);
        self.words.finish(&bytes)
    }
}
