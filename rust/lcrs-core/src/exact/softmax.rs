//! Weights that add up to one, of logits.

use super::sums::in_lanes;
use crate::wide::wide;
use crate::{Limits, Result, Runtime};

use super::placed::Placed;
use super::rows::{elementwise_chunk, for_chunks};
use super::Tensor;

/// `exp(x[c] - m) / sum` over the channels of each position, in groups of equally many channels that follow each other; `m` is their
/// largest number, minus infinity if none is above that.
///
/// `e[c]` is the exponential of `d = x[c] - m`, all in binary32, every operation rounded:
///
/// 1. `d` is at least -87. `k = (d * L + B) - B`, an integer, with `L` the number nearest to log2(e) (`0x3FB8AA3B`) and `B = 1.5 * 2^23`.
///    `r = (d - k * high) - k * low` with `high` = 0.693359375 and `low` = `0xB95E8083`, ln 2 in two parts.
/// 2. `p = 1 + (r + (r * r) * q)`, with `q = 1/7!` and then `q = q * r + 1/n!` for n = 6, 5, ..., 2, each `1/n!` the nearest number.
/// 3. `e = p * 2^k`.
///
/// `r` is one by the sum of all `e` in eight lanes, rounded to binary64 and then to binary32, and the result is `e[c] * r`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax {
    /// Number of groups.
    pub groups: usize,
}

impl Softmax {
    /// The rows that are there, which are those that are asked for.
    pub(super) fn run(self, rt: &Runtime, limits: &Limits, x: Placed<'_>) -> Result<Tensor> {
        let mut out = x.rows.to_tensor(rt, limits)?;
        let channels = x.rows.channels() / self.groups;
        let chunk = elementwise_chunk(&rt.pool, out.data().len(), channels);
        for_chunks(&rt.pool, out.data_mut(), chunk, |_, part| {
            normalise_all(rt.simd, part, channels);
            Ok(())
        })?;
        Ok(out)
    }
}

wide! {
fn normalise_all(simd: Simd, part: &mut [f32], channels: usize) {
    for logits in part.chunks_exact_mut(channels) {
        let scale = weigh(logits);
        logits.iter_mut().for_each(|v| *v *= scale);
    }
}
}

/// Replaces logits by `e`, of which the largest is 1; returns `r`, by which they add up to one.
#[inline(always)]
pub(super) fn weigh(logits: &mut [f32]) -> f32 {
    let largest = largest(logits);
    logits.iter_mut().for_each(|v| *v = exp_below(*v - largest));
    (1.0 / in_lanes(logits, f64::from)) as f32
}

/// The largest number, whatever their order; minus infinity if there is none.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; 16];
    let whole = values.chunks_exact(16);
    let rest = whole.remainder();
    for chunk in whole {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *value);
        }
    }
    rest.iter().chain(&lanes).fold(f32::NEG_INFINITY, |a, b| larger(a, *b))
}

/// `e^x` for x of 0 or below, within 2 ulp, as [`Softmax`] specifies it. NaN stays NaN.
#[inline(always)]
pub(super) fn exp_below(x: f32) -> f32 {
    const ROUNDER: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 355.0 / 512.0;
    const LN2_LOW: f32 = f32::from_bits(0xb95e_8083);
    const TAYLOR: [f32; 6] = [1.0 / 2.0, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0];
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let k = shifted - ROUNDER;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut q = TAYLOR[5];
    for c in TAYLOR[..5].iter().rev() {
        q = q * r + c;
    }
    let p = 1.0 + (r + r * r * q);
    let k = shifted.to_bits().wrapping_sub(ROUNDER.to_bits());
    p * f32::from_bits(k.wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::testing::{bits, compare, numbers};
    use crate::Simd;
    use proptest::prelude::*;

    #[test]
    fn exponentials_are_within_two_ulp() {
        for i in 0..2_000_000_u32 {
            let x = -87.0 * f32::from_bits(0x3f80_0000 - i * 500);
            let (found, wanted) = (exp_below(x), f64::from(x).exp());
            let ulp = f64::from(f32::from_bits(found.to_bits() + 1) - found);
            assert!((f64::from(found) - wanted).abs() <= 2.0 * ulp, "exp({x}) is {found}");
        }
        assert_eq!([exp_below(0.0), exp_below(-0.0)], [1.0, 1.0]);
        assert_eq!(exp_below(f32::NEG_INFINITY).to_bits(), exp_below(-87.0).to_bits());
        assert!(exp_below(f32::NAN).is_nan() && exp_below(-87.0).is_normal());
    }

    proptest! {
        #[test]
        fn every_path_gives_the_same_weights(values in numbers(), channels in 1_usize..40) {
            compare(|simd| {
                let mut values = values.clone();
                normalise_all(simd, &mut values, channels);
                bits(&values)
            });
        }

        #[test]
        fn weights_are_those_of_the_definition(values in prop::collection::vec(-30.0_f32..30.0, 1..60)) {
            let mut found = values.clone();
            normalise_all(Simd::Scalar, &mut found, values.len());
            let sum: f64 = values.iter().map(|v| f64::from(*v).exp()).sum();
            for (found, value) in found.iter().zip(&values) {
                let wanted = f64::from(*value).exp() / sum;
                prop_assert!((f64::from(*found) - wanted).abs() <= 4e-6 * wanted, "{found} {wanted}");
            }
        }
    }
}
