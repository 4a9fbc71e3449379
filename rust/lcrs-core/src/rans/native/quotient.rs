//! Division by frequencies through reciprocals.
//!
//! # In binary64, for many states at once
//! For `f <= y < 2^48`, `f < 2^16` and a quotient `q = y div f` below `2^32` the low bits of `y r + FLOOR`, rounded once,
//! are `q`, where `r` is `ABOVE_ONE / f` but for roundings of `2^-52`: `y r` is above `y / f`, by less than `2^-17`. So it
//! is not below `q`, and as `y / f` is at least `2^-16` below the next integer it is below that one too. `FLOOR` then
//! moves both `2^52` up, where binary64 has no fractions, and one half down, so that rounding becomes the floor.
//! A product that is rounded first is no less good: that adds `2^-21` at most, and stays above `q`.
//!
//! # In integers, for one state, which is there sooner
//! With `r = ceil(2^64 / f)` and `y < 2^48` the high half of `y r` is `q`: as `f r` is above `2^64` by less than `f`, `y r / 2^64`
//! is above `y / f` by less than `y / 2^64`, which is below `2^-16` and so below `1 / f`.

use std::hint::select_unpredictable;

/// Where binary64 numbers begin to be whole.
pub(super) const UNIT: f64 = (1u64 << 52) as f64;
/// 1 and `2^-50`: more than all roundings together.
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code))]
pub(super) const ABOVE_ONE: f64 = 1.0 + 1.0 / (1u64 << 50) as f64;
/// Added to a number that is not quite whole, it leaves the floor in the low bits.
pub(super) const FLOOR: f64 = UNIT - 0.5;

/// What divides numbers below `2^48` by `f`, which is from 1 to `2^16`.
#[inline(always)]
pub(super) fn by(f: u32) -> impl Fn(u64) -> u64 {
    let reciprocal = (u64::MAX / u64::from(f)).wrapping_add(1); // but of 1, for which it has a bit too few
    move |y| select_unpredictable(f == 1, y, ((u128::from(y) * u128::from(reciprocal)) >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_frequency_divides_the_numbers_around_its_multiples() {
        const END: u64 = 1 << 48;
        for f in 1..=1 << 16 {
            let (divide, f) = (by(f), u64::from(f));
            let last = (END - 1) / f * f;
            for y in [0, 1, f - 1, f, last - 1, last, (last + f - 1).min(END - 1), END / 3 / f * f, END / 3 / f * f - 1]
            {
                assert_eq!(divide(y), y / f, "{y} by {f}");
            }
        }
    }

    proptest! {
        #[test]
        fn frequencies_divide_states(y in 0_u64..1 << 48, f in 1_u32..=1 << 16) {
            prop_assert_eq!(by(f)(y), y / u64::from(f));
        }
    }
}
