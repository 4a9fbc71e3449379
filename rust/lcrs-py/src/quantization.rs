//! From latents to symbols and table rows, and back: the comparisons and roundings that decide bits.

use lcrs_core::exact;
use numpy::PyArrayDyn;
use pyo3::prelude::*;

use crate::arrays::{Input, Output};
use crate::errors::detached;
use crate::runtime::simd_of;

/// Symbols of a latent: `round_half_even(y - means)`, computed in float32.
///
/// Args:
///     y: float32, any shape.
///     means: float32, the shape of `y`; zero without it.
///
/// Raises:
///     ValueError: a difference is not finite, or is `2**24` or more, with its position.
#[pyfunction]
#[pyo3(signature = (y, means=None))]
pub(crate) fn quantize<'py>(
    y: &Bound<'py, PyAny>,
    means: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    let py = y.py();
    let y = Input::<f32>::new(y, "y")?;
    let means = means_for(means, y.shape(), "y")?;
    let mut out = Output::empty(py, y.shape())?;
    let (y, means, symbols) = (y.slice()?, means.as_ref().map(Input::slice).transpose()?, out.slice()?);
    let simd = simd_of(py)?;
    detached(py, y.len(), || exact::quantize(simd, y, means, symbols))?;
    Ok(out.into_array())
}

/// Values of symbols: `symbols + means`, computed in float32, in the shape of `symbols`.
#[pyfunction]
#[pyo3(signature = (symbols, means=None))]
pub(crate) fn dequantize<'py>(
    symbols: &Bound<'py, PyAny>,
    means: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    let py = symbols.py();
    let symbols = Input::<i32>::new(symbols, "symbols")?;
    let means = means_for(means, symbols.shape(), "symbols")?;
    let mut out = Output::empty(py, symbols.shape())?;
    let (symbols, means, values) = (symbols.slice()?, means.as_ref().map(Input::slice).transpose()?, out.slice()?);
    detached(py, symbols.len(), || exact::dequantize(symbols, means, values))?;
    Ok(out.into_array())
}

fn means_for<'py>(
    means: Option<&Bound<'py, PyAny>>,
    shape: &[usize],
    other: &str,
) -> PyResult<Option<Input<'py, f32>>> {
    let means = Input::optional(means, "means")?;
    if let Some(means) = &means {
        means.check_shape("means", shape, other)?;
    }
    Ok(means)
}
