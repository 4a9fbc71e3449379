//! Packed escapes: the bits of their digits, each with a probability that is learned on the way.
//!
//! For tables with heavy tails, of which much is escaped. A digit costs 4 bits for 3 and says nothing of how far tails
//! reach; packed, escapes cost what a model of their digits says, which is within a percent of the best.

use super::lane::{put_all, renormalised};
use super::progress::RUN;
use super::{LOW, START};
use crate::cdf::take_either;
use crate::rans::words::WordStack;
use crate::{Error, Result};

/// Of an escape, which has no more digits.
pub(super) const MAX_DIGITS: usize = 12;
const MORE: u8 = 8;
/// Probabilities are out of `2^16`, and none is nearer to 0 or 1.
const LEAST: u32 = 32;
const MOST: u32 = M - LEAST;
const M: u32 = 1 << 16;
/// So many bits are counted; later ones count as much as the last of them.
const MAX_COUNT: u8 = 126;
/// Of a state.
const MAX_WORDS: usize = 3;

/// How likely a bit is set, in `2^-16`, and after how many of its kind.
#[derive(Debug, Clone, Copy)]
struct Bit {
    likely: u16,
    count: u8,
}

impl Bit {
    const NEW: Self = Self { likely: 1 << 15, count: 0 };

    /// `start | frequency << 16` of the bit.
    fn entry(self, is_set: bool) -> u32 {
        let likely = u32::from(self.likely);
        if is_set {
            likely << 16
        } else {
            likely | (M - likely) << 16
        }
    }

    fn learn(&mut self, is_set: bool) {
        let (likely, divisor) = (u32::from(self.likely), 2 * u32::from(self.count) + 3);
        let learnt = if is_set { likely + 2 * (M - likely) / divisor } else { likely - 2 * likely / divisor };
        self.likely = learnt.clamp(LEAST, MOST) as u16;
        self.count = (self.count + 1).min(MAX_COUNT);
    }
}

/// Bits for each place of a digit: whether another digit follows, and if so and if not, those of the digit's tree.
#[derive(Debug)]
struct Model([[[Bit; 8]; 2]; MAX_DIGITS]);

impl Model {
    fn new() -> Self {
        Self([[[Bit::NEW; 8]; 2]; MAX_DIGITS])
    }

    /// The digit at place `k`, whose bits `code` takes or gives: from what is expected and, if known, what is there.
    fn digit(&mut self, k: usize, mut code: impl FnMut(&mut Bit, u32) -> Result<bool>) -> Result<u8> {
        let has_more = code(&mut self.0[k][0][0], 3)?;
        let tree = &mut self.0[k][usize::from(has_more)];
        let mut node = 1;
        for bit in (0..3).rev() {
            node = 2 * node + usize::from(code(&mut tree[node], bit)?);
        }
        Ok(node as u8 & 7 | if has_more { MORE } else { 0 })
    }
}

/// The packed form of digits; an error if memory is short.
pub(super) fn pack(digits: &[u8]) -> Result<Vec<u8>> {
    let short = |_| Error::limit(format!("no memory to pack {} digits of escapes", digits.len()));
    let (mut model, mut place) = (Model::new(), 0);
    let mut entries = Vec::new();
    entries.try_reserve_exact(4 * digits.len()).map_err(short)?;
    for &digit in digits {
        model.digit(place, |bit, k| {
            let is_set = digit >> k & 1 == 1;
            entries.push(bit.entry(is_set));
            bit.learn(is_set);
            Ok(is_set)
        })?;
        place = if digit & MORE == 0 { 0 } else { place + 1 };
    }
    let (mut words, mut x) = (WordStack::new(digits.len() / 4 + MAX_WORDS, None), START);
    entries.rchunks(RUN).for_each(|run| _ = put_all(&mut x, run, &mut words));
    while x > 0 {
        words.push((x as u16).to_le_bytes());
        x >>= 16;
    }
    words.finish(&[])?.try_to_vec()
}

/// Gives back digits one after the other.
#[derive(Debug)]
pub(super) struct Unpacker<'a> {
    model: Box<Model>,
    x: u64,
    words: &'a [u8],
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let (state, words) = bytes.split_at(bytes.len().min(2 * MAX_WORDS));
        let x = state.chunks_exact(2).fold(0, |x, word| x << 16 | u64::from(u16::from_le_bytes([word[0], word[1]])));
        if !bytes.len().is_multiple_of(2) || x < if state.len() == 2 * MAX_WORDS { LOW } else { START } {
            return Err(Error::corrupt(format!(
                "packed escapes of {} bytes begin with the state {x:#x}, which is none",
                bytes.len()
            )));
        }
        Ok(Self { model: Box::new(Model::new()), x, words })
    }

    /// The digit at place `k` of an escape.
    pub(super) fn digit(&mut self, k: usize) -> Result<u8> {
        let Self { model, x, words } = self;
        model.digit(k, |bit, _| {
            let likely = u64::from(bit.likely);
            let (taken, set) = take_either(*x, likely, [likely, u64::from(M) - likely]);
            let next_word = || {
                let (word, rest) = words.split_first_chunk()?;
                *words = rest;
                Some(u16::from_le_bytes(*word))
            };
            *x = renormalised(taken, next_word).ok_or_else(|| Error::desync("more escapes than the stream holds"))?;
            bit.learn(set != 0);
            Ok(set != 0)
        })
    }

    /// Checks that nothing is left.
    pub(super) fn finish(&self) -> Result<()> {
        if self.x != START || !self.words.is_empty() {
            return Err(Error::desync(format!(
                "packed escapes end with the state {:#x} and {} bytes, not 2^16 and none",
                self.x,
                self.words.len()
            )));
        }
        Ok(())
    }
}
