//! Voxels on a grid, and the coordinates that they stand for.

use lcrs_core::{Error, Limits, Result};
use lcrs_format::{Grid, ScalarType};

use super::values::Values;

/// Whole numbers beyond are not all binary64 numbers.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53

/// Voxels of a cloud.
#[derive(Debug)]
pub(crate) struct Voxels {
    pub grid: Grid,
    pub is_lossless: bool,
    pub voxels: Vec<[u32; 3]>,
}

/// An error of coordinate `i`, in words.
pub(super) fn at(i: usize, what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("point {}: {} is {what}", i / 3, ["x", "y", "z"][i % 3]))
}

pub(super) fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The least and the greatest coordinate of each axis; 0 of no points.
pub(super) fn bounds<T: Copy + PartialOrd + Default>(values: impl Iterator<Item = T>) -> ([T; 3], [T; 3]) {
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

/// A whole number, in few digits if it is large.
fn shown(number: i128) -> String {
    if number.unsigned_abs() < 1 << 53 {
        number.to_string()
    } else {
        format!("{:.1e}", number as f64)
    }
}

pub(super) fn collect<T>(
    values: impl ExactSizeIterator<Item = T>,
    voxel: impl Fn(usize, T) -> i128,
    limits: &Limits,
) -> Result<Vec<[u32; 3]>> {
    let mut voxels: Vec<[u32; 3]> = limits.zeroed(values.len() / 3, "voxels")?;
    for (i, (place, v)) in voxels.as_flattened_mut().iter_mut().zip(values).enumerate() {
        let voxel = voxel(i % 3, v);
        *place = u32::try_from(voxel).map_err(|_| {
            at(
                i,
                format!(
                    "{} voxels from the least one, at most 2^32 - 1 are possible: give a larger voxel or fewer bits",
                    shown(voxel)
                ),
            )
        })?;
    }
    Ok(voxels)
}

/// The coordinate of a voxel before it is rounded to its type: a quotient of whole numbers, a product, or the sum of
/// one, each rounded to binary64.
pub(crate) fn coordinate(grid: &Grid, axis: usize, voxel: u32) -> f64 {
    match grid {
        Grid::Rational { origin, numerator, denominator } => {
            let whole = (i128::from(origin[axis]) + i128::from(voxel)) * i128::from(*numerator);
            whole as f64 / *denominator as f64
        }
        Grid::Product { origin, step } => (i128::from(origin[axis]) + i128::from(voxel)) as f64 * step,
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
