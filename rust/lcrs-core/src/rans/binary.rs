//! Stream kind `binary`: bits one after the other, each with a probability that is learned from those before it.
//!
//! For coders whose contexts are made of everything coded before, so that no table is known beforehand. Integers are little
//! endian. This is the whole specification:
//!
//! 1. *What is learned* of bits of one kind, an [`AdaptiveBit`], is the probability `p` that one is set, out of `2^22`, and a
//!    count `n`: `2^21` and 0 at first. After a bit, `p` becomes `p + floor((t - p) r / 2^16)`, where `t` is `2^22` if it was
//!    set and 0 if not, and `r = floor(2^17 / (2 n + 3))`; then `n` becomes `n + 1`, at most 255.
//! 2. *As a symbol*: `f` is `floor(p / 2^6)`, but at least 1 and at most `2^16 - 1`. A bit that is set has the start 0 and the
//!    frequency `f`, another one the start `f` and the frequency `2^16 - f`.
//! 3. Bits come in *segments* of 65,536; the last one may be shorter, and none is empty. A segment is its first state in 6
//!    bytes, in `[2^32, 2^48)`, and words of 2 bytes, in the order in which they are read. Segments follow each other; what is
//!    learned goes on.
//! 4. *To take a bit off the state* `x`: `slot = x mod 2^16`; the bit is set if `slot < f`; `x = frequency (x div 2^16) + slot
//!    - start`; if then `x < 2^32`, `x = 2^16 x + next word`.
//! 5. At the end of a segment the state is `2^32`; at the end of the last one all words are read.
//!
//! An encoder goes through a segment backwards, from the state `2^32`: if `x div 2^32 >= frequency`, it emits `x mod 2^16`
//! and sets `x = x div 2^16`; then `x = 2^16 (x div frequency) + x mod frequency + start`. So it holds no more than a segment,
//! and a bit costs what the best coder would need for it, to 2^-15.

use super::native::lane::put_all;
use super::words::WordStack;
use crate::{Error, Result};

const MIN_STATE: u64 = 1 << 32;
const STATE_BYTES: usize = 6;
const PROBABILITY_BITS: u32 = 22;
const FREQUENCY_BITS: u32 = 16;
const CERTAIN: u32 = 1 << FREQUENCY_BITS;
const MAX_COUNT: u32 = 255;
const COUNT_BITS: u32 = 8;

/// Bits of a segment.
const SEGMENT: usize = 1 << 16;

/// `floor(2^17 / (2 n + 3))`.
const RATES: [i64; MAX_COUNT as usize + 1] = {
    let mut rates = [0; MAX_COUNT as usize + 1];
    let mut n = 0;
    while n < rates.len() {
        rates[n] = (1 << 17) / (2 * n as i64 + 3);
        n += 1;
    }
    rates
};

/// What is known of bits of one kind: how likely one is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptiveBit(u32); // the probability, and below it the count

impl Default for AdaptiveBit {
    fn default() -> Self {
        Self(1 << (PROBABILITY_BITS - 1 + COUNT_BITS))
    }
}

impl AdaptiveBit {
    /// The frequency of a bit that is set.
    #[inline(always)]
    fn frequency(self) -> u32 {
        (self.0 >> (COUNT_BITS + PROBABILITY_BITS - FREQUENCY_BITS)).clamp(1, CERTAIN - 1)
    }

    #[inline(always)]
    fn learn(&mut self, is_set: bool) {
        let (p, n) = (i64::from(self.0 >> COUNT_BITS), self.0 & MAX_COUNT);
        let target = if is_set { 1 << PROBABILITY_BITS } else { 0 };
        let p = p + (((target - p) * RATES[n as usize]) >> 16);
        self.0 = (p as u32) << COUNT_BITS | (n + 1).min(MAX_COUNT);
    }
}

/// Either way: what takes bits to a stream, or gives those of a stream.
pub trait BitCoder {
    /// Codes a bit, and learns from it. An encoder takes `given`; a decoder does not look at it. Returns the bit.
    fn code(&mut self, kind: &mut AdaptiveBit, given: bool) -> bool;
}

/// The most bits that a stream of so many bytes holds: each segment has a state.
#[must_use]
pub const fn most_bits(bytes: usize) -> u64 {
    (bytes / STATE_BYTES) as u64 * SEGMENT as u64
}

/// Takes bits to a stream.
#[derive(Debug, Default)]
pub struct BitEncoder {
    /// `start | frequency << 16` of the bits of the segment.
    entries: Vec<u32>,
    stream: Vec<u8>,
    is_short: bool,
}

impl BitEncoder {
    /// An encoder without bits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of all segments that are complete.
    ///
    /// # Errors
    /// As [`BitEncoder::finish`].
    pub fn complete_bytes(&self) -> Result<usize> {
        if self.is_short {
            return Err(Error::limit("no memory for a stream"));
        }
        Ok(self.stream.len())
    }

    /// Bytes that an encoder holds beside its stream.
    #[must_use]
    pub const fn working_bytes() -> u64 {
        (SEGMENT * (size_of::<u32>() + size_of::<[u8; 2]>())) as u64
    }

    /// The stream, without room for more.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory was short.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        if !self.entries.is_empty() {
            self.end_segment();
        }
        self.complete_bytes()?;
        self.stream.shrink_to_fit();
        Ok(self.stream)
    }

    /// Where memory is short, the stream is lost, and whoever wants it is told.
    #[cold]
    fn end_segment(&mut self) {
        let (mut words, mut x) = (WordStack::new(self.entries.len(), None), MIN_STATE);
        put_all(&mut x, &self.entries, &mut words);
        self.entries.clear();
        match words.finish(&x.to_le_bytes()[..STATE_BYTES]) {
            Ok(segment) if self.stream.try_reserve(segment.len()).is_ok() => self.stream.extend_from_slice(&segment),
            _ => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.is_short = true;
        self.entries.clear();
        self.stream = Vec::new();
    }
}

impl BitCoder for BitEncoder {
    #[inline(always)]
    fn code(&mut self, kind: &mut AdaptiveBit, given: bool) -> bool {
        if self.entries.len() == self.entries.capacity() && self.entries.try_reserve_exact(SEGMENT).is_err() {
            self.forget();
            return given;
        }
        let frequency = kind.frequency();
        self.entries.push(if given {
            frequency << FREQUENCY_BITS
        } else {
            frequency | (CERTAIN - frequency) << FREQUENCY_BITS
        });
        if self.entries.len() == SEGMENT {
            self.end_segment();
        }
        kind.learn(given);
        given
    }
}

/// Gives the bits of a stream.
///
/// Beyond its end bits go on without meaning; [`BitDecoder::check`] tells.
#[derive(Debug)]
pub struct BitDecoder<'a> {
    x: u64,
    /// Bits until the segment ends.
    left: usize,
    words: &'a [u8],
    is_over: bool,
    /// The last state of a segment that ended in a wrong one.
    wrong_end: Option<u64>,
}

impl<'a> BitDecoder<'a> {
    /// A decoder at the beginning of `stream`.
    #[must_use]
    pub fn new(stream: &'a [u8]) -> Self {
        Self { x: MIN_STATE, left: 0, words: stream, is_over: false, wrong_end: None }
    }

    /// Whether all bits so far were there.
    ///
    /// # Errors
    /// `Truncated` if the stream ended before them, `Desync` if a segment ended in another state than an encoder begins with.
    pub fn check(&self) -> Result<()> {
        if let Some(x) = self.wrong_end {
            return Err(Error::desync(format!("a segment of bits ends with the state {x:#x}, not 2^32")));
        }
        if self.is_over {
            return Err(Error::truncated("more bits than the stream holds"));
        }
        Ok(())
    }

    /// Checks that the stream ends after the last bit.
    ///
    /// # Errors
    /// As [`BitDecoder::check`]; `Desync` if something is left.
    pub fn finish(mut self) -> Result<()> {
        self.end_segment();
        self.check()?;
        if !self.words.is_empty() {
            return Err(Error::desync(format!("{} bytes are left after the last bit", self.words.len())));
        }
        Ok(())
    }

    fn end_segment(&mut self) {
        if self.x != MIN_STATE && self.wrong_end.is_none() && !self.is_over {
            self.wrong_end = Some(self.x);
        }
    }

    #[cold]
    fn begin_segment(&mut self) {
        self.end_segment();
        self.left = SEGMENT;
        let mut state = [0; 8];
        match self.words.split_first_chunk::<STATE_BYTES>() {
            Some((bytes, rest)) => {
                state[..STATE_BYTES].copy_from_slice(bytes);
                self.words = rest;
            }
            None => self.is_over = true,
        }
        self.x = u64::from_le_bytes(state);
        if self.x < MIN_STATE {
            // no state at all: what follows has no meaning, and must not end as if it had
            self.wrong_end = self.wrong_end.or((!self.is_over).then_some(self.x));
            self.x |= MIN_STATE;
        }
    }
}

impl BitCoder for BitDecoder<'_> {
    #[inline(always)]
    fn code(&mut self, kind: &mut AdaptiveBit, _given: bool) -> bool {
        if self.left == 0 {
            self.begin_segment();
        }
        self.left -= 1;
        let (set, slot) = (kind.frequency(), (self.x & 0xffff) as u32);
        // a branch: most bits are foreseen, by its predictor too
        let is_set = slot < set;
        let (start, frequency) = if is_set { (0, set) } else { (set, CERTAIN - set) };
        self.x = u64::from(frequency) * (self.x >> 16) + u64::from(slot - start);
        if self.x < MIN_STATE {
            let word = match self.words.split_first_chunk() {
                Some((word, rest)) => {
                    self.words = rest;
                    u16::from_le_bytes(*word)
                }
                None => {
                    self.is_over = true;
                    0
                }
            };
            self.x = self.x << 16 | u64::from(word);
        }
        kind.learn(is_set);
        is_set
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ErrorKind;

    fn encode(bits: &[(u8, bool)]) -> Vec<u8> {
        let (mut kinds, mut encoder) = ([AdaptiveBit::default(); 4], BitEncoder::new());
        bits.iter().for_each(|(kind, bit)| assert_eq!(encoder.code(&mut kinds[usize::from(*kind)], *bit), *bit));
        encoder.finish().unwrap()
    }

    fn decode(stream: &[u8], kinds_of: &[(u8, bool)]) -> (Vec<bool>, Result<()>) {
        let (mut kinds, mut decoder) = ([AdaptiveBit::default(); 4], BitDecoder::new(stream));
        let bits = kinds_of.iter().map(|(kind, _)| decoder.code(&mut kinds[usize::from(*kind)], false)).collect();
        (bits, decoder.finish())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn bits_come_back(bits in prop::collection::vec((0_u8..4, prop::bool::weighted(0.1)), 0..3000)) {
            let stream = encode(&bits);
            let (decoded, end) = decode(&stream, &bits);
            end.unwrap();
            prop_assert!(decoded.iter().eq(bits.iter().map(|(_, bit)| bit)));
            for cut in (0..stream.len()).step_by(1 + stream.len() / 8) {
                prop_assert!(decode(&stream[..cut], &bits).1.is_err(), "{} of {} bytes", cut, stream.len());
            }
            let longer = [&stream[..], &[0, 0]].concat();
            prop_assert!(decode(&longer, &bits).1.is_err());
        }

        /// Whatever the bytes are, bits come, and an end that is not theirs is told.
        #[test]
        fn any_bytes_give_bits(stream in prop::collection::vec(any::<u8>(), 0..64), count in 0_usize..600) {
            let (bits, end) = decode(&stream, &vec![(0, false); count]);
            prop_assert_eq!(bits.len(), count);
            if end.is_ok() {
                let again: Vec<(u8, bool)> = bits.into_iter().map(|bit| (0, bit)).collect();
                prop_assert_eq!(encode(&again), stream);
            }
        }
    }

    /// The rules of the specification in plain arithmetic of wide numbers.
    #[test]
    fn learning_is_as_specified() {
        let (mut kind, mut p, mut n) = (AdaptiveBit::default(), 1_i128 << 21, 0);
        let mut state = 1_u32;
        for i in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let is_set = if i / 4000 % 2 == 0 { state >> 24 < 3 } else { state >> 24 >= 1 };
            assert_eq!(i128::from(kind.frequency()), (p >> 6).clamp(1, 65_535));
            kind.learn(is_set);
            let target = if is_set { 1 << 22 } else { 0 };
            p += ((target - p) * ((1 << 17) / (2 * n + 3))).div_euclid(1 << 16);
            n = (n + 1).min(255);
            assert!((0..1 << 22).contains(&p));
        }
    }

    #[test]
    fn certain_bits_cost_next_to_nothing_over_many_segments() {
        let bits = vec![(0, false); 1_000_000];
        let stream = encode(&bits);
        assert!(stream.len() < 260, "{} bytes", stream.len());
        let (decoded, end) = decode(&stream, &bits);
        end.unwrap();
        assert!(decoded.iter().all(|bit| !bit));
    }

    #[test]
    fn fair_bits_cost_one_each() {
        let mut state = 7_u64;
        let bits: Vec<(u8, bool)> = (0..100_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (0, state >> 63 == 1)
            })
            .collect();
        let stream = encode(&bits);
        assert!((12_400..12_600).contains(&stream.len()), "{} bytes", stream.len());
    }

    /// Whatever comes for however long, both bits stay possible, and what is surprising is learned.
    #[test]
    fn both_bits_stay_possible() {
        for is_set in [false, true] {
            let mut kind = AdaptiveBit::default();
            (0..100_000).for_each(|_| kind.learn(is_set));
            // steps are rounded down, so those up end a little earlier
            assert_eq!(kind.frequency(), if is_set { 65_531 } else { 1 });
            assert_eq!(kind.0 & MAX_COUNT, MAX_COUNT);
            let certain = kind;
            kind.learn(!is_set);
            assert_ne!(kind.frequency(), certain.frequency());
            let stream = encode(&[vec![(0, is_set); 60_000], vec![(0, !is_set); 3]].concat());
            assert!(stream.len() < 20, "{} bytes", stream.len());
        }
        let mut first = AdaptiveBit::default();
        assert_eq!(first.frequency(), 1 << 15);
        first.learn(true);
        assert_eq!(first.0, ((1 << 21) + (43_690 << 5)) << 8 | 1); // 2^21 + 2^21 floor(2^17 / 3) / 2^16
    }

    #[test]
    fn segments_end_where_they_are_full() {
        for count in [SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT] {
            let bits: Vec<(u8, bool)> = (0..count).map(|i| ((i % 3) as u8, i * i % 7 == 0)).collect();
            let stream = encode(&bits);
            let (decoded, end) = decode(&stream, &bits);
            end.unwrap();
            assert!(decoded.iter().eq(bits.iter().map(|(_, bit)| bit)));
            assert!(most_bits(stream.len()) >= count as u64);
            // a segment without bits
            let longer = [&stream[..], &MIN_STATE.to_le_bytes()[..STATE_BYTES]].concat();
            assert!(decode(&longer, &bits).1.unwrap_err().message().contains("6 bytes are left"));
            for cut in [1, 2, 6, 7] {
                let error = decode(&stream[..stream.len() - cut], &bits).1.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
            }
        }
        assert_eq!(encode(&[]), []);
        decode(&[], &[]).1.unwrap();
        assert_eq!([0, 5, 6, 11, 12].map(most_bits), [0, 0, 65_536, 65_536, 131_072]);
    }

    #[test]
    fn a_state_that_is_none_is_told() {
        let (_, end) = decode(&[0; 6], &[(0, false); 3]);
        assert!(end.unwrap_err().message().contains("state 0x0"));
        let (_, end) = decode(&[0xff; 6], &[(0, false); 1]);
        assert_eq!(end.unwrap_err().kind(), ErrorKind::Desync);
    }
}
