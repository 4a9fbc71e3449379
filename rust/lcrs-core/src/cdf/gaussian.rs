//! Tables of Gaussian distributions, one row a scale.
//!
//! Every step below is a rounded binary32 operation but for `ppf` and `erfc`, which are taken in binary64 by
//! [`crate::exact::math`] and then rounded. With correctly rounded functions the field's default table comes out
//! integer for integer; so do most tables that were made elsewhere from other scales.

use super::rows::{check_tail_mass, collected, table, PmfRow, MAX_ROW};
use super::{CdfTable, MAX_PRECISION};
use crate::exact::math;
use crate::exact::{emulated_fma, with_ieee};
use crate::{Error, Result};

/// `scale_table(0.11, 256.0, 64)`: the scales that most models of the field use.
#[rustfmt::skip]
static DEFAULT_SCALES: [f32; 64] = [
    0.11, 0.124_404_095, 0.140_694_38, 0.159_117_8, 0.179_953_7, 0.203_517_97, 0.230_167_93, 0.260_307_6,
    0.294_393_93, 0.332_943_74, 0.376_541_55, 0.425_848_3, 0.481_611_6, 0.544_676_9, 0.616_000_4, 0.696_663_44,
    0.787_889, 0.891_060_23, 1.007_741_3, 1.139_701_5, 1.288_941_3, 1.457_723_5, 1.648_607_1, 1.864_486_2,
    2.108_634, 2.384_752, 2.697_026_7, 3.050_192_8, 3.449_604_3, 3.901_317_4, 4.412_181_4, 4.989_940_6,
    5.643_354, 6.382_331, 7.218_075, 8.163_255, 9.232_203_5, 10.441_129, 11.808_356, 13.354_617,
    15.103_355, 17.081_085, 19.317_795, 21.84739, 24.708_223, 27.943_682, 31.602_804, 35.741_077,
    40.421_238, 45.714_252, 51.70038, 58.470_337, 66.12683, 74.78591, 84.578_835, 95.654_144,
    108.17973, 122.34544, 138.36617, 156.48474, 176.9758, 200.15018, 226.35905, 256.0,
];

/// The field's default 64 scales, from 0.11 to 256.
#[must_use]
pub fn default_scale_table() -> &'static [f32; 64] {
    &DEFAULT_SCALES
}

/// `levels` scales from `min` to `max` at equal ratios.
///
/// Scale i is `exp(fma(step, i, a))` for i below `levels / 2`, else `exp(fma(-step, levels - 1 - i, b))`, with `a = ln min`,
/// `b = ln max` and `step = (b - a) / (levels - 1)`, each rounded to binary32.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] for a bound that is not positive and finite in binary32, `min > max`, or more than
/// 65,536 levels.
pub fn scale_table(min: f64, max: f64, levels: usize) -> Result<Vec<f32>> {
    for (name, bound) in [("min", min), ("max", max)] {
        let single = bound as f32;
        if !single.is_finite() || single <= 0.0 {
            return Err(Error::invalid(format!("{name} is {bound}, must be positive and finite in binary32")));
        }
    }
    if min > max {
        return Err(Error::invalid(format!("min is {min}, must be at most max, which is {max}")));
    }
    if levels > CdfTable::MAX_ROWS {
        return Err(Error::invalid(format!("levels is {levels} (0 to {})", CdfTable::MAX_ROWS)));
    }
    Ok(with_ieee(|| {
        let (a, b) = (math::ln(min) as f32, math::ln(max) as f32);
        let step = (b - a) / levels.saturating_sub(1).max(1) as f32;
        (0..levels)
            .map(|i| {
                let log = if i < levels / 2 || levels == 1 {
                    emulated_fma(step, i as f32, a)
                } else {
                    emulated_fma(-step, (levels - 1 - i) as f32, b)
                };
                // rounded, the logarithm of an extreme bound is that of a number beyond
                (math::exp(f64::from(log)) as f32).clamp(f32::from_bits(1), f32::MAX)
            })
            .collect()
    }))
}

/// A row for each scale with all integers within the two tails of together `tail_mass`, centred on 0.
///
/// With `c = ceil(scale * -ppf(tail_mass / 2))`, the row covers -c..=c. `P(n) = Phi((0.5 - n) / scale) - Phi((-0.5 - n) / scale)`
/// for `n = abs(value)`, with `Phi(v) = 0.5 * erfc(-v / sqrt(2))`; the escape has `2 Phi((-0.5 - c) / scale)`.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if there are no scales, one is not positive and finite or too large for a row of
/// 65,536 entries, or the tail mass is outside 0..1.
pub fn gaussian_table(scales: &[f32], tail_mass: f64) -> Result<CdfTable> {
    gaussian_table_of_precision(scales, tail_mass, MAX_PRECISION)
}

/// [`gaussian_table`] whose rows sum to `2^precision`.
///
/// # Errors
/// As there; also if the precision is outside 1..=16, or a row has more entries than its frequencies can sum to.
pub fn gaussian_table_of_precision(scales: &[f32], tail_mass: f64, precision: u32) -> Result<CdfTable> {
    check_tail_mass(tail_mass)?;
    let rows = with_ieee(|| {
        let multiplier = -math::ppf(0.5 * tail_mass) as f32;
        let row =
            |(i, &scale): (usize, &f32)| gaussian_row(scale, multiplier).map_err(|e| e.at(format_args!("scale {i}")));
        collected(scales.iter().enumerate().map(row))
    })?;
    table(&rows, precision)
}

fn gaussian_row(scale: f32, multiplier: f32) -> Result<PmfRow> {
    if !scale.is_finite() || scale <= 0.0 {
        return Err(Error::invalid(format!("{scale} must be positive and finite")));
    }
    let center = (scale * multiplier).ceil().max(0.0);
    if center > (MAX_ROW / 2 - 1) as f32 {
        return Err(Error::invalid(format!("{scale} needs a row beyond {MAX_ROW} entries")));
    }
    let center = center as usize;
    // Phi at (0.5 - n) / scale; the lower edge of value n is the upper one of n + 1
    let edges: Vec<f32> = (0..center + 2).map(|n| standard_cdf((0.5 - n as f32) / scale)).collect();
    let probability = |n: usize| edges[n] - edges[n + 1];
    let mut pmf: Vec<f32> = (1..=center).rev().chain(0..=center).map(probability).collect();
    pmf.push(2.0 * edges[center + 1]);
    Ok(PmfRow { pmf, offset: -(center as i32) })
}

/// The normal distribution function at `v`, as `0.5 * erfc(-(0.5^0.5) * v)`.
fn standard_cdf(v: f32) -> f32 {
    let argument = -std::f32::consts::FRAC_1_SQRT_2 * v;
    0.5 * math::erfc(f64::from(argument)) as f32
}
