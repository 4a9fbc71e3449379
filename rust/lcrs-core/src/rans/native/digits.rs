//! Escapes: folded values in digits of 3 bits, each with a bit that says whether another one follows.

use crate::cdf::CdfTable;
use crate::rans::escape::{fold, unfold};
use crate::{Error, Result};

const MORE: u8 = 8;
/// Enough for the folded value of any `i32` in any row.
const MAX_DIGITS: u32 = 12;

/// Digits of all escapes, in the order of symbols.
#[derive(Debug, Default)]
pub(super) struct DigitWriter {
    digits: Vec<u8>,
}

impl DigitWriter {
    pub(super) fn len(&self) -> usize {
        self.digits.len()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.digits.truncate(len);
    }

    pub(super) fn append(&mut self, other: &Self) {
        self.digits.extend_from_slice(&other.digits);
    }

    /// Appends the value at `position = value - offset` of a row with `max` values.
    #[cold]
    pub(super) fn push(&mut self, position: i64, max: i64) {
        let mut raw = fold(position, max);
        while raw > 7 {
            self.digits.push(raw as u8 & 7 | MORE);
            raw >>= 3;
        }
        self.digits.push(raw as u8);
    }

    /// Appends those of the symbols from `at` on that the bits of `which` name.
    #[cfg(target_arch = "x86_64")]
    #[cold]
    pub(super) fn push_some(&mut self, table: &CdfTable, symbols: &[i32], indexes: &[i32], at: usize, mut which: u32) {
        while which != 0 {
            let i = at + which.trailing_zeros() as usize;
            let head = table.heads()[indexes[i] as usize];
            self.push(i64::from(symbols[i]) - i64::from(head.offset), i64::from(head.max));
            which &= which - 1;
        }
    }

    /// Those of [`Self::push_some`] alone.
    #[cfg(target_arch = "x86_64")]
    #[cold]
    pub(super) fn of_some(table: &CdfTable, symbols: &[i32], indexes: &[i32], at: usize, which: u32) -> Self {
        let mut some = Self::default();
        some.push_some(table, symbols, indexes, at, which);
        some
    }

    /// Number of bytes.
    pub(super) fn num_bytes(&self) -> usize {
        self.digits.len().div_ceil(2)
    }

    /// The digits, two a byte.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.digits.chunks(2).map(|pair| pair[0] | pair.get(1).unwrap_or(&0) << 4)
    }
}

/// Reads escapes in the order of symbols.
#[derive(Debug, Default)]
pub(super) struct DigitReader<'a> {
    bytes: &'a [u8],
    /// Digits read so far.
    at: usize,
}

impl<'a> DigitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next escaped value, which is in row `index`.
    #[cold]
    pub(super) fn pull(&mut self, table: &CdfTable, index: i32) -> Result<i32> {
        let mut raw = 0;
        for k in 0..MAX_DIGITS {
            let Some(byte) = self.bytes.get(self.at / 2) else {
                return Err(Error::desync("more escapes than the stream holds"));
            };
            let digit = byte >> (self.at % 2 * 4) & 15;
            self.at += 1;
            raw |= u64::from(digit & 7) << (3 * k);
            if digit & MORE == 0 {
                let head = table.heads()[index as usize];
                return unfold(raw, head.offset, head.max);
            }
        }
        Err(Error::corrupt(format!("escape has more than {MAX_DIGITS} digits")))
    }

    /// Checks that all digits are used and the padding is 0.
    pub(super) fn finish(&self) -> Result<()> {
        if self.at.div_ceil(2) != self.bytes.len() {
            return Err(Error::desync(format!("escapes use {} of {} bytes", self.at.div_ceil(2), self.bytes.len())));
        }
        if self.at % 2 == 1 && self.bytes[self.at / 2] >> 4 != 0 {
            return Err(Error::corrupt("padding of the escapes is not 0"));
        }
        Ok(())
    }
}
