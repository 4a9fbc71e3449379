//! Smooth activations of networks. Their arguments are binary32 numbers, whose squares binary64 holds exactly.

use super::error_function::CHEBYSHEV;
use super::exponential::exp;
use super::hyperbolic::sigmoid;

/// `(b1, b2)` of Clenshaw's recurrence with these coefficients of the series of `erfc`. Written out, since compilers make vectors of the loop
/// around it only if there is none inside.
macro_rules! clenshaw {
    ($t:ident: $($k:literal)*) => {{
        let (mut b1, mut b2) = (0.0, 0.0);
        $((b1, b2) = (2.0 * $t * b1 - b2 + CHEBYSHEV[$k], b1);)*
        (b1, b2)
    }};
}

/// `x * P(x)` with the normal distribution function `P`.
///
/// With `a = min(abs(x), 40)`, `z = a * c`, `c` the number nearest to `sqrt(1/2)`, and `S` the series of [`super::erfc`] at `z` with its first
/// 19 coefficients alone: `q = 0.5 * ((S / (1 + 2z)) * exp(-0.5 * (a * a)))`; `P` is `q` below zero, else `1 - q`.
#[must_use]
#[inline(always)]
pub fn gelu(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 40.0 { 40.0 } else { a };
    let z = a * std::f64::consts::FRAC_1_SQRT_2;
    let t = (z - 3.75) / (z + 3.75);
    // the rest of the series is below 2^-43
    let (b1, b2) = clenshaw!(t: 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1);
    let series = t * b1 - b2 + CHEBYSHEV[0];
    let tail = 0.5 * (series / (1.0 + 2.0 * z) * exp(-0.5 * (a * a)));
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

/// The approximation of [`gelu`] by a hyperbolic tangent, `x * sigmoid(s)` with
/// `s = C * (x + K * ((x * x) * x))`, `C = 1.5957691216057308` (2 sqrt(2 / pi)) and `K = 0.044715`.
#[must_use]
#[inline(always)]
pub fn gelu_tanh(x: f64) -> f64 {
    const TWICE_ROOT: f64 = 1.595_769_121_605_730_8;
    x * sigmoid(TWICE_ROOT * (x + 0.044_715 * (x * x * x)))
}

/// `x * sigmoid(x)`.
#[must_use]
#[inline(always)]
pub fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

/// `x * tanh(softplus(x))`, computed as `x * (n / (n + 2))` with `n = e * (e + 2)` and `e = exp(min(x, 40))`.
#[must_use]
#[inline(always)]
pub fn mish(x: f64) -> f64 {
    let e = exp(if x > 40.0 { 40.0 } else { x });
    let n = e * (e + 2.0);
    x * (n / (n + 2.0))
}

/// `x` above zero, else `alpha * (exp(x) - 1)`; from `-2^-10` on the difference is `x * (1 + x * (1/2 + x * s))` with `s` the number
/// nearest to 1/6.
#[must_use]
#[inline(always)]
pub fn elu(x: f64, alpha: f64) -> f64 {
    let near = x * (1.0 + x * (0.5 + x * (1.0 / 6.0)));
    let far = exp(x) - 1.0;
    let below = alpha * if x > -0.000_976_562_5 { near } else { far };
    if x > 0.0 {
        x
    } else {
        below
    }
}
