//! Escapes: folded values in digits of 3 bits, each with a bit that says whether another one follows.

use crate::cdf::CdfTable;
use crate::rans::escape::{fold, unfold};
use crate::{Error, Result};

const MORE: u8 = 8;
/// Enough for the folded value of any `i32` in any row.
const MAX_DIGITS: u32 = 12;

/// Digits of all escapes, in the order of symbols.
///
/// Where there is no memory to grow, it goes on without what it cannot hold, so that loops need not ask; [`Self::check`] tells
/// then.
#[derive(Debug, Default)]
pub(super) struct DigitWriter {
    digits: Vec<u8>,
    is_short: bool,
}

impl DigitWriter {
    pub(super) fn len(&self) -> usize {
        self.digits.len()
    }

    /// Takes back what came after the first `len` digits, if memory was short, too.
    pub(super) fn truncate(&mut self, len: usize) {
        self.digits.truncate(len);
        self.is_short = false;
    }

    /// Checks that all digits are there.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory was short.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_short {
            return Err(Error::limit(format!("no memory for more than {} digits of escapes", self.digits.len())));
        }
        Ok(())
    }

    /// Makes room for so many digits more.
    fn has_room(&mut self, count: usize) -> bool {
        self.is_short |= self.digits.try_reserve(count).is_err();
        !self.is_short
    }

    fn append(&mut self, digits: &[u8]) {
        if self.has_room(digits.len()) {
            self.digits.extend_from_slice(digits);
        }
    }

    /// Appends pieces that came from the last to the first.
    pub(super) fn append_late(&mut self, late: &LateDigits) {
        self.is_short |= late.written.is_short;
        let starts = late.ends.iter().rev().skip(1).chain(&[0]);
        for (&start, &end) in starts.zip(late.ends.iter().rev()) {
            self.append(&late.written.digits[start..end]);
        }
    }

    /// Appends the value at `position = value - offset` of a row with `max` values.
    #[cold]
    pub(super) fn push(&mut self, position: i64, max: i64) {
        if !self.has_room(MAX_DIGITS as usize) {
            return;
        }
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

    /// Number of bytes.
    pub(super) fn num_bytes(&self) -> usize {
        self.digits.len().div_ceil(2)
    }

    /// The digits, two a byte.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.digits.chunks(2).map(|pair| pair[0] | pair.get(1).unwrap_or(&0) << 4)
    }
}

/// Digits of pieces of a stream, whose pieces come from the last to the first.
#[derive(Debug, Default)]
pub(super) struct LateDigits {
    written: DigitWriter,
    /// Where each piece ends in `written`.
    ends: Vec<usize>,
}

impl LateDigits {
    /// What the digits of the next piece are appended to; [`Self::end_piece`] ends it.
    pub(super) fn piece(&mut self) -> &mut DigitWriter {
        &mut self.written
    }

    pub(super) fn end_piece(&mut self) {
        let end = self.written.len();
        if self.ends.last().copied().unwrap_or(0) == end {
            return;
        }
        match self.ends.try_reserve(1) {
            Ok(()) => self.ends.push(end),
            Err(_) => self.written.is_short = true,
        }
    }

    /// The piece of [`DigitWriter::push_some`].
    #[cfg(target_arch = "x86_64")]
    #[cold]
    pub(super) fn push_some(&mut self, table: &CdfTable, symbols: &[i32], indexes: &[i32], at: usize, which: u32) {
        self.written.push_some(table, symbols, indexes, at, which);
        self.end_piece();
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
