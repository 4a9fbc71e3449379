//! How alike pictures are.

use lcrs_core::similarity::{similarity, Window};
use numpy::{Element, PyArrayDyn};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{has_type, shape_text, untyped, Input, Output};
use crate::errors::detached;
use crate::runtime::runtime;

/// Structural similarity of the components of two pictures, at scales of which each halves the sides.
///
/// Args:
///     a: uint8, uint16 or float32, (H, W) or (H, W, C).
///     b: of the same type and shape.
///     peak: the largest value that there may be.
///     half_window: weights of a window of 11 x 11 in one direction: the outermost first, the one of the centre last.
///     constants: `C1` and `C2`, for values from 0 to 1.
///     scales: how many; a side has 11 values or more at each.
///     threads: as everywhere.
///
/// Returns:
///     float64, (C, scales, 2): the means over whole windows, and those of contrast and structure alone.
#[pyfunction]
#[pyo3(signature = (a, b, peak, half_window, constants, scales=1, threads=None))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn structural_similarity<'py>(
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    peak: f32,
    half_window: [f32; 6],
    constants: [f32; 2],
    scales: usize,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let window = Window { half: half_window, constants };
    let array = untyped(a, "a")?;
    if has_type::<u8>(&array) {
        similarity_of::<u8>(a, b, peak, &window, scales, threads)
    } else if has_type::<u16>(&array) {
        similarity_of::<u16>(a, b, peak, &window, scales, threads)
    } else {
        similarity_of::<f32>(a, b, peak, &window, scales, threads)
    }
}

fn similarity_of<'py, T: Element + Copy + Into<f32> + Sync>(
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    peak: f32,
    window: &Window,
    scales: usize,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let py = a.py();
    let (a, b) = (Input::<T>::new(a, "a")?, Input::<T>::new(b, "b")?);
    let shape = match *a.shape() {
        [height, width] => [height, width, 1],
        [height, width, components] => [height, width, components],
        ref shape => {
            let message = format!("a has shape {}, (H, W) or (H, W, C) is needed", shape_text(shape));
            return Err(PyValueError::new_err(message));
        }
    };
    b.check_shape("b", a.shape(), "a")?;
    let (first, second) = (a.slice()?, b.slice()?);
    let rt = runtime(py, threads)?;
    let found = detached(py, first.len(), || similarity(&rt, [first, second], shape, peak, window, scales))?;
    let mut means = Output::<f64>::empty(py, &[shape[2], scales, 2])?;
    means.slice()?.copy_from_slice(found.as_flattened());
    Ok(means.into_array())
}
