//! The exponential function.
#![allow(clippy::excessive_precision)] // digits as derived, so that they can be checked

/// Added and subtracted, it rounds a binary64 number below 2^51 to the nearest integer, which is then in its low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52

/// The first 32 bits of ln 2: its products with integers below 2^20 are exact.
pub(super) const LN2_HIGH: f64 = 0.693_147_180_369_123_816_49;
/// ln 2 - `LN2_HIGH`.
pub(super) const LN2_LOW: f64 = 1.908_214_929_270_587_700_0e-10;

/// `1/n!` for n = 2..=13.
const TAYLOR: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// `e^x`, within 1 ulp. Overflows to infinity, underflows through the subnormals to zero; NaN stays NaN.
///
/// Every operation rounds to binary64.
///
/// 1. Clamp `x` to [-746, 710]. `k = (x * L + B) - B`, an integer, with `L` the number nearest to log2(e) (`0x3FF71547652B82FE`) and
///    `B = 1.5 * 2^52`. `r = (x - k * high) - k * low` with `high` = `0x3FE62E42FEE00000` and `low` = `0x3DEA39EF35793C76`, ln 2 in two parts.
/// 2. `p = 1 + (r + (r * r) * q)`, with `q = 1/13!` and then `q = q * r + 1/n!` for n = 12, 11, ..., 2, each `1/n!` the nearest number.
/// 3. `(p * 2^floor(k/2)) * 2^(k - floor(k/2))`: the first product is exact, so subnormal results are rounded once.
#[must_use]
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let x = x.clamp(-746.0, 710.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUNDER;
    let k = shifted - ROUNDER;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut q = TAYLOR[11];
    for c in TAYLOR[..11].iter().rev() {
        q = q * r + c;
    }
    let p = 1.0 + (r + r * r * q);
    let k = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()) as i64;
    let half = k >> 1;
    p * power_of_two(half) * power_of_two(k.wrapping_sub(half))
}

/// `2^k` for -1022 <= k <= 1023.
#[inline(always)]
fn power_of_two(k: i64) -> f64 {
    f64::from_bits((k.wrapping_add(1023) as u64) << 52)
}
