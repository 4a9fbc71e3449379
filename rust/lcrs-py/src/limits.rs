//! Bounds that a caller sets on what a picture or a file may take.

use lcrs_core::Limits;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyAnyMethods;

/// A whole number as a count or a bound: beyond 64 bits it bounds nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count(i64);

impl Count {
    /// A default.
    pub(crate) const fn of(value: i64) -> Self {
        Self(value)
    }
}

impl<'py> FromPyObject<'_, 'py> for Count {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match given.extract::<i64>() {
            Ok(count) => Ok(Self(count)),
            Err(error) if error.is_instance_of::<PyOverflowError>(given.py()) => {
                Ok(Self(if given.gt(0)? { i64::MAX } else { i64::MIN }))
            }
            Err(_) => Err(PyTypeError::new_err(format!("{} is not a whole number", given.repr()?))),
        }
    }
}

/// A whole number that counts something.
pub(crate) fn whole(name: &str, Count(value): Count) -> PyResult<usize> {
    usize::try_from(value).map_err(|_| PyValueError::new_err(format!("{name} is {value}, must be 0 or more")))
}

/// The limits of a call: those that are given, else the usual ones.
pub(crate) fn limits(max_pixels: Option<Count>, max_bytes: Option<Count>) -> PyResult<Limits> {
    let mut limits = Limits::default();
    if let Some(pixels) = max_pixels {
        limits.max_pixels = checked("max_pixels", pixels)?;
    }
    if let Some(bytes) = max_bytes {
        limits.max_bytes = checked("max_bytes", bytes)?;
    }
    Ok(limits)
}

fn checked(name: &str, Count(value): Count) -> PyResult<u64> {
    let positive = u64::try_from(value).ok().filter(|value| *value > 0);
    positive.ok_or_else(|| PyValueError::new_err(format!("{name} is {value}, must be 1 or more")))
}
