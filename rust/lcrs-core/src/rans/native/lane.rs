//! One lane by itself, as tails and packed escapes are coded.

use super::scalar::put;
use super::{LOW, START};
use crate::rans::words::WordStack;

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
