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

/// The level, from 0 to `num_levels - 1`, of files of a quality from 0 to 100, for a model of so many levels.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for a quality that is out of range.
pub fn level_of_quality(quality: f64, num_levels: usize) -> Result<f32> {
    Ok(between_levels(as_kept(quality)?, num_levels))
}

/// The place between the levels of a variable-rate model, as encoder and decoder both compute it.
pub(crate) fn level(package: &Package, quality: Option<f32>) -> Result<Option<f32>> {
    match (package.levels(), quality) {
        (Some(levels), Some(quality)) => Ok(Some(between_levels(quality, levels))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::invalid(format!("model '{}' needs a quality (0 to 100)", package.name()))),
        (None, Some(quality)) => {
            Err(Error::invalid(format!("quality is {quality}, but model '{}' has a fixed rate", package.name())))
        }
    }
}

/// The checked quality as files keep it.
pub(crate) fn checked_quality(package: &Package, quality: Option<f64>) -> Result<Option<f32>> {
    let quality = quality.map(as_kept).transpose()?;
    level(package, quality).map(|_| quality)
}

fn between_levels(quality: f32, levels: usize) -> f32 {
    (f64::from(quality) / 100.0 * levels.saturating_sub(1) as f64) as f32
}

/// What is too small for a normal binary32 number is zero.
fn as_kept(quality: f64) -> Result<f32> {
    if !(0.0..=100.0).contains(&quality) {
        return Err(Error::invalid(format!("quality is {quality} (0 to 100)")));
    }
    Ok(if quality < f64::from(f32::MIN_POSITIVE) { 0.0 } else { quality as f32 })
}
