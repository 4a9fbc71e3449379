//! Files of a size or a distortion that is asked for.

use lcrs_codec::{Search, Target};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::to_py;

/// What a name and a number ask for.
pub(crate) fn target(name: &str, value: f64) -> PyResult<Target> {
    match name {
        "bpp" => Ok(Target::BitsPerPixel(value)),
        "size" if value >= 1.0 && value.fract() == 0.0 && value < u64::MAX as f64 => Ok(Target::Size(value as u64)),
        "size" => Err(PyValueError::new_err(format!("target_size is {value}, must be a whole number from 1"))),
        "psnr" => Ok(Target::Psnr(value)),
        other => Err(PyValueError::new_err(format!("target is '{other}', must be 'bpp', 'size' or 'psnr'"))),
    }
}

/// The search for the quality that gives a target, for programs whose trials run elsewhere.
///
/// Args:
///     target: `bpp`: bits of the whole file for each pixel, to within 1 %; `size`: bytes of the whole file, no more
///         and no less than 99 % of it; `psnr`: decibels, to within 0.05.
///     value: how much of it.
///     num_pixels: of the picture.
///
/// Raises:
///     ValueError: the target is another, or the value not above 0 or not finite.
#[pyclass(module = "lcrs.coding")]
pub(crate) struct RateSearch {
    inner: Search,
}

#[pymethods]
impl RateSearch {
    #[new]
    fn new(py: Python<'_>, target: &str, value: f64, num_pixels: u64) -> PyResult<Self> {
        let target = self::target(target, value)?;
        let inner = Search::new(target, num_pixels).map_err(|error| to_py(py, &error))?;
        Ok(Self { inner })
    }

    /// The quality to try next; None once the search has ended.
    fn next_quality(&self) -> Option<f32> {
        self.inner.next_quality()
    }

    /// Takes the bytes, or the PSNR, of a file at `quality`.
    ///
    /// Returns:
    ///     Whether it is the best one until now.
    fn record(&mut self, quality: f32, value: f64) -> bool {
        self.inner.record(quality, value)
    }

    /// What was reached instead of the target, in words; None if it was reached.
    #[getter]
    fn shortfall(&self) -> Option<String> {
        self.inner.shortfall()
    }
}
