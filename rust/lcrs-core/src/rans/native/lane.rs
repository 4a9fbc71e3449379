//! The step of a lane, and one lane by itself, as tails and packed escapes are coded.

use std::hint::select_unpredictable;

use super::quotient::by;
use super::{LOW, START};
use crate::rans::words::WordStack;

/// Puts the entry `start | frequency << 16` on the state `x`, emitting at most one word to `room` below `top`.
#[inline(always)]
fn put(x: &mut u64, entry: u32, room: &mut [[u8; 2]], top: &mut usize) {
    let divide = by(frequency(entry)); // which does not wait for the state, as all else of a single lane does
    make_room(x, entry, room, top);
    *x = pushed(*x, entry, divide(*x));
}

/// The frequency of an entry, in 1..=2^16.
#[inline(always)]
pub(super) fn frequency(entry: u32) -> u32 {
    ((entry >> 16).wrapping_sub(1) & 0xffff) + 1 // certainty reads 0
}

/// Emits a word if the state has no room for the entry without.
#[inline(always)]
pub(super) fn make_room(x: &mut u64, entry: u32, room: &mut [[u8; 2]], top: &mut usize) {
    // written always, kept if due: whether it is due no branch predictor learns
    room[*top - 1] = (*x as u16).to_le_bytes();
    let is_due = (*x >> 32) as u32 > (entry >> 16).wrapping_sub(1) & 0xffff; // at least the frequency
    *top -= usize::from(is_due);
    *x = select_unpredictable(is_due, *x >> 16, *x);
}

/// The state `y`, which has room, with the entry on it; `quotient` is that of `y` and the frequency.
#[inline(always)]
pub(super) fn pushed(y: u64, entry: u32, quotient: u64) -> u64 {
    y + u64::from(entry & 0xffff) + quotient * u64::from(65536 - frequency(entry))
}

/// Puts entries on the state `x`, the last one first; returns how many words that emitted.
#[inline(always)]
pub(in crate::rans) fn put_all(x: &mut u64, entries: &[u32], words: &mut WordStack<2>) -> usize {
    let (room, top) = words.room(entries.len());
    let mut at = top;
    entries.iter().rev().for_each(|&entry| put(x, entry, room, &mut at));
    words.set_top(at);
    top - at
}

/// The state `x`, off which a symbol was taken, with the next word if one is due. If there is none the state falls below
/// [`LOW`]; nothing if it is below [`START`] then.
#[inline(always)]
pub(super) fn renormalised(x: u64, next: impl FnOnce() -> Option<u16>) -> Option<u64> {
    if x >= LOW {
        return Some(x);
    }
    match next() {
        Some(word) => Some(x << 16 | u64::from(word)),
        None => Some(x).filter(|x| *x >= START),
    }
}
