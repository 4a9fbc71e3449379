//! From coordinates to voxels and back.
//!
//! Whole numbers, and floats that lie on a grid, come back as they were. Others are rounded to voxels of a size: a coordinate comes
//! back no further away than half a voxel and the distance of two floats there.

use lcrs_core::points::morton::axis_bits;
use lcrs_core::{Error, Limits, Result};
use lcrs_format::{Grid, ScalarType};

use super::values::Values;

/// How fine the positions of a cloud are kept.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Resolution {
    /// As they were given.
    #[default]
    Lossless,
    /// In voxels of this size.
    Voxel(f64),
    /// In as many bits a coordinate, 1 to 32, along the longest side of the cloud: as given if these are enough.
    Bits(u32),
}

/// Whole numbers beyond are not all binary64 numbers.
const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53

/// Steps of a grid for one, that floats are tried on: those of decimal fractions.
const DECIMALS: [u64; 10] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Voxels of a cloud.
#[derive(Debug)]
pub(crate) struct Voxels {
    pub grid: Grid,
    pub is_lossless: bool,
    pub voxels: Vec<[u32; 3]>,
}

/// The voxels of coordinates, x, y and z of each point in turn.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for coordinates that are not finite, that lie on no grid if all of them are to be kept, or need
/// more than 32 bits.
pub(crate) fn voxels(positions: &Values<'_>, resolution: Resolution, limits: &Limits) -> Result<Voxels> {
    match resolution {
        Resolution::Voxel(size) if !size.is_finite() || size <= 0.0 => {
            return Err(Error::invalid(format!("voxel size is {size} (finite, above 0)")));
        }
        Resolution::Bits(bits) if !(1..=32).contains(&bits) => {
            return Err(Error::invalid(format!("{bits} bits a coordinate (1 to 32)")));
        }
        _ => {}
    }
    match positions {
        Values::F32(values) => of_floats(values, resolution, limits, |v| v as f32),
        Values::F64(values) => of_floats(values, resolution, limits, |v| v),
        Values::U8(values) => of_integers(values.iter().map(|v| (*v).into()), resolution, limits),
        Values::I8(values) => of_integers(values.iter().map(|v| (*v).into()), resolution, limits),
        Values::U16(values) => of_integers(values.iter().map(|v| (*v).into()), resolution, limits),
        Values::I16(values) => of_integers(values.iter().map(|v| (*v).into()), resolution, limits),
        Values::U32(values) => of_integers(values.iter().map(|v| (*v).into()), resolution, limits),
        Values::I32(values) => of_integers(values.iter().map(|v| (*v).into()), resolution, limits),
        Values::I64(values) => of_integers(values.iter().copied(), resolution, limits),
        Values::U64(values) => {
            if let Some(i) = values.iter().position(|v| i64::try_from(*v).is_err()) {
                return Err(at(i, format!("{} (below 2^63)", values[i])));
            }
            of_integers(values.iter().map(|v| *v as i64), resolution, limits)
        }
    }
}

/// An error of coordinate `i`, in words.
fn at(i: usize, what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("point {}: {} is {what}", i / 3, ["x", "y", "z"][i % 3]))
}

fn of_integers(
    values: impl ExactSizeIterator<Item = i64> + Clone,
    resolution: Resolution,
    limits: &Limits,
) -> Result<Voxels> {
    let common = values.clone().fold(0, |common, v| greatest_common_divisor(common, v.unsigned_abs())).max(1);
    let (low, high) = bounds(values.clone());
    let range = (0..3).map(|axis| high[axis].abs_diff(low[axis])).max().unwrap_or(0);
    let numerator = match resolution {
        Resolution::Lossless => common,
        Resolution::Voxel(size) if size.fract() == 0.0 && size <= EXACT => (size as u64).max(1),
        Resolution::Voxel(size) => {
            return Err(Error::invalid(format!(
                "voxel size is {size}, of whole coordinates it is a whole number up to 2^53"
            )));
        }
        Resolution::Bits(bits) => {
            let most = (1_u64 << bits) - 1;
            if range / common <= most {
                common
            } else {
                range.div_ceil(most)
            }
        }
    };
    let is_lossless = common.is_multiple_of(numerator);
    // a coordinate halfway between two voxels goes to the upper one
    let voxel = |v: i64| (i128::from(v) + i128::from(numerator / 2)).div_euclid(numerator.into());
    let origin = low.map(|v| voxel(v) as i64);
    let voxels = collect(values.map(voxel), |axis, v| v - i128::from(origin[axis]), limits)?;
    if numerator > EXACT as u64 {
        return Err(Error::invalid(format!("coordinates are multiples of {numerator} (at most 2^53)")));
    }
    Ok(Voxels { grid: Grid::Rational { origin, numerator, denominator: 1 }, is_lossless, voxels })
}

fn of_floats<T: Copy + Into<f64> + PartialEq>(
    values: &[T],
    resolution: Resolution,
    limits: &Limits,
    round: fn(f64) -> T,
) -> Result<Voxels> {
    if let Some(i) = values.iter().position(|v| !(*v).into().is_finite()) {
        return Err(at(i, format!("{}, must be finite", values[i].into())));
    }
    let wide = || values.iter().map(|v| -> f64 { (*v).into() });
    if !matches!(resolution, Resolution::Voxel(_)) {
        let most = match resolution {
            Resolution::Bits(bits) => bits,
            _ => 32,
        };
        let found = match decimal(values, limits, round)? {
            Some(found) if axis_bits(&found.voxels) <= most => Some(found),
            _ => dyadic(values, limits, round)?.filter(|found| axis_bits(&found.voxels) <= most),
        };
        match (found, resolution) {
            (Some(found), _) => return Ok(found),
            (None, Resolution::Lossless) => {
                let message =
                    "positions lie on no grid of up to 32 bits an axis: give a voxel size or a number of bits";
                return Err(Error::invalid(message));
            }
            _ => {}
        }
    }
    let (low, high) = bounds(wide());
    let range = (0..3).map(|axis| high[axis] - low[axis]).fold(0.0, f64::max);
    let (origin, step) = match resolution {
        Resolution::Voxel(size) => {
            // Multiples of the voxel, as far as floats tell them from one another.
            let aligned = low.map(|v| (v / size).floor() * size);
            let is_fine = |axis: usize| low[axis].abs() / size < EXACT && aligned[axis] <= low[axis];
            ([0, 1, 2].map(|axis| if is_fine(axis) { aligned[axis] } else { low[axis] }), size)
        }
        Resolution::Bits(bits) => (low, range / ((1_u64 << bits) - 1) as f64),
        Resolution::Lossless => (low, 1.0),
    };
    if !range.is_finite() || step <= 0.0 || !step.is_finite() {
        return Err(Error::invalid(format!("coordinates from {low:?} to {high:?} have no voxels of {step}")));
    }
    let voxel = |axis: usize, v: f64| ((v - origin[axis]) / step).round_ties_even();
    let voxels = collect(wide(), |axis, v| voxel(axis, v).clamp(-1.0, 1e12) as i128, limits)?;
    let grid = Grid::Binary { origin, step };
    let mut is_lossless = true;
    for (i, (v, voxel)) in values.iter().zip(voxels.as_flattened()).enumerate() {
        let back: f64 = round(coordinate(&grid, i % 3, *voxel)).into();
        let given: f64 = (*v).into();
        is_lossless &= back == given;
        if !back.is_finite() {
            return Err(at(i, format!("{given}: its voxel is beyond the type")));
        }
    }
    Ok(Voxels { grid, is_lossless, voxels })
}

/// Voxels of decimal fractions, if all floats are such.
fn decimal<T: Copy + Into<f64> + PartialEq>(
    values: &[T],
    limits: &Limits,
    round: fn(f64) -> T,
) -> Result<Option<Voxels>> {
    let whole = |v: T, denominator: u64| (v.into() * denominator as f64).round_ties_even();
    let holds = |v: &T, denominator: u64| {
        let whole = whole(*v, denominator);
        whole.abs() <= EXACT && round(whole / denominator as f64) == *v
    };
    let fits = |denominator: &&u64| values.iter().all(|v| holds(v, **denominator));
    let Some(denominator) = DECIMALS.iter().find(fits).copied() else { return Ok(None) };
    let wholes = || values.iter().map(|v| whole(*v, denominator) as i64);
    let common = wholes().fold(0, |common, v| greatest_common_divisor(common, v.unsigned_abs())).max(1);
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

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The least and the greatest coordinate of each axis; 0 of no points.
fn bounds<T: Copy + PartialOrd + Default>(values: impl Iterator<Item = T>) -> ([T; 3], [T; 3]) {
    let mut found: Option<([T; 3], [T; 3])> = None;
    for (axis, v) in values.enumerate() {
        let (low, high) = found.get_or_insert(([v; 3], [v; 3]));
        if axis < 3 {
            // the first point is all that is known of its axes
            (low[axis], high[axis]) = (v, v);
        }
        let place = axis % 3;
        if v < low[place] {
            low[place] = v;
        }
        if v > high[place] {
            high[place] = v;
        }
    }
    found.unwrap_or_default()
}

fn collect<T>(
    values: impl ExactSizeIterator<Item = T>,
    voxel: impl Fn(usize, T) -> i128,
    limits: &Limits,
) -> Result<Vec<[u32; 3]>> {
    let mut voxels: Vec<[u32; 3]> = limits.zeroed(values.len() / 3, "voxels")?;
    for (i, (place, v)) in voxels.as_flattened_mut().iter_mut().zip(values).enumerate() {
        let voxel = voxel(i % 3, v);
        *place = u32::try_from(voxel).map_err(|_| {
            at(i, format!("{voxel} voxels from the least one, at most 2^32 - 1 are possible: give a larger voxel or fewer bits"))
        })?;
    }
    Ok(voxels)
}

/// The coordinate of a voxel before it is rounded to its type: a quotient of whole numbers, or a sum of a product, each rounded to binary64.
pub(crate) fn coordinate(grid: &Grid, axis: usize, voxel: u32) -> f64 {
    match grid {
        Grid::Rational { origin, numerator, denominator } => {
            let whole = (i128::from(origin[axis]) + i128::from(voxel)) * i128::from(*numerator);
            whole as f64 / *denominator as f64
        }
        Grid::Binary { origin, step } => origin[axis] + f64::from(voxel) * step,
    }
}

/// The coordinates of voxels, x, y and z of each in turn.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`] without memory.
pub(crate) fn positions(
    grid: &Grid,
    number: ScalarType,
    voxels: &[[u32; 3]],
    limits: &Limits,
) -> Result<Values<'static>> {
    macro_rules! integers {
        ($name:ident, $type:ty) => {{
            let mut out: Vec<$type> = limits.zeroed(3 * voxels.len(), "coordinates")?;
            if let Grid::Rational { origin, numerator, .. } = grid {
                let (least, most) = (i128::from(<$type>::MIN), i128::from(<$type>::MAX));
                for (i, (out, voxel)) in out.iter_mut().zip(voxels.as_flattened()).enumerate() {
                    let whole = (i128::from(origin[i % 3]) + i128::from(*voxel)) * i128::from(*numerator);
                    *out = whole.clamp(least, most) as $type;
                }
            }
            Ok(Values::$name(out.into()))
        }};
    }
    macro_rules! floats {
        ($name:ident, $type:ty) => {{
            let mut out: Vec<$type> = limits.zeroed(3 * voxels.len(), "coordinates")?;
            for (i, (out, voxel)) in out.iter_mut().zip(voxels.as_flattened()).enumerate() {
                *out = coordinate(grid, i % 3, *voxel) as $type;
            }
            Ok(Values::$name(out.into()))
        }};
    }
    match number {
        ScalarType::U8 => integers!(U8, u8),
        ScalarType::I8 => integers!(I8, i8),
        ScalarType::U16 => integers!(U16, u16),
        ScalarType::I16 => integers!(I16, i16),
        ScalarType::U32 => integers!(U32, u32),
        ScalarType::I32 => integers!(I32, i32),
        ScalarType::U64 => integers!(U64, u64),
        ScalarType::I64 => integers!(I64, i64),
        ScalarType::F32 => floats!(F32, f32),
        ScalarType::F64 => floats!(F64, f64),
    }
}
