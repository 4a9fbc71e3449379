//! The plain path: the specification as loops over groups. Every other path gives the same words and symbols.

use super::{Lanes, LOW};
use crate::cdf::Search;

/// Puts the entry `start | frequency << 16` on the state `x`, emitting at most one word to `room` below `top`.
#[inline(always)]
pub(super) fn put(x: &mut u64, entry: u32, room: &mut [u8], top: &mut usize) {
    let (start, frequency) = (u64::from(entry & 0xffff), u64::from(entry >> 16));
    if frequency == 0 {
        return; // 2^16: certainty changes nothing
    }
    // written always, kept if due: whether it is due no branch predictor learns
    room[*top - 2..*top].copy_from_slice(&(*x as u16).to_le_bytes());
    let is_due = *x >> 32 >= frequency;
    *top -= 2 * usize::from(is_due);
    let y = if is_due { *x >> 16 } else { *x };
    *x = y + start + y / frequency * (65536 - frequency);
}

/// Encodes whole groups, from the last to the first.
pub(super) fn put_groups(lanes: &mut Lanes, num_lanes: usize, entries: &[u32], room: &mut [u8], top: &mut usize) {
    for group in entries.chunks_exact(num_lanes).rev() {
        for (x, &entry) in lanes.iter_mut().zip(group).rev() {
            put(x, entry, room, top);
        }
    }
}

/// Decodes part of a group, or all of it, on the given lanes. `words` begins with a word for each of them; returns how many
/// bytes of it were read and whether there are escapes, of which `out` holds the value of the escape entry.
#[inline(always)]
pub(super) fn take_group(
    search: impl Search,
    lanes: &mut [u64],
    indexes: &[i32],
    words: &[u8],
    out: &mut [i32],
) -> (usize, bool) {
    let (mut at, mut has_escapes) = (0, false);
    for ((x, &index), out) in lanes.iter_mut().zip(indexes).zip(out) {
        let taken = search.take(index, *x);
        *out = taken.value;
        has_escapes |= taken.is_escape;
        let word = u64::from(u16::from_le_bytes([words[at], words[at + 1]]));
        // by masks, as in `put`
        let due = ((taken.state.wrapping_sub(LOW) as i64) >> 63) as u64;
        *x = taken.state ^ (taken.state ^ (taken.state << 16 | word)) & due;
        at += (due & 2) as usize;
    }
    (at, has_escapes)
}
