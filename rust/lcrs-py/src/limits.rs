//! Bounds that a caller sets on what a picture or a file may take.

use lcrs_core::Limits;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The limits of a call: those that are given, else the usual ones.
pub(crate) fn limits(max_pixels: Option<i64>, max_bytes: Option<i64>) -> PyResult<Limits> {
    let mut limits = Limits::default();
    if let Some(pixels) = max_pixels {
        limits.max_pixels = checked("max_pixels", pixels)?;
    }
    if let Some(bytes) = max_bytes {
        limits.max_bytes = checked("max_bytes", bytes)?;
    }
    Ok(limits)
}

fn checked(name: &str, value: i64) -> PyResult<u64> {
    let positive = u64::try_from(value).ok().filter(|value| *value > 0);
    positive.ok_or_else(|| PyValueError::new_err(format!("{name} is {value}, must be 1 or more")))
}
