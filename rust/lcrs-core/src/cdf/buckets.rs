//! Counting the thresholds below a number by one look-up and one addition.
//!
//! The bits of binary32 numbers, taken as integers after a flip for negative ones, are in the order of the numbers.
//! Buckets are runs of `2^shift` such integers with at most one threshold in each. A bucket's entry has the number of
//! thresholds before the bucket in its upper bits, and in the lower ones what makes the addition of a number's lower
//! bits carry exactly if the number is above the bucket's threshold.

use crate::wide::wider;
use crate::Simd;

/// Buckets at most, a power of two.
const MAX_BUCKETS: usize = 512;
/// Sizes of buckets that are tried, largest first.
const SHIFTS: std::ops::RangeInclusive<u32> = 10..=24;

/// Thresholds sorted into buckets.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    entries: Box<[u32; MAX_BUCKETS]>,
    shift: u32,
    /// Numbers are clamped to this range, which begins and ends with a bucket without threshold.
    low: i32,
    high: i32,
    /// Numbers from here on downwards are not counted right: minus infinity, if that is a threshold, and NaN.
    too_low: i32,
}

/// The integers that are in the order of the numbers; -0 is below 0 there.
#[inline(always)]
fn ordered(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

impl Buckets {
    /// Nothing if the thresholds do not fit: too close together, or too far apart for that.
    pub(super) fn new(thresholds: &[f32]) -> Option<Self> {
        // As numbers, 0 is not above a threshold of -0. Integers are compared: a thread may take subnormals for zeros.
        let place = |t: &f32| if t.to_bits() == (-0.0_f32).to_bits() { 0 } else { ordered(*t) };
        let mut places: Vec<i32> = thresholds.iter().map(place).collect();
        places.sort_unstable();
        let first = places.iter().filter(|p| **p == ordered(f32::NEG_INFINITY)).count();
        let too_low = ordered(f32::NEG_INFINITY) - i32::from(first == 0);
        SHIFTS.rev().find_map(|shift| Self::with_shift(&places[first..], first as u32, shift, too_low))
    }

    /// With buckets of `2^shift`, for the ascending `places`, before which `first` others always count.
    fn with_shift(places: &[i32], first: u32, shift: u32, too_low: i32) -> Option<Self> {
        let (start, end) = (*places.first()? >> shift, *places.last()? >> shift);
        let low = i32::try_from((i64::from(start) - 1) << shift).ok()?;
        let high = i32::try_from(((i64::from(end) + 2) << shift) - 1).ok()?;
        let num_buckets = (i64::from(end) - i64::from(start) + 3) as usize;
        let count = first as usize + places.len();
        if num_buckets > MAX_BUCKETS || count >= 1 << (32 - shift) {
            return None;
        }
        let mut entries = Box::new([0; MAX_BUCKETS]);
        let mut places = places.iter().peekable();
        let mut before = first;
        for (k, entry) in entries[..num_buckets].iter_mut().enumerate() {
            *entry = before << shift;
            let bucket = start - 1 + k as i32;
            if let Some(place) = places.next_if(|place| **place >> shift == bucket) {
                let mask = (1 << shift) - 1;
                *entry += mask - (*place as u32 & mask);
                before += 1;
            }
        }
        // two in a bucket leave the second one over
        places.peek().is_none().then_some(Self { entries, shift, low, high, too_low })
    }

    /// `out[i]` = how many thresholds are below `scales[i]`; false, and `out` unspecified, if there is a scale for
    /// which that is not known.
    pub(super) fn count_below(&self, simd: Simd, scales: &[f32], out: &mut [i32]) -> bool {
        count_below(simd, scales, out, &self.entries, self.shift, [self.low, self.high, self.too_low])
    }
}

wider! {
fn count_below(
    simd: Simd,
    scales: &[f32],
    out: &mut [i32],
    entries: &[u32; MAX_BUCKETS],
    shift: u32,
    limits: [i32; 3],
) -> bool {
    let [low, high, too_low] = limits;
    let mask = (1 << shift) - 1;
    let mut is_known = true;
    for (out, scale) in out.iter_mut().zip(scales) {
        let place = ordered(*scale);
        is_known &= (place > too_low) & (place <= 0x7f80_0000);
        let inside = place.clamp(low, high).wrapping_sub(low) as u32;
        *out = ((entries[(inside >> shift) as usize % MAX_BUCKETS] + (inside & mask)) >> shift) as i32;
    }
    is_known
}
}
