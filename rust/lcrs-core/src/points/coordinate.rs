//! Numbers that coordinates are, and what is asked of points before anything is computed.

use crate::{Error, Result};
use std::cmp::Ordering;
use std::fmt::Display;
use std::ops::{Add, Div, Mul, Sub};

/// Single or double precision. All arithmetic on coordinates is that of their own type.
pub trait Coordinate:
    Copy
    + PartialOrd
    + Display
    + Default
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + 'static
{
    /// Above all finite numbers.
    const INFINITY: Self;
    /// An order of all numbers.
    fn total_cmp(self, other: Self) -> Ordering;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// The nearest number of this type.
    fn from_f64(v: f64) -> Self;
    /// The same number.
    fn to_f64(self) -> f64;
}

macro_rules! coordinates {
    ($($T:ident),*) => {
        $(impl Coordinate for $T {
            const INFINITY: Self = $T::INFINITY;

            fn total_cmp(self, other: Self) -> Ordering {
                $T::total_cmp(&self, &other)
            }

            fn is_finite(self) -> bool {
                $T::is_finite(self)
            }

            fn from_f64(v: f64) -> Self {
                v as $T
            }

            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        })*
    };
}

coordinates!(f32, f64);

/// Refuses more points than an index of 32 bits can count.
pub(super) fn check_count(points: usize, name: &str) -> Result<()> {
    if points >= u32::MAX as usize {
        return Err(Error::limit(format!("{name} are {points}, fewer than {} are allowed", u32::MAX)));
    }
    Ok(())
}

/// Refuses too many points, and points that are nowhere.
pub(super) fn check_points<T: Coordinate>(points: &[[T; 3]], name: &str) -> Result<()> {
    check_count(points.len(), name)?;
    // Blocks without branches, which a compiler turns into vectors.
    for (number, block) in points.chunks(1024).enumerate() {
        if block.iter().flatten().fold(true, |finite, v| finite & v.is_finite()) {
            continue;
        }
        let bad = block.iter().enumerate().find(|(_, point)| !point.iter().all(|v| v.is_finite()));
        if let Some((i, [x, y, z])) = bad {
            let i = 1024 * number + i;
            return Err(Error::invalid(format!("{name}[{i}] is ({x}, {y}, {z}), finite numbers are needed")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_are_nowhere_are_named() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for place in [0, 1, 2000] {
                for axis in 0..3 {
                    let mut points = vec![[-0.0, 1e308, 5e-324]; 2100];
                    assert_eq!(check_points(&points, "points"), Ok(()));
                    points[place][axis] = bad;
                    let error = check_points(&points, "points").expect_err("a point is nowhere").to_string();
                    assert!(error.starts_with(&format!("points[{place}] is (")), "{error}");
                    assert!(error.ends_with("finite numbers are needed"), "{error}");
                }
            }
        }
    }
}
