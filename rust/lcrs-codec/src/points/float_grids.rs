//! Grids that floats lie on, each coordinate exactly.

use lcrs_core::points::morton::axis_bits;
use lcrs_core::{Limits, Result};
use lcrs_format::Grid;

use super::coordinates::{bounds, collect, coordinate, greatest_common_divisor, Voxels, EXACT};

/// Steps of a grid for one, that floats are tried on: those of decimal fractions.
const DECIMALS: [u64; 10] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Steps, in units of the last decimal, that are tried where few coordinates have a larger one in common, or binary32 is too
/// coarse for the last decimal to tell.
const FACTORS: [i64; 10] = [100, 50, 25, 20, 10, 5, 4, 3, 2, 1];

/// Voxels of the grid that all floats lie on, if there is one.
///
/// A product of a whole number and a decimal step, as programs compute them, is not always the float next to the decimal
/// fraction: such floats lie on a fine grid at best, but on a coarse one as what they are.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`] without memory.
pub(super) fn exact<T: Copy + Into<f64> + PartialEq>(
    values: &[T],
    most_bits: u32,
    limits: &Limits,
    round: fn(f64) -> T,
) -> Result<Option<Voxels>> {
    let is_coarse = |found: &Voxels| axis_bits(&found.voxels) <= most_bits;
    for find in [product, decimal, dyadic] {
        if let Some(found) = find(values, limits, round)?.filter(is_coarse) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The whole number that a float is next to on a decimal grid.
fn whole(v: f64, denominator: u64) -> f64 {
    (v * denominator as f64).round_ties_even()
}

/// Whether the float next to a decimal fraction is `v`.
fn holds<T: Copy + Into<f64> + PartialEq>(v: T, denominator: u64, round: fn(f64) -> T) -> bool {
    let whole = whole(v.into(), denominator);
    whole.abs() <= EXACT && round(whole / denominator as f64) == v
}

/// Voxels of decimal fractions as products or sums of products have them, if a decimal grid that all floats are near to gives
/// back each of them so, but not as a fraction.
fn product<T: Copy + Into<f64> + PartialEq>(
    values: &[T],
    limits: &Limits,
    round: fn(f64) -> T,
) -> Result<Option<Voxels>> {
    let wide = || values.iter().map(|v| -> f64 { (*v).into() });
    // the factor, the product and the sum are rounded, each by half of this and less
    let precision = if in_type(1.0 / 3.0, round) == 1.0 / 3.0 { f64::EPSILON } else { f32::EPSILON.into() };
    let slack = 4.0 * precision * wide().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    let is_near = |denominator: &u64| {
        wide().all(|v| {
            let whole = whole(v, *denominator);
            whole.abs() <= EXACT && (whole / *denominator as f64 - v).abs() <= slack
        })
    };
    // Where binary32 is coarse, all floats may be near to a grid coarser than theirs.
    for denominator in DECIMALS.into_iter().filter(is_near) {
        if values.iter().all(|v| holds(*v, denominator, round)) {
            return Ok(None);
        }
        if let Some((grid, origin, factor)) = grid_of_products(values, denominator, round) {
            let wholes = wide().map(|v| whole(v, denominator) as i64);
            let voxels = collect(wholes, |axis, whole| (nearest(whole, factor) - origin[axis]).into(), limits)?;
            return Ok(Some(Voxels { grid, is_lossless: true, voxels }));
        }
    }
    Ok(None)
}

/// A grid of products, or of sums of products, that gives back each float near to a decimal grid; with the number of steps at
/// its origin, and the step in units of the last decimal.
fn grid_of_products<T: Copy + Into<f64> + PartialEq>(
    values: &[T],
    denominator: u64,
    round: fn(f64) -> T,
) -> Option<(Grid, [i64; 3], i64)> {
    let wide = || values.iter().map(|v| -> f64 { (*v).into() });
    let wholes = || wide().map(|v| whole(v, denominator) as i64);
    let common = common_step(wholes()) as i64;
    let (low, (least, greatest)) = (bounds(wide()).0, bounds(wholes()));
    for factor in [common].into_iter().chain(FACTORS) {
        let origin = least.map(|whole| nearest(whole, factor));
        if (0..3).any(|axis| nearest(greatest[axis], factor) - origin[axis] > i64::from(u32::MAX)) {
            continue;
        }
        let step = factor as f64 / denominator as f64;
        for step in [step, in_type(step, round)] {
            for grid in [Grid::Product { origin, step }, Grid::Binary { origin: low, step }] {
                let comes_back = |(i, (v, whole)): (usize, (&T, i64))| {
                    let voxel = nearest(whole, factor) - origin[i % 3];
                    round(coordinate(&grid, i % 3, voxel as u32)) == *v
                };
                if values.iter().zip(wholes()).enumerate().all(comes_back) {
                    return Some((grid, origin, factor));
                }
            }
        }
    }
    None
}

/// The largest step that all whole numbers are multiples of.
fn common_step(wholes: impl Iterator<Item = i64>) -> u64 {
    let mut common = 0;
    for whole in wholes {
        common = greatest_common_divisor(common, whole.unsigned_abs());
        if common == 1 {
            break;
        }
    }
    common.max(1)
}

/// The number of steps next to a whole number.
fn nearest(whole: i64, step: i64) -> i64 {
    (whole + step / 2).div_euclid(step)
}

/// A number as the type of the floats has it.
fn in_type<T: Into<f64>>(v: f64, round: fn(f64) -> T) -> f64 {
    round(v).into()
}

/// Voxels of decimal fractions, if all floats are such.
fn decimal<T: Copy + Into<f64> + PartialEq>(
    values: &[T],
    limits: &Limits,
    round: fn(f64) -> T,
) -> Result<Option<Voxels>> {
    let fits = |denominator: &&u64| values.iter().all(|v| holds(*v, **denominator, round));
    let Some(denominator) = DECIMALS.iter().find(fits).copied() else { return Ok(None) };
    let wholes = || values.iter().map(|v| whole((*v).into(), denominator) as i64);
    let common = common_step(wholes());
    let shared = greatest_common_divisor(common, denominator);
    let (numerator, denominator) = (common / shared, denominator / shared);
    let (low, high) = bounds(wholes());
    let step = common as i64;
    if (0..3).any(|axis| (high[axis] - low[axis]) / step > i64::from(u32::MAX)) {
        return Ok(None);
    }
    let origin = low.map(|v| v / step);
    let voxels = collect(wholes(), |axis, v| i128::from(v / step - origin[axis]), limits)?;
    Ok(Some(Voxels { grid: Grid::Rational { origin, numerator, denominator }, is_lossless: true, voxels }))
}

/// Voxels of the power of two that all floats are multiples of, if that is fine.
fn dyadic<T: Copy + Into<f64> + PartialEq>(
    values: &[T],
    limits: &Limits,
    round: fn(f64) -> T,
) -> Result<Option<Voxels>> {
    let wide = || values.iter().map(|v| -> f64 { (*v).into() });
    let exponent = wide().filter(|v| *v != 0.0).map(lowest_bit).min().unwrap_or(0);
    let step = if exponent < -1022 {
        f64::from_bits(1 << (exponent + 1074))
    } else {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    };
    let (low, high) = bounds(wide());
    if (0..3).any(|axis| (high[axis] - low[axis]) / step > f64::from(u32::MAX)) {
        return Ok(None);
    }
    let voxels = collect(wide(), |axis, v| ((v - low[axis]) / step) as i128, limits)?;
    let grid = Grid::Binary { origin: low, step };
    let comes_back = |(i, (v, voxel)): (usize, (&T, &u32))| round(coordinate(&grid, i % 3, *voxel)) == *v;
    let is_lossless = values.iter().zip(voxels.as_flattened()).enumerate().all(comes_back);
    Ok(is_lossless.then_some(Voxels { grid, is_lossless, voxels }))
}

/// The exponent of the lowest bit of a number that is not 0.
fn lowest_bit(v: f64) -> i32 {
    let (pattern, fraction) = (v.to_bits(), v.to_bits() & ((1 << 52) - 1));
    let exponent = (pattern >> 52 & 0x7ff) as i32;
    match exponent {
        0 => fraction.trailing_zeros() as i32 - 1074,
        _ => (fraction | 1 << 52).trailing_zeros() as i32 + exponent - 1075,
    }
}
