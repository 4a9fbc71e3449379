//! Functions that networks use, from [`exp`] and [`ln_1p`].

use super::exponential::exp;
use super::logarithm::ln_1p;

/// `tanh x`, within 3 ulp.
///
/// With `a = abs(x)`: below 0.35 `e / (e + 2)` with `e = exp(2a) - 1` by its Taylor series of degree 17, else
/// `1 - 2 / (exp(2a) + 1)`; the sign of `x` is put back (also of -0). The series is that of `small_expm1`: with `t = 2a` from
/// `s = 1` on `s = 1 + (t / n) * s` for n = 17, 16, ..., 2, and then `e = t * s`.
#[must_use]
#[inline]
pub fn tanh(x: f64) -> f64 {
    let a = x.abs();
    let magnitude = if a < 0.35 {
        let e = small_expm1(2.0 * a);
        e / (e + 2.0)
    } else {
        1.0 - 2.0 / (exp(2.0 * a) + 1.0)
    };
    magnitude.copysign(x)
}

/// `exp(t) - 1` for 0 <= t <= 0.7 by the Taylor series: t (1 + t/2 (1 + t/3 (... (1 + t/17)))).
fn small_expm1(t: f64) -> f64 {
    let mut sum = 1.0;
    for n in (2..=17).rev() {
        sum = 1.0 + t / f64::from(n) * sum;
    }
    t * sum
}

/// `1 / (1 + exp(-x))`, within 3 ulp on both sides: below zero it is computed as `exp(x) / (1 + exp(x))`. So it is `n / (1 + e)`
/// with `e = exp(-abs(x))` and `n` = `e` below zero, else 1.
#[must_use]
#[inline(always)]
pub fn sigmoid(x: f64) -> f64 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// `ln(1 + exp(x))`, within 2 ulp, as `max(x, 0) + ln_1p(exp(-abs(x)))`, where `ln_1p(u) = ln(w) + (u - (w - 1)) / w` with
/// `w = 1 + u`: the rounding error of the sum is put back to first order.
#[must_use]
#[inline]
pub fn softplus(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let positive = if x > 0.0 { x } else { 0.0 };
    positive + ln_1p(exp(-x.abs()))
}
