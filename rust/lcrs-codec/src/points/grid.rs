//! From coordinates to voxels and back.
//!
//! Whole numbers, and floats that lie on a grid, come back as they were. Others are rounded to voxels of a size: a coordinate comes
//! back no further away than half a voxel and the distance of two floats there.

use lcrs_core::{Error, Limits, Result};
use lcrs_format::Grid;

use super::coordinates::{at, bounds, collect, coordinate, greatest_common_divisor, Voxels, EXACT};
use super::float_grids::exact;
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

/// The voxels of coordinates, x, y and z of each point in turn.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for coordinates that are not finite, that lie on no grid if all of them are to be kept, or need
/// more than 32 bits.
pub(crate) fn voxels(positions: &Values<'_>, resolution: Resolution, limits: &Limits) -> Result<Voxels> {
    match resolution {
        Resolution::Voxel(size) if !size.is_finite() || size <= 0.0 => {
            return Err(Error::invalid(format!("voxel size is {size:?} (finite, above 0)")));
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
                "voxel size is {size:?}, of whole coordinates it is a whole number up to 2^53"
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
        match (exact(values, most, limits, round)?, resolution) {
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
        return Err(Error::invalid(format!("coordinates from {low:?} to {high:?} have no voxels of {step:?}")));
    }
    let voxel = |axis: usize, v: f64| ((v - origin[axis]) / step).round_ties_even();
    let voxels = collect(wide(), |axis, v| voxel(axis, v) as i128, limits)?;
    let grid = Grid::Binary { origin, step };
    let mut is_lossless = true;
    for (i, (v, voxel)) in values.iter().zip(voxels.as_flattened()).enumerate() {
        let back: f64 = round(coordinate(&grid, i % 3, *voxel)).into();
        let given: f64 = (*v).into();
        is_lossless &= back == given;
        if !back.is_finite() {
            return Err(at(i, format!("{given:?}: its voxel is beyond the type")));
        }
    }
    Ok(Voxels { grid, is_lossless, voxels })
}
