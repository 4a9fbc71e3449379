//! What followed the same pixels before.

use super::window::Pixel;
use lcrs_core::{Limits, Result};

const TABLE_BITS: u32 = 16;
const CONFIDENCE_SHIFT: u32 = 56;

/// Most that a prediction can be trusted.
pub(super) const MAX_CONFIDENCE: usize = 15;

/// 2^64 divided by the golden ratio, odd: products with its powers spread over all high bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// A pixel, and how often in a row it was right, up to [`MAX_CONFIDENCE`]; 0 if nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Prediction(u64);

impl Prediction {
    #[inline(always)]
    pub(super) fn pixel(self) -> Pixel {
        self.0 & ((1 << CONFIDENCE_SHIFT) - 1)
    }

    #[inline(always)]
    pub(super) fn confidence(self) -> usize {
        (self.0 >> CONFIDENCE_SHIFT) as usize
    }

    /// What is predicted, if anything.
    #[inline(always)]
    pub(super) fn known(self) -> Option<Pixel> {
        (self.confidence() > 0).then(|| self.pixel())
    }
}

/// The last pixel after each context, all contexts of one place in the table being one.
#[derive(Debug)]
pub(super) struct History(Vec<Prediction>);

impl History {
    pub(super) fn new(limits: &Limits) -> Result<Self> {
        Ok(Self(limits.zeroed(1 << TABLE_BITS, "what was seen of pixels")?))
    }

    pub(super) const BYTES: u64 = (size_of::<Prediction>() as u64) << TABLE_BITS;

    #[inline(always)]
    pub(super) fn at(&self, place: usize) -> Prediction {
        self.0[place]
    }

    /// A pixel that was right is trusted more; one that was wrong half as much, and when it was trusted little, forgotten.
    #[inline(always)]
    pub(super) fn learn(&mut self, place: usize, pixel: Pixel) {
        let before = self.0[place];
        let confidence = before.confidence();
        let (pixel, confidence) = if before.known() == Some(pixel) {
            (pixel, (confidence + 1).min(MAX_CONFIDENCE))
        } else if confidence >= 2 {
            (before.pixel(), confidence / 2)
        } else {
            (pixel, 1)
        };
        self.0[place] = Prediction((confidence as u64) << CONFIDENCE_SHIFT | pixel);
    }
}

/// The place of a context.
#[inline(always)]
pub(super) fn place<const N: usize>(context: [Pixel; N]) -> usize {
    let (mut sum, mut power) = (0_u64, 1_u64);
    for pixel in context {
        power = power.wrapping_mul(SPREAD);
        sum = sum.wrapping_add(pixel.wrapping_mul(power));
    }
    ((sum ^ sum >> 32).wrapping_mul(SPREAD) >> (64 - TABLE_BITS)) as usize
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_is_trusted_and_what_is_wrong_is_forgotten() {
        let mut history = History::new(&Limits::default()).unwrap();
        assert_eq!(history.at(3).known(), None);
        let mut confidences = Vec::new();
        for pixel in [0, 0, 0, 0, 9, 9, 9] {
            history.learn(3, pixel);
            confidences.push((history.at(3).pixel(), history.at(3).confidence()));
        }
        assert_eq!(confidences, [(0, 1), (0, 2), (0, 3), (0, 4), (0, 2), (0, 1), (9, 1)]);
        (0..40).for_each(|_| history.learn(3, 9));
        assert_eq!(history.at(3).confidence(), MAX_CONFIDENCE);
    }

    /// Places as the specification says, by hand for a few.
    #[test]
    fn places_are_spread() {
        assert_eq!(place([0; 4]), 0);
        let sum = 5_u64.wrapping_mul(SPREAD).wrapping_add(7_u64.wrapping_mul(SPREAD.wrapping_mul(SPREAD)));
        assert_eq!(place([5, 7]), ((sum ^ sum >> 32).wrapping_mul(SPREAD) >> 48) as usize);
        let places: std::collections::BTreeSet<usize> = (0..1000).map(|i| place([i, 0xff_00ff_00ff])).collect();
        assert!(places.len() > 960, "{}", places.len());
    }
}
