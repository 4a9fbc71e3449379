//! Encoding, from the last symbol to the first.

use super::{DIGIT_BITS, LOW};
use crate::cdf::CdfTable;
use crate::rans::escape::fold;
use crate::Result;

/// Collects symbols; they are coded in [`Encoder::finish`], since the coder runs backwards.
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
        let (heads, entries, scale) = (table.heads(), table.entries(), 16 - table.precision());
        self.entries.reserve(symbols.len());
        for (&symbol, &index) in symbols.iter().zip(indexes) {
            let head = heads[index as usize];
            let position = i64::from(symbol) - i64::from(head.offset);
            let max = i64::from(head.max);
            if !(0..max).contains(&position) {
                self.escapes.push((self.entries.len(), fold(position, max)));
            }
            let entry = entries[head.base as usize + (position as u64).min(max as u64) as usize];
            self.entries.push(if scale == 0 { entry } else { unscaled(entry, scale) });
        }
        Ok(())
    }

    pub(in crate::rans) fn finish(self) -> Vec<u8> {
        let mut stack = Stack { x: LOW, words: Vec::with_capacity(self.entries.len() / 2 + 2) };
        let mut escapes = self.escapes.iter().rev().peekable();
        for (i, &entry) in self.entries.iter().enumerate().rev() {
            if let Some(&(_, raw)) = escapes.next_if(|(at, _)| *at == i) {
                stack.put_escape(raw);
            }
            stack.put(entry);
        }
        stack.words.push((stack.x >> 32) as u32);
        stack.words.push(stack.x as u32);
        let mut out = Vec::with_capacity(4 * stack.words.len());
        out.extend(stack.words.iter().rev().flat_map(|word| word.to_le_bytes()));
        out
    }
}

/// Undoes the scaling to a total of 2^16: the peer codes tables of any precision as they are.
fn unscaled(entry: u32, scale: u32) -> u32 {
    let (start, frequency) = (entry & 0xffff, ((entry >> 16).wrapping_sub(1) & 0xffff) + 1);
    start >> scale | (frequency >> scale) << 16
}

/// The state and the words emitted so far, the decoder's first one last.
struct Stack {
    x: u64,
    words: Vec<u32>,
}

impl Stack {
    /// Puts one entry on the state, which decoding takes off again.
    #[inline(always)]
    fn put(&mut self, entry: u32) {
        let (start, frequency) = (u64::from(entry & 0xffff), u64::from(entry >> 16));
        if frequency == 0 {
            return; // certainty changes nothing
        }
        if self.x >= frequency << 47 {
            self.emit();
        }
        self.x = ((self.x / frequency) << 16) + self.x % frequency + start;
    }

    fn put_escape(&mut self, raw: u64) {
        let digits = (64 - raw.leading_zeros()).div_ceil(DIGIT_BITS); // at most 9, so their number is one digit itself
        for k in (0..digits).rev() {
            self.put_digit(raw >> (k * DIGIT_BITS) & 15);
        }
        self.put_digit(u64::from(digits));
    }

    fn put_digit(&mut self, digit: u64) {
        if self.x >= 1 << 59 {
            self.emit();
        }
        self.x = self.x << DIGIT_BITS | digit;
    }

    #[inline(always)]
    fn emit(&mut self) {
        self.words.push(self.x as u32);
        self.x >>= 32;
    }
}
