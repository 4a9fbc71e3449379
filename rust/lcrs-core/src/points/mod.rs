//! Point clouds: orders, neighbours and samples of points.
//!
//! Results depend neither on the number of threads nor on the instruction set: of equals, the one of the lowest index is
//! taken, and distances are those that IEEE arithmetic gives in one order of operations.

pub mod morton;
pub mod octree;

use crate::{Error, Result};

/// Refuses more points than an index of 32 bits can count.
fn check_count(points: usize) -> Result<()> {
    if points >= u32::MAX as usize {
        return Err(Error::limit(format!("{points} points, fewer than {} are allowed", u32::MAX)));
    }
    Ok(())
}
