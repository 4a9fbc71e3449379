//! Escapes: folded values in digits of 3 bits, each with a bit that says whether another one follows.

use super::packed::{pack, Unpacker, MAX_DIGITS};
use crate::cdf::CdfTable;
use crate::rans::escape::{fold, unfold};
use crate::{Error, Result};

const MORE: u8 = 8;

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
        // enough for the folded value of any `i32` in any row
        if !self.has_room(MAX_DIGITS) {
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

    /// The digits as a stream has them: two a byte, or packed if they may be and that is shorter.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory is short.
    pub(super) fn spelled(&self, may_pack: bool) -> Result<Escapes> {
        if may_pack {
            let packed = pack(&self.digits)?;
            if packed.len() < self.digits.len().div_ceil(2) {
                return Ok(Escapes { bytes: packed, are_packed: true });
            }
        }
        let (mut bytes, len) = (Vec::new(), self.digits.len().div_ceil(2));
        bytes.try_reserve_exact(len).map_err(|_| Error::limit(format!("no memory for {len} bytes of escapes")))?;
        bytes.extend(self.digits.chunks(2).map(|pair| pair[0] | pair.get(1).unwrap_or(&0) << 4));
        Ok(Escapes { bytes, are_packed: false })
    }
}

/// Escapes as they stand in a stream.
#[derive(Debug)]
pub(super) struct Escapes {
    pub(super) bytes: Vec<u8>,
    pub(super) are_packed: bool,
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
#[derive(Debug)]
pub(super) enum DigitReader<'a> {
    Plain {
        bytes: &'a [u8],
        /// Digits read so far.
        at: usize,
    },
    Packed(Unpacker<'a>),
}

impl<'a> DigitReader<'a> {
    pub(super) fn new(bytes: &'a [u8], are_packed: bool) -> Result<Self> {
        Ok(if are_packed { Self::Packed(Unpacker::new(bytes)?) } else { Self::Plain { bytes, at: 0 } })
    }

    /// The next digit, which is at place `k` of its escape.
    fn digit(&mut self, k: usize) -> Result<u8> {
        match self {
            Self::Plain { bytes, at } => {
                let byte = bytes.get(*at / 2).ok_or_else(|| Error::desync("more escapes than the stream holds"))?;
                *at += 1;
                Ok(byte >> ((*at - 1) % 2 * 4) & 15)
            }
            Self::Packed(unpacker) => unpacker.digit(k),
        }
    }

    /// The next escaped value, which is in row `index`.
    #[cold]
    pub(super) fn pull(&mut self, table: &CdfTable, index: i32) -> Result<i32> {
        let mut raw = 0;
        for k in 0..MAX_DIGITS {
            let digit = self.digit(k)?;
            raw |= u64::from(digit & 7) << (3 * k);
            if digit & MORE == 0 {
                let head = table.heads()[index as usize];
                return unfold(raw, head.offset, head.max);
            }
        }
        Err(Error::corrupt(format!("escape has more than {MAX_DIGITS} digits")))
    }

    /// Checks that all digits are used, and that the padding of plain ones is 0.
    pub(super) fn finish(&self) -> Result<()> {
        let (bytes, at) = match self {
            Self::Plain { bytes, at } => (bytes, *at),
            Self::Packed(unpacker) => return unpacker.finish(),
        };
        if at.div_ceil(2) != bytes.len() {
            return Err(Error::desync(format!("escapes use {} of {} bytes", at.div_ceil(2), bytes.len())));
        }
        if at % 2 == 1 && bytes[at / 2] >> 4 != 0 {
            return Err(Error::corrupt("padding of the escapes is not 0"));
        }
        Ok(())
    }
}
