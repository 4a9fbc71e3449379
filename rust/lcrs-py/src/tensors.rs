//! Dictionaries of named arrays, as graphs and packages take them.

use std::collections::BTreeMap;

use half::f16;
use lcrs_codec::{TensorData, TensorView, Tensors};
use lcrs_core::exact::Tensor;
use lcrs_core::Limits;
use numpy::PyArrayDyn;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{numpy_ready, Input};
use crate::errors::{detached, to_py};

/// One array of a dictionary.
enum Array<'py> {
    F32(Input<'py, f32>),
    F16(Input<'py, f16>),
    I32(Input<'py, i32>),
}

/// Arrays by name, float32, float16 or int32, held while a job reads them.
pub(crate) struct NamedArrays<'py> {
    arrays: BTreeMap<String, Array<'py>>,
}

impl<'py> NamedArrays<'py> {
    pub(crate) fn new(dict: &Bound<'py, PyDict>, argument: &str) -> PyResult<Self> {
        numpy_ready(dict.py())?;
        let arrays = dict.iter().map(|(key, array)| {
            let key: String = key.extract()?;
            let name = format!("{argument}['{key}']");
            let array = if array.cast::<PyArrayDyn<i32>>().is_ok() {
                Array::I32(Input::new(&array, &name)?)
            } else if array.cast::<PyArrayDyn<f16>>().is_ok() {
                Array::F16(Input::new(&array, &name)?)
            } else {
                Array::F32(Input::new(&array, &name)?)
            };
            Ok((key, array))
        });
        Ok(Self { arrays: arrays.collect::<PyResult<_>>()? })
    }

    /// The same, without a copy, as the codec takes them.
    pub(crate) fn views(&self, py: Python<'_>) -> PyResult<Tensors<'_>> {
        let views = self.arrays.iter().map(|(name, array)| {
            let (shape, data) = match array {
                Array::F32(array) => (array.shape(), TensorData::F32(array.slice()?.into())),
                Array::F16(array) => (array.shape(), TensorData::F16(array.slice()?.into())),
                Array::I32(array) => (array.shape(), TensorData::I32(array.slice()?.into())),
            };
            let view = TensorView::new(shape, data).map_err(|error| to_py(py, &error.at(name)))?;
            Ok((name.clone(), view))
        });
        views.collect()
    }
}

/// A latent of an array (C, H, W).
pub(crate) fn latent(array: &Bound<'_, PyAny>, name: &str) -> PyResult<Tensor> {
    let py = array.py();
    let input = Input::<f32>::new(array, name)?;
    input.check_ndim(name, 3, "(C, H, W)")?;
    let (shape, values) = (input.shape(), input.slice()?);
    detached(py, values.len(), || {
        Tensor::from_nchw(shape[0], shape[1], shape[2], values, &Limits::default()).map_err(|error| error.at(name))
    })
}
