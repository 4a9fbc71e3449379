//! Differences between components and what is expected of them.

use lcrs_core::rans::binary::{AdaptiveBit, BitCoder};
use lcrs_core::{Limits, Result};

/// Classes of a context: how much components around differ, or how far another component was off, in bits.
pub(super) const CLASSES: usize = 10;

/// Contexts of the bits below the leading one: by its place, that of the bit, and what is known above it.
const KNOWN: usize = 4;
const MAX_BITS: usize = 16;

/// The class of a number.
pub(super) fn class(number: u32) -> usize {
    ((u32::BITS - number.leading_zeros()) as usize).min(CLASSES - 1)
}

/// What is known of the differences of a component.
#[derive(Debug)]
pub(super) struct Residuals {
    bits: u32,
    zero: Vec<AdaptiveBit>,
    negative: Vec<AdaptiveBit>,
    longer: Vec<AdaptiveBit>,
    below: Vec<AdaptiveBit>,
}

const CONTEXTS: usize = CLASSES * CLASSES;

impl Residuals {
    /// Of components of so many bits.
    pub(super) fn new(bits: u32, limits: &Limits) -> Result<Self> {
        let kinds = |count| limits.zeroed(count, "what is known of differences");
        Ok(Self {
            bits,
            zero: kinds(CONTEXTS)?,
            negative: kinds(CONTEXTS)?,
            longer: kinds(CONTEXTS * MAX_BITS)?,
            below: kinds(MAX_BITS * MAX_BITS * KNOWN)?,
        })
    }

    /// Bytes that it takes.
    pub(super) const BYTES: u64 =
        ((2 * CONTEXTS + CONTEXTS * MAX_BITS + MAX_BITS * MAX_BITS * KNOWN) * size_of::<AdaptiveBit>()) as u64;

    /// Codes a component of which `expected` is expected.
    pub(super) fn code(&mut self, coder: &mut impl BitCoder, context: usize, expected: i32, given: i32) -> i32 {
        let half = 1 << (self.bits - 1);
        let mask = (1 << self.bits) - 1;
        let difference = ((given - expected + half) & mask) - half; // around the range: never more bits than a component has
        let difference = self.difference(coder, context, difference);
        (expected + difference) & mask
    }

    fn difference(&mut self, coder: &mut impl BitCoder, context: usize, given: i32) -> i32 {
        if !coder.code(&mut self.zero[context], given != 0) {
            return 0;
        }
        let is_negative = coder.code(&mut self.negative[context], given < 0);
        let given = given.unsigned_abs();
        let mut length = 1;
        while length < self.bits
            && coder.code(&mut self.longer[context * MAX_BITS + length as usize], given >> length > 0)
        {
            length += 1;
        }
        let mut size: u32 = 1;
        for place in (0..length - 1).rev() {
            let known = match length - 1 - place {
                1 => 0,
                2 => 1 + (size & 1) as usize,
                _ => 3,
            };
            let kind = &mut self.below[((length - 1) as usize * MAX_BITS + place as usize) * KNOWN + known];
            size = size << 1 | u32::from(coder.code(kind, given >> place & 1 == 1));
        }
        if is_negative {
            -(size as i32)
        } else {
            size as i32
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lcrs_core::rans::binary::{BitDecoder, BitEncoder};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn components_come_back(bits in 1_u32..=16, numbers in prop::collection::vec((any::<u16>(), any::<u16>(), 0..CONTEXTS), 0..200)) {
            let mask = (1 << bits) - 1;
            let numbers: Vec<_> = numbers.iter().map(|(a, b, c)| (i32::from(*a) & mask, i32::from(*b) & mask, *c)).collect();
            let (mut encoder, mut residuals) = (BitEncoder::new(), Residuals::new(bits, &Limits::default()).unwrap());
            for (expected, given, context) in &numbers {
                prop_assert_eq!(residuals.code(&mut encoder, *context, *expected, *given), *given);
            }
            let stream = encoder.finish().unwrap();
            let (mut decoder, mut residuals) = (BitDecoder::new(&stream), Residuals::new(bits, &Limits::default()).unwrap());
            for (expected, given, context) in &numbers {
                prop_assert_eq!(residuals.code(&mut decoder, *context, *expected, 0), *given);
            }
            decoder.finish().unwrap();
        }
    }

    #[test]
    fn classes_are_bit_lengths() {
        assert_eq!([0, 1, 2, 3, 4, 255, 256, u32::MAX].map(class), [0, 1, 2, 2, 3, 8, 9, 9]);
    }
}
