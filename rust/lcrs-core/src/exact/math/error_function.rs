//! The complementary error function and the quantiles of the normal distribution.
#![allow(clippy::excessive_precision)] // digits as derived, so that they can be checked

use super::exponential::exp;

/// Chebyshev coefficients of `(1 + 2x) exp(x^2) erfc(x)` on x >= 0 in `t = (x - 3.75) / (x + 3.75)`, the first one halved,
/// computed as the discrete cosine transform of 200 samples with 60 digits; the rest of the series is below 3e-18.
/// Method: Shepherd and Laframboise, "Chebyshev approximation of (1+2x) exp(x^2) erfc x", Math. Comp. 36 (1981).
pub(super) const CHEBYSHEV: [f64; 27] = [
    2.355_157_869_134_803_508_2 / 2.0,
    -0.004_590_054_580_646_477_330_9,
    -0.084_249_133_366_517_915_584,
    0.059_209_939_998_191_890_498,
    -0.026_658_668_435_305_752_277,
    0.009_074_997_670_705_265_093_9,
    -0.002_413_163_540_417_608_190_9,
    4.907_758_365_258_086_322_8e-4,
    -6.916_973_302_501_206_367_7e-5,
    4.139_027_986_073_010_067_5e-6,
    7.740_383_066_198_490_668_6e-7,
    -2.188_640_104_923_439_566_1e-7,
    1.076_499_946_567_091_037_7e-8,
    4.521_959_811_218_286_897_9e-9,
    -7.754_400_208_831_351_106_5e-10,
    -6.318_088_340_886_684_494_4e-11,
    2.868_795_010_930_669_898_1e-11,
    1.945_586_854_577_734_723_0e-13,
    -9.654_696_748_433_438_905_9e-13,
    3.252_548_148_147_939_841_5e-14,
    3.347_811_948_286_805_387_8e-14,
    -1.864_562_880_419_313_101_5e-15,
    -1.250_795_053_068_864_708_5e-15,
    7.418_235_256_624_043_463e-17,
    5.068_148_904_796_111_316_8e-17,
    -2.237_056_659_435_999_597_4e-18,
    -2.187_342_944_303_017_665e-18,
];

/// `1 - erf(x)`, within 8 ulp wherever the result is a normal number, so also far out in the tail.
///
/// For x >= 0: `S / (1 + 2x) * exp(-h^2) * exp(-(x - h)(x + h))` with `S` the Chebyshev series by Clenshaw's recurrence
/// and `h` = `x` with the last 27 bits cleared, so that `h^2` is exact. For x < 0: `2 - erfc(-x)`.
#[must_use]
pub fn erfc(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x > 28.0 {
        return 0.0; // below the smallest subnormal from 27.3 on
    }
    let t = (x - 3.75) / (x + 3.75);
    let (mut b1, mut b2) = (0.0, 0.0);
    for c in CHEBYSHEV[1..].iter().rev() {
        (b1, b2) = (2.0 * t * b1 - b2 + c, b1);
    }
    let series = t * b1 - b2 + CHEBYSHEV[0];
    let high = f64::from_bits(x.to_bits() & !((1 << 27) - 1));
    let decay = exp(-high * high) * exp(-(x - high) * (x + high));
    series / (1.0 + 2.0 * x) * decay
}

/// The quantile of the standard normal distribution: `x` with `erfc(-x / sqrt(2)) / 2 = p`. `p` of 0 and 1 give
/// infinities, anything outside [0, 1] NaN.
///
/// For p <= 1/2: bisection of [-39, 0] until the ends are neighbouring numbers, and of those the upper one; for p > 1/2:
/// `-ppf(1 - p)`.
#[must_use]
pub fn ppf(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -ppf(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    let (mut low, mut high) = (-39.0, 0.0);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return high;
        }
        if 0.5 * erfc(-middle * std::f64::consts::FRAC_1_SQRT_2) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
}
