//! The plain path: the specification as loops over groups. Every other path gives the same words and symbols.

use std::hint::select_unpredictable;

use super::digits::DigitWriter;
use super::lane::{frequency, make_room, pushed};
use super::progress::{Progress, RUN};
use super::quotient::{FLOOR, UNIT};
use super::{Lanes, LOW, MAX_LANES};
use crate::cdf::{CdfTable, Search, ESCAPE};

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
    let cost = |entry: u32| (65536f32.to_bits() - (frequency(entry) as i32 as f32).to_bits()) >> 15;
    // at most 2^12 each, so that a run's sum has 32 bits
    entries.chunks(RUN).map(|run| u64::from(run.iter().map(|&entry| cost(entry)).sum::<u32>())).sum()
}

/// A number below 2^52 as the low bits of one from 2^52 on. What this makes of a conversion to binary64, a subtraction,
/// all instruction sets do for vectors.
#[inline(always)]
fn raised(n: u64) -> f64 {
    f64::from_bits(n | UNIT.to_bits())
}

/// `y div f` for `f <= y < 2^48`, `f <= 2^16` and a quotient below 2^32, by a division of binary64,
/// which is faster than that of integers. `(y + 1/2) / f - 1/2` is nearest to the quotient, from which it differs by at
/// most `1/2 - 2^-17` and an error of `2^-21`; the sum with `2^52` rounds it and shows it in the low bits.
#[inline(always)]
fn quotient(y: u64, f: u32) -> u64 {
    let quotient = (raised(y) - (UNIT - 0.5)) / (raised(u64::from(f)) - UNIT) + FLOOR;
    quotient.to_bits() & 0xffff_ffff
}

/// Encodes whole groups, from the last to the first.
pub(super) fn put_groups(lanes: &mut Lanes, num_lanes: usize, entries: &[u32], room: &mut [[u8; 2]], top: &mut usize) {
    let (mut at, lanes) = (*top, &mut lanes[..num_lanes]);
    for group in entries.chunks_exact(num_lanes).rev() {
        // four at a time: less to do for the loop itself
        let ((lanes4, few), (group4, few_entries)) = (lanes.as_chunks_mut::<4>(), group.as_chunks::<4>());
        for (x, &entry) in few.iter_mut().zip(few_entries).rev() {
            make_room(x, entry, room, &mut at);
        }
        for (lanes, group) in lanes4.iter_mut().zip(group4).rev() {
            for k in [3, 2, 1, 0] {
                make_room(&mut lanes[k], group[k], room, &mut at);
            }
        }
        for (x, &entry) in lanes.iter_mut().zip(group) {
            *x = pushed(*x, entry, quotient(*x, frequency(entry)));
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
    let mut found = [0; MAX_LANES];
    for (indexes, out) in indexes.chunks_exact(num_lanes).zip(out.chunks_exact_mut(num_lanes)) {
        let (lanes, words) = (&mut lanes[..num_lanes], &words[progress.bytes..]);
        let (bytes, has_escapes) = take_part(search, lanes, words, indexes, out, &mut found);
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
/// entry. What is in `found` does not matter.
#[inline(always)]
pub(super) fn take_part(
    search: impl Search,
    lanes: &mut [u64],
    words: &[u8],
    indexes: &[i32],
    out: &mut [i32],
    found: &mut [u64; MAX_LANES],
) -> (usize, bool) {
    let found = &mut found[..lanes.len()];
    for ((found, &x), &index) in found.iter_mut().zip(&*lanes).zip(indexes) {
        *found = search.find(index, x);
    }
    let mut escapes = 0;
    for (((x, &index), &mut found), out) in lanes.iter_mut().zip(indexes).zip(found).zip(out) {
        // states are below 2^48: with the mask compilers see that products are of 32-bit factors
        let taken = search.take(index, *x & 0xffff_ffff_ffff, found);
        *out = taken.value;
        *x = taken.state;
        escapes |= taken.escape;
    }
    (2 * renormalise(lanes, words), escapes & ESCAPE != 0)
}

/// Moves the states below 2^32 up by a word; returns how many there are.
#[inline(always)]
fn renormalise(lanes: &mut [u64], words: &[u8]) -> usize {
    let mut at = 0;
    let (lanes4, lanes) = lanes.as_chunks_mut::<4>();
    for lanes in lanes4 {
        // four symbols take at most four words, so that one load serves them
        let mut next = words[2 * at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        for x in lanes {
            // chosen without a branch, as in `put`
            let is_due = *x < LOW;
            *x = select_unpredictable(is_due, *x << 16 | next & 0xffff, *x);
            next = select_unpredictable(is_due, next >> 16, next);
            at += usize::from(is_due);
        }
    }
    for x in lanes {
        if *x < LOW {
            *x = *x << 16 | words[2 * at..].first_chunk().map_or(0, |bytes| u64::from(u16::from_le_bytes(*bytes)));
            at += 1;
        }
    }
    at
}
