//! The natural logarithm.

use super::exponential::{LN2_HIGH, LN2_LOW};

/// `ln x`, within 1 ulp. `ln 0` is minus infinity; of negative numbers NaN.
///
/// Every operation rounds to binary64.
///
/// 1. `x = 2^k m` with `m` in [1/c, c), `c` the number nearest to sqrt(2) (`0x3FF6A09E667F3BCD`): `m` in [1, 2), halved if it is not below
///    `c`. `f = m - 1`, `s = f / (2 + f)`, so that `ln m = 2 artanh s`.
/// 2. `R = sum of 2 s^(2n) / (2n + 1)`: from `R = 0` on `R = z * (2 / (2n + 1) + R)` for n = 11, 10, ..., 1, with `z = s * s`.
///    With `h = (0.5 * f) * f`: `ln m = f - (h - s (h + R))`.
/// 3. `ln x = k * high - ((h - (s * (h + R) + k * low)) - f)` with ln 2 in two parts as in [`super::exp`].
#[must_use]
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    let (k, m) = split(x);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let mut sum = 0.0;
    for n in (1..=11).rev() {
        sum = z * (2.0 / f64::from(2 * n + 1) + sum);
    }
    let h = 0.5 * f * f;
    k * LN2_HIGH - ((h - (s * (h + sum) + k * LN2_LOW)) - f)
}

/// `ln(1 + u)` for `u` in [0, 1]: the rounding error of `1 + u` is put back to first order.
pub(super) fn ln_1p(u: f64) -> f64 {
    let w = 1.0 + u;
    ln(w) + (u - (w - 1.0)) / w
}

/// `(k, m)` with `x = 2^k m` and `m` in [sqrt(1/2), sqrt(2)), for finite positive `x`.
fn split(x: f64) -> (f64, f64) {
    const TWO_TO_54: f64 = 18_014_398_509_481_984.0;
    let (x, scale) = if x < f64::MIN_POSITIVE { (x * TWO_TO_54, -54) } else { (x, 0) };
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    let m = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if m >= std::f64::consts::SQRT_2 {
        (f64::from(exponent + scale + 1), 0.5 * m)
    } else {
        (f64::from(exponent + scale), m)
    }
}
