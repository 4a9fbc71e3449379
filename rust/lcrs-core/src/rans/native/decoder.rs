//! Decoding: the main part in groups, then the tail.

use super::digits::DigitReader;
use super::head::Head;
use super::lane::renormalised;
use super::path::Path;
use super::progress::Progress;
use super::{Lanes, LOW, MAX_LANES, START};
use crate::cdf::{Bisect, CdfTable, Search, ESCAPE};
use crate::{Error, Result, Simd};

/// Indexes are checked and symbols decoded in runs of this many, which stay in the cache; a multiple of [`MAX_LANES`].
const RUN: usize = 4096;

/// A decoder somewhere in a stream.
#[derive(Debug)]
pub(in crate::rans) struct Decoder<'a> {
    path: Path,
    lanes: Lanes,
    num_lanes: usize,
    /// Symbols decoded so far.
    done: u64,
    /// Symbols of the main part.
    main: u64,
    /// Words not yet read, 2 bytes each.
    words: &'a [u8],
    digits: DigitReader<'a>,
    seeds: Seeds,
}

/// The words that lanes 1 to `L - 1` leave to the tail.
#[derive(Debug)]
struct Seeds {
    words: [u16; 2 * MAX_LANES],
    len: usize,
    at: usize,
}

impl<'a> Decoder<'a> {
    pub(in crate::rans) fn new(simd: Simd, data: &'a [u8]) -> Result<Self> {
        let Head { num_lanes, main, lanes, digits, are_packed, words } = Head::parse(data)?;
        let digits = DigitReader::new(digits, are_packed)?;
        let seeds = Seeds { words: [0; 2 * MAX_LANES], len: 0, at: 0 };
        let path = Path::new(simd);
        let mut decoder = Self { path, lanes, num_lanes, done: 0, main, words, digits, seeds };
        if main == 0 {
            decoder.gather_seeds()?;
        }
        Ok(decoder)
    }

    /// Decodes symbols; there are as many indexes as `out`.
    pub(in crate::rans) fn pull(&mut self, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        for (run, out) in indexes.chunks(RUN).zip(out.chunks_mut(RUN)) {
            if !self.path.are_rows(table, run) {
                return table.check_indexes(indexes);
            }
            self.pull_run(run, table, out)?;
        }
        Ok(())
    }

    fn pull_run(&mut self, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        let cells = table.cells();
        if let Some(narrow) = cells.and_then(|cells| cells.narrow()) {
            self.pull_by(narrow, indexes, table, out)
        } else if let Some(wide) = cells.and_then(|cells| cells.wide()) {
            self.pull_by(wide, indexes, table, out)
        } else {
            self.pull_by(Bisect(table), indexes, table, out)
        }
    }

    fn pull_by<S: Search>(&mut self, search: S, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        let in_main = usize::try_from(self.main - self.done.min(self.main)).unwrap_or(usize::MAX).min(out.len());
        if in_main > 0 {
            self.pull_main(search, &indexes[..in_main], table, &mut out[..in_main])?;
            if self.done == self.main {
                self.gather_seeds()?;
            }
        }
        for (&index, out) in indexes[in_main..].iter().zip(&mut out[in_main..]) {
            *out = self.take_one(search, 0, index, table)?;
        }
        self.done += (out.len() - in_main) as u64;
        Ok(())
    }

    /// Symbols of the main part: groups and parts of them while a word for each symbol is there, then with care.
    fn pull_main<S: Search>(&mut self, search: S, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        let mut at = 0;
        while at < out.len() {
            let lane = (self.done % self.num_lanes as u64) as usize;
            let left = out.len() - at;
            let whole = if lane == 0 { left.min(self.words.len() / 2) / self.num_lanes * self.num_lanes } else { 0 };
            let size = if whole > 0 { whole } else { left.min(self.num_lanes - lane) };
            let (indexes, out) = (&indexes[at..at + size], &mut out[at..at + size]);
            let progress = if whole > 0 {
                self.path.take_groups(search, &mut self.lanes, self.num_lanes, self.words, indexes, out)
            } else if self.words.len() >= 2 * size {
                self.path.take_part(search, &mut self.lanes, lane, self.words, indexes, out)
            } else {
                for (k, (&index, out)) in indexes.iter().zip(&mut *out).enumerate() {
                    *out = self.take_one(search, lane + k, index, table)?;
                }
                Progress { symbols: size, bytes: 0, suspects: 0 }
            };
            self.words = &self.words[progress.bytes..];
            if progress.suspects > 0 {
                let suspects = progress.symbols - progress.suspects..progress.symbols;
                self.fill_escapes(&indexes[suspects.clone()], table, &mut out[suspects])?;
            }
            self.done += progress.symbols as u64;
            at += progress.symbols;
        }
        Ok(())
    }

    /// Replaces the values of escape entries by those that the digits spell.
    #[cold]
    fn fill_escapes(&mut self, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        for (&index, out) in indexes.iter().zip(out) {
            let head = table.heads()[index as usize];
            if *out == head.offset + head.max {
                *out = self.digits.pull(table, index)?;
            }
        }
        Ok(())
    }

    /// One symbol, wherever it is.
    #[inline(always)]
    fn take_one(&mut self, search: impl Search, lane: usize, index: i32, table: &CdfTable) -> Result<i32> {
        let x = self.lanes[lane];
        let taken = search.take(index, x, search.find(index, x));
        let x = renormalised(taken.state, || self.next_word()).filter(|x| *x >= LOW || self.done >= self.main);
        self.lanes[lane] = x.ok_or_else(|| Error::truncated("stream ends before its last symbol"))?;
        if taken.escape & ESCAPE != 0 {
            self.digits.pull(table, index)
        } else {
            Ok(taken.value)
        }
    }

    #[inline(always)]
    fn next_word(&mut self) -> Option<u16> {
        if self.seeds.at < self.seeds.len {
            self.seeds.at += 1;
            return Some(self.seeds.words[self.seeds.at - 1]);
        }
        let (word, rest) = self.words.split_first_chunk()?;
        self.words = rest;
        Some(u16::from_le_bytes(*word))
    }

    /// At the end of the main part.
    fn gather_seeds(&mut self) -> Result<()> {
        for (k, &x) in self.lanes[..self.num_lanes].iter().enumerate().skip(1) {
            if x >> 32 != 1 {
                return Err(Error::desync(format!(
                    "lane {k} ends the main part with the state {x:#x}, not 2^32 .. 2^33"
                )));
            }
            self.seeds.words[2 * k - 2] = x as u16;
            self.seeds.words[2 * k - 1] = (x >> 16) as u16;
        }
        self.seeds.len = 2 * (self.num_lanes - 1);
        Ok(())
    }

    pub(in crate::rans) fn finish(self) -> Result<()> {
        if self.done < self.main {
            return Err(Error::desync(format!("{} symbols were pulled, the stream holds more", self.done)));
        }
        if self.seeds.at != self.seeds.len || !self.words.is_empty() {
            let left = self.seeds.len - self.seeds.at + self.words.len() / 2;
            return Err(Error::desync(format!("{left} words are left after the last symbol")));
        }
        if self.lanes[0] != START {
            return Err(Error::desync(format!("final state is {:#x}, not 2^16", self.lanes[0])));
        }
        self.digits.finish()
    }
}
