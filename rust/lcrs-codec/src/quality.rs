//! From a quality to the level of a variable-rate model.

use lcrs_core::{Error, Result};

use crate::Package;

/// The level of a variable-rate model at a quality from 0 to 100; none for a fixed rate.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for a quality that is out of range, missing, or given for a fixed rate.
pub fn level_of(package: &Package, quality: Option<f64>) -> Result<Option<f32>> {
    level(package, checked_quality(package, quality)?)
}

/// The place between the levels of a variable-rate model, as encoder and decoder both compute it.
pub(crate) fn level(package: &Package, quality: Option<f32>) -> Result<Option<f32>> {
    match (package.levels(), quality) {
        (Some(levels), Some(quality)) => Ok(Some((f64::from(quality) / 100.0 * (levels - 1) as f64) as f32)),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::invalid(format!("model '{}' needs a quality (0 to 100)", package.name()))),
        (None, Some(quality)) => {
            Err(Error::invalid(format!("quality is {quality}, but model '{}' has a fixed rate", package.name())))
        }
    }
}

/// The quality as files keep it. What is too small for a normal binary32 number is zero.
pub(crate) fn checked_quality(package: &Package, quality: Option<f64>) -> Result<Option<f32>> {
    match quality {
        Some(quality) if !(0.0..=100.0).contains(&quality) => {
            Err(Error::invalid(format!("quality is {quality} (0 to 100)")))
        }
        _ => {
            let quality =
                quality.map(|quality| if quality < f64::from(f32::MIN_POSITIVE) { 0.0 } else { quality as f32 });
            level(package, quality).map(|_| quality)
        }
    }
}
