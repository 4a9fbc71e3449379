//! A coding graph: one network, run on exact arithmetic.

use lcrs_codec as codec;
use lcrs_core::exact::Tensor;
use lcrs_core::{Limits, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{self, shape_text, Input};
use crate::errors::detached;
use crate::runtime::{runtime, simd_of};
use crate::tensors::NamedArrays;

/// A network as data, with kernels packed for this process's instruction set, ready to run.
///
/// Args:
///     json: the description, as the README of the crate `lcrs-codec` specifies it.
///     tensors: float32, float16 or int32 arrays by name, C-contiguous; those that the description names.
///
/// Raises:
///     UnsupportedVersionError: for another version, an unknown operation or attribute.
///     CorruptError: for everything else that is wrong, with its place.
#[pyclass(frozen, module = "lcrs.coding")]
pub(crate) struct Graph {
    inner: codec::Graph,
}

#[pymethods]
impl Graph {
    #[new]
    fn new(json: &str, tensors: &Bound<'_, PyDict>) -> PyResult<Self> {
        let py = tensors.py();
        let simd = simd_of(py)?;
        let arrays = NamedArrays::new(tensors, "tensors")?;
        let views = arrays.views(py)?;
        let find = |name: &str| views.get(name).map(codec::TensorView::borrowed);
        let inner = detached(py, usize::MAX, || codec::Graph::new(json, find, simd))?;
        Ok(Self { inner })
    }

    /// Names of the inputs, in order.
    #[getter]
    fn inputs(&self) -> Vec<String> {
        self.inner.inputs().to_vec()
    }

    /// Names of the outputs, in order.
    #[getter]
    fn outputs(&self) -> Vec<&str> {
        self.inner.outputs().collect()
    }

    /// Runs the network; the bits of the outputs depend on the numbers alone.
    ///
    /// Args:
    ///     inputs: float32, (C, H, W) each, or (N, C, H, W) each; in the order of `inputs`.
    ///     level: the place between the levels of a variable-rate model, from 0 to their number less one.
    ///     threads: how many to use; by default `num_threads`.
    ///
    /// Returns:
    ///     The outputs by name, (C, H, W) or (N, C, H, W).
    ///
    /// Raises:
    ///     ValueError: inputs are missing or misshapen, the level is illegal, or numbers stop being
    ///         finite.
    ///     LcrsError: shapes inside the graph do not go together or are above the limits.
    #[pyo3(signature = (inputs, level=None, threads=None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyAny>,
        level: Option<f32>,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let arrays = inputs
            .try_iter()?
            .enumerate()
            .map(|(i, array)| Input::<f32>::new(&array?, &format!("inputs[{i}]")))
            .collect::<PyResult<Vec<_>>>()?;
        let batch = Batch::of(&arrays)?;
        let runtime = runtime(py, threads)?;
        let limits = Limits::default();
        let results = detached(py, usize::MAX, || {
            // Of an empty batch one item is run too: that tells the outputs and their shapes.
            let mut items = vec![(); batch.items.unwrap_or(1).max(1)];
            runtime.each(&mut items, |item, (), runtime| {
                let outputs = self.inner.run(runtime, &limits, &batch.tensors(item, &limits)?, level)?;
                outputs.into_iter().map(Output::of).collect::<Result<Vec<_>>>()
            })
        })?;
        batch.collect(py, results)
    }
}

/// The inputs of a run: (C, H, W) each, or (N, C, H, W) each with one N.
struct Batch<'a> {
    /// N, if there is that dimension.
    items: Option<usize>,
    /// Channels, height, width and numbers of each input.
    inputs: Vec<([usize; 3], &'a [f32])>,
}

impl<'a> Batch<'a> {
    fn of(arrays: &'a [Input<'_, f32>]) -> PyResult<Self> {
        let mut items = None;
        let mut inputs = Vec::new();
        for (i, array) in arrays.iter().enumerate() {
            let (n, shape) = match *array.shape() {
                [c, h, w] => (None, [c, h, w]),
                [n, c, h, w] => (Some(n), [c, h, w]),
                ref shape => {
                    let shape = shape_text(shape);
                    let message = format!("inputs[{i}] has shape {shape}, (C, H, W) or (N, C, H, W) is needed");
                    return Err(PyValueError::new_err(message));
                }
            };
            if i > 0 && n != items {
                let message =
                    format!("inputs[{i}] has shape {}, its batch is not that of the first", shape_text(array.shape()));
                return Err(PyValueError::new_err(message));
            }
            items = n;
            inputs.push((shape, array.slice()?));
        }
        Ok(Self { items, inputs })
    }

    /// The inputs of one item.
    fn tensors(&self, item: usize, limits: &Limits) -> Result<Vec<Tensor>> {
        let tensor = |&([c, h, w], data): &([usize; 3], &[f32])| {
            if self.items == Some(0) {
                return Tensor::zeroed(c, h, w, limits);
            }
            let size = c * h * w;
            Tensor::from_nchw(c, h, w, &data[item * size..(item + 1) * size], limits)
        };
        self.inputs.iter().map(tensor).collect()
    }

    /// The outputs of all items by name, shaped like the inputs.
    fn collect<'py>(&self, py: Python<'py>, results: Vec<Vec<Output>>) -> PyResult<Bound<'py, PyDict>> {
        let outputs = PyDict::new(py);
        for (i, Output { name, shape, .. }) in results.first().into_iter().flatten().enumerate() {
            let whole: Vec<usize> = self.items.into_iter().chain(*shape).collect();
            let mut array = arrays::Output::<f32>::empty(py, &whole)?;
            let size = shape.iter().product::<usize>().max(1);
            let items = array.slice()?.chunks_mut(size).zip(&results);
            items.for_each(|(item, outputs)| item.copy_from_slice(&outputs[i].data));
            outputs.set_item(name, array.into_array())?;
        }
        Ok(outputs)
    }
}

/// What a run returns by a name: channels, height and width, and the numbers of one item, channels first.
struct Output {
    name: String,
    shape: [usize; 3],
    data: Vec<f32>,
}

impl Output {
    fn of((name, tensor): (String, Tensor)) -> Result<Self> {
        let (channels, height, width) = tensor.shape();
        Ok(Self { name, shape: [channels, height, width], data: tensor.to_nchw()? })
    }
}
