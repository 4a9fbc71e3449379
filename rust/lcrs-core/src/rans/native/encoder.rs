//! Encoding: symbols become entries as they come, and words once all have come.

use super::digits::DigitWriter;
use super::words::WordStack;
use super::{head, scalar, Lanes, LOW, MAX_LANES, START};
use crate::cdf::CdfTable;
use crate::{Result, Simd};

/// Groups are encoded in runs of at most this many symbols, a multiple of [`MAX_LANES`].
const RUN: usize = 4096;

/// Collects symbols; they are coded in [`Encoder::finish`], since the coder runs backwards.
#[derive(Debug)]
pub(in crate::rans) struct Encoder {
    #[allow(dead_code)] // read by the paths to come
    simd: Simd,
    /// `start | frequency << 16` of each symbol; a frequency of 2^16 reads 0.
    entries: Vec<u32>,
    digits: DigitWriter,
    /// Sum of the entries' costs, in 1/256 bit.
    cost: u64,
}

impl Encoder {
    pub(in crate::rans) fn new(simd: Simd) -> Self {
        Self { simd, entries: vec![], digits: DigitWriter::default(), cost: 0 }
    }

    pub(in crate::rans) fn push(&mut self, symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Result<()> {
        table.check_indexes(indexes)?;
        let (heads, entries) = (table.heads(), table.entries());
        self.entries.reserve(symbols.len());
        for (&symbol, &index) in symbols.iter().zip(indexes) {
            let head = heads[index as usize];
            let (position, max) = (i64::from(symbol) - i64::from(head.offset), i64::from(head.max));
            let mut entry = position as u64;
            if entry >= max as u64 {
                self.digits.push(position, max);
                entry = max as u64;
            }
            let entry = entries[head.base as usize + entry as usize];
            self.cost += cost(entry);
            self.entries.push(entry);
        }
        Ok(())
    }

    pub(in crate::rans) fn finish(self) -> Vec<u8> {
        self.finish_with(None)
    }

    /// The stream with a number of lanes that is not the rule's; fewer if the symbols run out before there are lanes.
    pub(super) fn finish_with(self, lanes: Option<usize>) -> Vec<u8> {
        let mut num_lanes = lanes.unwrap_or_else(|| lanes_for(self.cost));
        let mut words = WordStack::default();
        let mut lanes = [0; MAX_LANES];
        lanes[0] = START;
        let main = put_tail(&mut lanes[0], num_lanes, &self.entries, &mut words);
        if main == 0 {
            num_lanes = 1;
        }
        for x in &mut lanes[1..num_lanes] {
            let (low, high) = (words.pop().unwrap_or(0), words.pop().unwrap_or(0)); // the tail left as many as needed
            *x = LOW | u64::from(high) << 16 | u64::from(low);
        }
        self.put_main(&mut lanes, num_lanes, &self.entries[..main], &mut words);

        let mut out = Vec::with_capacity(2 * words.len() + self.digits.num_bytes() + 8 * MAX_LANES);
        head::write(&mut out, num_lanes, main, &lanes, &self.digits);
        for part in words.parts() {
            out.extend_from_slice(part);
        }
        out
    }

    fn put_main(&self, lanes: &mut Lanes, num_lanes: usize, entries: &[u32], words: &mut WordStack) {
        for run in entries.chunks(RUN).rev() {
            let (room, top) = words.room(run.len());
            scalar::put_groups(lanes, num_lanes, run, room, top);
        }
    }
}

/// Codes symbols on lane 0, from the last one, until the words out can seed the other lanes and the symbols left fill
/// whole groups; returns how many are left.
fn put_tail(x: &mut u64, num_lanes: usize, entries: &[u32], words: &mut WordStack) -> usize {
    let seeds = 2 * (num_lanes - 1);
    let (mut left, mut emitted) = (entries.len(), 0);
    while left > 0 && (num_lanes == 1 || emitted < seeds || !left.is_multiple_of(num_lanes)) {
        let run = left.min(if num_lanes == 1 { RUN } else { num_lanes });
        let (room, top) = words.room(run);
        let bottom = *top;
        for _ in 0..run {
            if num_lanes > 1 && left.is_multiple_of(num_lanes) && emitted + (bottom - *top) / 2 >= seeds {
                break;
            }
            left -= 1;
            scalar::put(x, entries[left], room, top);
        }
        emitted += (bottom - *top) / 2;
    }
    left
}

/// The cost of an entry, in 1/256 bit: `16 - log2(frequency)` read off the pattern of a binary32, equal everywhere.
#[inline(always)]
fn cost(entry: u32) -> u64 {
    let frequency = (entry >> 16).wrapping_sub(1) & 0xffff; // less 1, so that certainty, which reads 0, becomes 2^16
    u64::from((65536f32.to_bits() - ((frequency + 1) as f32).to_bits()) >> 15)
}

/// One lane for every 512 bytes.
fn lanes_for(cost: u64) -> usize {
    match cost >> 20 {
        0 => 1,
        blocks => 1 << blocks.ilog2().min(MAX_LANES.ilog2()),
    }
}
