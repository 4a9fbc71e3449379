//! The state of an encoder and the words that it has emitted.

use super::{DIGIT_BITS, LOW};
use crate::rans::words::{Stream, WordStack};
use crate::Result;

/// Takes symbols in reverse; what decoding does, backwards.
pub(super) struct Stack {
    x: u64,
    words: WordStack<4>,
}

impl Stack {
    pub(super) fn new(words: WordStack<4>) -> Self {
        Self { x: LOW, words }
    }

    /// Puts a run of entries `start | frequency << 16`, the last one first. A frequency of 0 stands for 2^16 and
    /// changes nothing. `divide(i, x)` is `x` by the frequency of entry `i`.
    #[inline(always)]
    pub(super) fn put_run(
        &mut self,
        entries: impl DoubleEndedIterator<Item = u32> + ExactSizeIterator,
        divide: impl Fn(usize, u64) -> u64,
    ) {
        let (room, top) = self.words.room(entries.len());
        let (mut x, mut at) = (self.x, top);
        for (i, entry) in entries.enumerate().rev() {
            let (start, frequency) = (u64::from(entry & 0xffff), u64::from(entry >> 16));
            if frequency == 0 {
                continue;
            }
            room[at - 1] = (x as u32).to_le_bytes(); // written always, kept if due
            let is_due = x >= frequency << 47;
            at -= usize::from(is_due);
            let y = if is_due { x >> 32 } else { x };
            let quotient = divide(i, y);
            x = y + start + quotient * (65536 - frequency);
        }
        self.x = x;
        self.words.set_top(at);
    }

    /// Puts the digits of a folded value.
    #[cold]
    pub(super) fn put_escape(&mut self, raw: u64) {
        let digits = (64 - raw.leading_zeros()).div_ceil(DIGIT_BITS); // at most 9, so their number is one digit itself
        for k in (0..digits).rev() {
            self.put_digit(raw >> (k * DIGIT_BITS) & 15);
        }
        self.put_digit(u64::from(digits));
    }

    fn put_digit(&mut self, digit: u64) {
        if self.x >= 1 << 59 {
            self.words.push((self.x as u32).to_le_bytes());
            self.x >>= 32;
        }
        self.x = self.x << DIGIT_BITS | digit;
    }

    /// The stream.
    pub(super) fn finish(self) -> Result<Stream> {
        self.words.finish(&self.x.to_le_bytes())
    }
}
