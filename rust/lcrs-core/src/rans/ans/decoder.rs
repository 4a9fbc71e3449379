//! Decoding, one symbol after the other.

use super::{DIGIT_BITS, LOW, MAX_DIGITS};
use crate::cdf::{Bisect, CdfTable, Search, ESCAPE};
use crate::rans::escape::unfold;
use crate::{Error, Result};

/// The state and what is left of the stream.
#[derive(Debug)]
pub(in crate::rans) struct Decoder<'a> {
    x: u64,
    /// Words not yet read, 4 bytes each.
    words: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(in crate::rans) fn new(data: &'a [u8]) -> Result<Self> {
        let Some((state, words)) = data.split_first_chunk() else {
            return Err(Error::truncated(format!("stream has {} bytes, at least 8 are needed", data.len())));
        };
        if words.len() % 4 != 0 {
            return Err(Error::truncated(format!("stream has {} bytes, which is not a multiple of 4", data.len())));
        }
        let x = u64::from_le_bytes(*state);
        if !(LOW..1 << 63).contains(&x) {
            return Err(Error::corrupt(format!("first state {x:#x} is outside 2^31..2^63")));
        }
        Ok(Self { x, words })
    }

    /// Decodes symbols; there are as many indexes as `out`.
    pub(in crate::rans) fn pull(&mut self, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        table.check_indexes(indexes)?;
        if table.precision() < 16 {
            return self.pull_unscaled(indexes, table, out);
        }
        let cells = table.cells();
        if let Some(narrow) = cells.and_then(|cells| cells.narrow()) {
            self.pull_by(narrow, indexes, table, out)
        } else if let Some(wide) = cells.and_then(|cells| cells.wide()) {
            self.pull_by(wide, indexes, table, out)
        } else {
            self.pull_by(Bisect(table), indexes, table, out)
        }
    }

    fn pull_by(&mut self, search: impl Search, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        for (&index, out) in indexes.iter().zip(out) {
            let taken = search.take(index, self.x, search.find(index, self.x));
            self.x = taken.state;
            self.renormalise()?;
            *out = if taken.escape & ESCAPE != 0 { self.escape(table, index)? } else { taken.value };
        }
        Ok(())
    }

    /// Tables of less than 16 bits: slots from their total on belong to no entry.
    #[cold]
    fn pull_unscaled(&mut self, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        for (&index, out) in indexes.iter().zip(out) {
            let row = table.row(index as usize);
            let slot = (self.x & 0xffff) as u32;
            let entry = row.cdf.partition_point(|&start| start <= slot) - 1;
            if entry + 1 == row.length {
                return Err(Error::desync(format!("slot {slot} is outside row {index} (0..{})", row.cdf[entry])));
            }
            let (start, frequency) = (row.cdf[entry], row.cdf[entry + 1] - row.cdf[entry]);
            self.x = u64::from(frequency) * (self.x >> 16) + u64::from(slot - start);
            self.renormalise()?;
            let is_escape = entry + 2 == row.length;
            *out = if is_escape { self.escape(table, index)? } else { row.offset + entry as i32 };
        }
        Ok(())
    }

    #[inline(always)]
    fn renormalise(&mut self) -> Result<()> {
        if self.x < LOW {
            let Some((word, rest)) = self.words.split_first_chunk() else {
                return Err(Error::truncated("stream ends before its last symbol"));
            };
            self.x = self.x << 32 | u64::from(u32::from_le_bytes(*word));
            self.words = rest;
        }
        Ok(())
    }

    fn digit(&mut self) -> Result<u64> {
        let digit = self.x & 15;
        self.x >>= DIGIT_BITS;
        self.renormalise()?;
        Ok(digit)
    }

    #[cold]
    fn escape(&mut self, table: &CdfTable, index: i32) -> Result<i32> {
        let digits = self.digit()? as u32;
        if digits > MAX_DIGITS {
            return Err(Error::corrupt(format!("escape has {digits} digits or more, at most {MAX_DIGITS} are legal")));
        }
        let mut raw = 0;
        for k in 0..digits {
            raw |= self.digit()? << (k * DIGIT_BITS);
        }
        let head = table.heads()[index as usize];
        unfold(raw, head.offset, head.max)
    }

    pub(in crate::rans) fn finish(self) -> Result<()> {
        if !self.words.is_empty() {
            return Err(Error::desync(format!("{} words are left after the last symbol", self.words.len() / 4)));
        }
        if self.x != LOW {
            return Err(Error::desync(format!("final state is {:#x}, not 2^31", self.x)));
        }
        Ok(())
    }
}
