//! Voxelisation: points by the cubes of a grid that they are in.

use super::coordinate::{check_points, Coordinate};
use super::morton;
use crate::{Error, Pool, Result};

/// Which voxels have points, and which points they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voxels {
    /// Coordinates of the voxels, each once, in Morton order of their distance from the lowest coordinates.
    pub coordinates: Vec<[i32; 3]>,
    /// The voxel of each point, as an index of the above.
    pub voxel_of: Vec<i64>,
    /// The number of points of each voxel.
    pub counts: Vec<i64>,
}

/// The voxel `floor((point - origin) / size)` of each point, computed in double precision.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if a number is not finite, `size` is not positive, or a voxel is outside of 32 bits.
pub fn voxelize<T: Coordinate>(points: &[[T; 3]], size: f64, origin: [f64; 3], pool: &Pool) -> Result<Voxels> {
    check_points(points, "points")?;
    check_points(&[origin], "origin")?;
    if !size.is_finite() || size <= 0.0 {
        return Err(Error::invalid(format!("size={size}, a positive finite number is needed")));
    }
    let mut cells: Vec<[i32; 3]> = Vec::with_capacity(points.len());
    for (i, point) in points.iter().enumerate() {
        let mut cell = [0; 3];
        for axis in 0..3 {
            let v = ((point[axis].to_f64() - origin[axis]) / size).floor();
            if v < f64::from(i32::MIN) || v > f64::from(i32::MAX) {
                return Err(Error::invalid(format!(
                    "points[{i}] is in voxel {v:e} of size {size}, {}..={} are allowed",
                    i32::MIN,
                    i32::MAX
                )));
            }
            cell[axis] = v as i32;
        }
        cells.push(cell);
    }
    let low = cells.iter().fold([i32::MAX; 3], |low, cell| [0, 1, 2].map(|axis| low[axis].min(cell[axis])));
    let from_low: Vec<[u32; 3]> =
        cells.iter().map(|cell| [0, 1, 2].map(|axis| cell[axis].wrapping_sub(low[axis]) as u32)).collect();
    let mut voxels = Voxels { coordinates: Vec::new(), voxel_of: vec![0; points.len()], counts: Vec::new() };
    for point in morton::order(&from_low, pool)? {
        let cell = cells[point as usize];
        if voxels.coordinates.last() != Some(&cell) {
            voxels.coordinates.push(cell);
            voxels.counts.push(0);
        }
        let voxel = voxels.coordinates.len() - 1;
        voxels.voxel_of[point as usize] = voxel as i64;
        voxels.counts[voxel] += 1;
    }
    Ok(voxels)
}
