//! Coding of whole latents, from the layout that networks have to streams and back.

use lcrs_core::latent::Latents;
use numpy::PyArrayDyn;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::arrays::{shape_text, to_bytes, Input, Output};
use crate::coder::{job_size, stream_kind, streams};
use crate::errors::{caught, detached};
use crate::runtime::runtime;
use crate::table::CdfTable;

/// Codes a batch of latents: the symbols `round_half_even(values - means)`, one stream for each item.
///
/// The bytes are those of `encode_batch` of the symbols, in the order row, column, channel for `"lcrs"` and
/// channel, row, column for `"ans"`. Items are coded in parallel.
///
/// Args:
///     values: float32, (items, channels, ...).
///     indexes: int32, the shape of `values`, or (channels,): rows of the table.
///     table: the distributions.
///     means: float32, the shape of `values`, or (channels,); zero without it.
///     kind: as in `encode`.
///     threads: as in `encode`.
///
/// Raises:
///     ValueError: shapes do not fit, a difference is not finite or is `2**24` or more, or an index is
///         not a row of the table.
#[pyfunction]
#[pyo3(signature = (values, indexes, table, means=None, kind="lcrs", threads=None))]
pub(crate) fn encode_latents<'py>(
    values: &Bound<'py, PyAny>,
    indexes: &Bound<'py, PyAny>,
    table: &CdfTable,
    means: Option<&Bound<'py, PyAny>>,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyList>> {
    let py = values.py();
    let kind = stream_kind(py, kind)?;
    let values = Input::<f32>::new(values, "values")?;
    let fields = Fields::new(values.shape(), indexes, means)?;
    let (latents, values) = (fields.latents(py)?, values.slice()?);
    let (runtime, table) = (runtime(py, threads)?, table.core());
    let size = job_size(&runtime, values.len());
    let streams = detached(py, size, || latents.encode(kind, &runtime, values, table))?;
    let streams = streams.iter().map(|stream| to_bytes(py, stream)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, streams)
}

/// Decodes what `encode_latents` wrote, to the values `symbols + means`.
///
/// Args:
///     data: a stream for each item.
///     shape: (items, channels, ...).
///     indexes: as given to `encode_latents`.
///     table: as given to `encode_latents`.
///     means: as given to `encode_latents`.
///     kind: as given to `encode_latents`.
///     threads: as in `encode`.
///
/// Returns:
///     float32, of `shape`.
///
/// Raises:
///     ValueError: shapes do not fit or an index is not a row of the table.
///     LcrsError: as `decode_batch`.
#[pyfunction]
#[pyo3(signature = (data, shape, indexes, table, means=None, kind="lcrs", threads=None))]
#[allow(clippy::too_many_arguments)] // Python passes them by name
pub(crate) fn decode_latents<'py>(
    data: &Bound<'py, PyAny>,
    shape: Vec<usize>,
    indexes: &Bound<'py, PyAny>,
    table: &CdfTable,
    means: Option<&Bound<'py, PyAny>>,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    let py = data.py();
    let kind = stream_kind(py, kind)?;
    let fields = Fields::new(&shape, indexes, means)?;
    let latents = fields.latents(py)?;
    let data = streams(data)?;
    if data.len() != shape[0] {
        // before anything is allocated for that shape
        let (given, wanted) = (data.len(), shape[0]);
        return Err(PyValueError::new_err(format!("{given} streams are given for {wanted} latents")));
    }
    let (runtime, table) = (runtime(py, threads)?, table.core());
    let mut out = Output::empty(py, &shape)?;
    let values = out.slice()?;
    let data: Vec<&[u8]> = data.iter().map(|stream| &**stream).collect();
    let size = job_size(&runtime, values.len());
    detached(py, size, || latents.decode(kind, &runtime, &data, table, values))?;
    Ok(out.into_array())
}

/// The arrays that say how latents are distributed.
struct Fields<'py> {
    shape: [usize; 3],
    indexes: Input<'py, i32>,
    means: Option<Input<'py, f32>>,
}

impl<'py> Fields<'py> {
    fn new(shape: &[usize], indexes: &Bound<'py, PyAny>, means: Option<&Bound<'py, PyAny>>) -> PyResult<Self> {
        let &[items, channels, ref pixels @ ..] = shape else {
            let given = shape_text(shape);
            return Err(PyValueError::new_err(format!("latents have shape {given}, (items, channels, ...) is needed")));
        };
        let pixels = pixels.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        let Some(pixels) = pixels else {
            return Err(PyValueError::new_err(format!("latents of shape {} are too large", shape_text(shape))));
        };
        let indexes = Input::new(indexes, "indexes")?;
        check_field("indexes", indexes.shape(), shape)?;
        let means = Input::optional(means, "means")?;
        if let Some(means) = &means {
            check_field("means", means.shape(), shape)?;
        }
        Ok(Self { shape: [items, channels, pixels], indexes, means })
    }

    fn latents(&self, py: Python<'py>) -> PyResult<Latents<'_>> {
        let means = self.means.as_ref().map(Input::slice).transpose()?;
        let indexes = self.indexes.slice()?;
        caught(py, || Latents::new(self.shape, indexes, means))
    }
}

fn check_field(name: &str, shape: &[usize], latents: &[usize]) -> PyResult<()> {
    if shape == latents || shape == &latents[1..2] {
        return Ok(());
    }
    let (given, whole) = (shape_text(shape), shape_text(latents));
    let channels = shape_text(&latents[1..2]);
    Err(PyValueError::new_err(format!("{name} has shape {given}, latents have {whole}; that or {channels} is needed")))
}
