//! The plain path: the specification as loops over groups. Every other path gives the same words and symbols.

use super::digits::DigitWriter;
use super::encoder::RUN;
use super::path::Progress;
use super::{Lanes, LOW};
use crate::cdf::{CdfTable, Search};

/// Looks up the entries of symbols and spells the escapes; nothing if an index is not a row.
pub(super) fn look_up(
    table: &CdfTable,
    symbols: &[i32],
    indexes: &[i32],
    entries: &mut [u32],
    digits: &mut DigitWriter,
) -> Option<()> {
    let (heads, all_entries) = (table.heads(), table.entries());
    for ((&symbol, &index), entry) in symbols.iter().zip(indexes).zip(entries) {
        let head = heads.get(index as usize)?; // a negative index is huge
        let mut k = symbol.wrapping_sub(head.offset) as u32;
        if k >= head.max as u32 {
            digits.push(i64::from(symbol) - i64::from(head.offset), i64::from(head.max));
            k = head.max as u32;
        }
        *entry = all_entries[(head.base as u32 + k) as usize];
    }
    Some(())
}

/// The cost of entries, in 1/256 bit: `16 - log2(frequency)` of each, read off the pattern of a binary32, equal
/// everywhere.
#[inline(always)]
pub(super) fn cost(entries: &[u32]) -> u64 {
    let cost = |entry: u32| {
        let frequency = ((entry >> 16).wrapping_sub(1) & 0xffff) + 1; // certainty, which reads 0, is 2^16
        (65536f32.to_bits() - (frequency as i32 as f32).to_bits()) >> 15
    };
    // at most 2^12 each, so that a run's sum has 32 bits
    entries.chunks(RUN).map(|run| u64::from(run.iter().map(|&entry| cost(entry)).sum::<u32>())).sum()
}

/// Puts the entry `start | frequency << 16` on the state `x`, emitting at most one word to `room` below `top`.
#[inline(always)]
pub(super) fn put(x: &mut u64, entry: u32, room: &mut [[u8; 2]], top: &mut usize) {
    let (start, frequency) = (u64::from(entry & 0xffff), u64::from(entry >> 16));
    if frequency == 0 {
        return; // 2^16: certainty changes nothing
    }
    // written always, kept if due: whether it is due no branch predictor learns
    room[*top - 1] = (*x as u16).to_le_bytes();
    let is_due = *x >> 32 >= frequency;
    *top -= usize::from(is_due);
    let y = if is_due { *x >> 16 } else { *x };
    *x = y + start + quotient(y, frequency) * (65536 - frequency);
}

/// `y div f` for `f <= y < 2^48`, `f < 2^16` and a quotient below 2^32, by a division of binary64, which is faster
/// than that of integers. `(2 y + 1) / 2 f - 1/2` is nearest to the quotient, from which it differs by at most `1/2 -
/// 2^-17` and an error of `2^-21`; the sum with `2^52` rounds it and shows it in the low bits.
#[inline(always)]
fn quotient(y: u64, f: u64) -> u64 {
    let exact = (2 * y + 1) as i64 as f64 / (2 * f) as i64 as f64;
    (exact + ((1u64 << 52) as f64 - 0.5)).to_bits() & 0xffff_ffff
}

/// Encodes whole groups, from the last to the first.
pub(super) fn put_groups(lanes: &mut Lanes, num_lanes: usize, entries: &[u32], room: &mut [[u8; 2]], top: &mut usize) {
    let mut at = *top;
    for group in entries.chunks_exact(num_lanes).rev() {
        for (x, &entry) in lanes[..num_lanes].iter_mut().zip(group).rev() {
            put(x, entry, room, &mut at);
        }
    }
    *top = at;
}

/// Decodes whole groups, all or up to the first with an escape.
#[inline(never)] // as part of a larger function it would lose its registers
pub(super) fn take_groups(
    search: impl Search,
    lanes: &mut Lanes,
    num_lanes: usize,
    words: &[u8],
    indexes: &[i32],
    out: &mut [i32],
) -> Progress {
    let mut progress = Progress { symbols: 0, bytes: 0, suspects: 0 };
    for (indexes, out) in indexes.chunks_exact(num_lanes).zip(out.chunks_exact_mut(num_lanes)) {
        let (bytes, has_escapes) = take_part(search, &mut lanes[..num_lanes], &words[progress.bytes..], indexes, out);
        progress.bytes += bytes;
        progress.symbols += num_lanes;
        if has_escapes {
            progress.suspects = num_lanes;
            break;
        }
    }
    progress
}

/// Decodes a symbol on each of the given lanes, a group or part of one. `words` begins with a word for each of them;
/// returns how many bytes of it were read and whether there are escapes, of which `out` holds the value of the escape
/// entry.
#[inline(always)]
pub(super) fn take_part(
    search: impl Search,
    lanes: &mut [u64],
    words: &[u8],
    indexes: &[i32],
    out: &mut [i32],
) -> (usize, bool) {
    let (mut at, mut escapes) = (0, 0);
    let (lanes4, lanes) = lanes.as_chunks_mut::<4>();
    let (indexes4, indexes) = indexes.as_chunks();
    let (out4, out) = out.as_chunks_mut();
    for ((lanes, indexes), out) in lanes4.iter_mut().zip(indexes4).zip(out4) {
        // four symbols take at most four words, so that one load serves them
        let next = words[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        at += take_some(search, lanes, next, indexes, out, &mut escapes);
    }
    for ((x, &index), out) in lanes.iter_mut().zip(indexes).zip(out) {
        let next = words[at..].first_chunk().map_or(0, |bytes| u64::from(u16::from_le_bytes(*bytes)));
        at += take_some(search, std::array::from_mut(x), next, &[index], std::array::from_mut(out), &mut escapes);
    }
    (at, escapes != 0)
}

/// Decodes a symbol on each of at most four lanes, with the next words in `next`, the first one lowest; returns how
/// many bytes of them were read.
#[inline(always)]
fn take_some<const N: usize>(
    search: impl Search,
    lanes: &mut [u64; N],
    mut next: u64,
    indexes: &[i32; N],
    out: &mut [i32; N],
    escapes: &mut u64,
) -> usize {
    let mut read = 0;
    for k in 0..N {
        let taken = search.take(indexes[k], lanes[k]);
        out[k] = taken.value;
        *escapes |= taken.escape;
        // by masks, as in `put`
        let due = ((taken.state.wrapping_sub(LOW) as i64) >> 63) as u64;
        lanes[k] = taken.state ^ (taken.state ^ (taken.state << 16 | next & 0xffff)) & due;
        next >>= due & 16;
        read += due & 2;
    }
    read as usize
}
