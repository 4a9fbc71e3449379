//! Encoding and decoding of symbols: whole tensors, batches and, for context models, step by step.

use lcrs_core::rans::{self, StreamKind};
use lcrs_core::Runtime;
use numpy::{PyArray1, PyArrayDyn};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::arrays::{self, Input, Output};
use crate::errors::{caught, detached, to_py};
use crate::runtime::{runtime, simd_of};
use crate::table::CdfTable;

/// Codes `symbols[i]` with row `indexes[i]` of `table`.
///
/// Args:
///     symbols: int32, any shape, any values; what is outside its row costs an escape.
///     indexes: int32, the shape of `symbols`: rows of the table.
///     table: the distributions.
///     kind: `"lcrs"` for the native stream, `"ans"` for CompressAI's.
///     threads: how many to use; by default `num_threads`. The bytes do not depend on it.
///
/// Raises:
///     ValueError: shapes differ or an index is not a row of the table.
#[pyfunction]
#[pyo3(signature = (symbols, indexes, table, kind="lcrs", threads=None))]
pub(crate) fn encode<'py>(
    symbols: &Bound<'py, PyAny>,
    indexes: &Bound<'py, PyAny>,
    table: &CdfTable,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = symbols.py();
    let kind = stream_kind(py, kind)?;
    let (symbols, indexes) = symbols_and_indexes(symbols, indexes)?;
    let runtime = runtime(py, threads)?;
    let (symbols, indexes, table) = (symbols.slice()?, indexes.slice()?, table.core());
    let stream = detached(py, symbols.len(), || rans::encode_stream(kind, &runtime, symbols, indexes, table))?;
    arrays::to_bytes(py, &stream)
}

/// Decodes one symbol per entry of `indexes`.
///
/// Returns:
///     int32, the shape of `indexes`.
///
/// Raises:
///     ValueError: an index is not a row of the table.
///     LcrsError: `data` is not a stream of exactly these symbols (`TruncatedError`, `CorruptError`,
///         `DesyncError`).
#[pyfunction]
#[pyo3(signature = (data, indexes, table, kind="lcrs", threads=None))]
pub(crate) fn decode<'py>(
    data: &Bound<'py, PyAny>,
    indexes: &Bound<'py, PyAny>,
    table: &CdfTable,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    let indexes = Input::<i32>::new(indexes, "indexes")?;
    let out = Output::empty(data.py(), indexes.shape())?;
    decode_to(data, &indexes, table, out, kind, threads).map(Output::into_array)
}

/// `decode` into the caller's writeable int32 array `out`; after an error its content is unspecified.
#[pyfunction]
#[pyo3(signature = (data, indexes, table, out, kind="lcrs", threads=None))]
pub(crate) fn decode_into(
    data: &Bound<'_, PyAny>,
    indexes: &Bound<'_, PyAny>,
    table: &CdfTable,
    out: &Bound<'_, PyAny>,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<()> {
    let indexes = Input::<i32>::new(indexes, "indexes")?;
    let out = Output::new(out, "out")?;
    indexes.check_shape("indexes", out.shape(), "out")?;
    decode_to(data, &indexes, table, out, kind, threads).map(drop)
}

fn decode_to<'py>(
    data: &Bound<'py, PyAny>,
    indexes: &Input<'py, i32>,
    table: &CdfTable,
    mut out: Output<'py, i32>,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<Output<'py, i32>> {
    let py = data.py();
    let kind = stream_kind(py, kind)?;
    let data = arrays::bytes(data, "data")?;
    let runtime = runtime(py, threads)?;
    let (data, indexes, table, symbols) = (&*data, indexes.slice()?, table.core(), out.slice()?);
    detached(py, indexes.len(), || rans::decode(kind, &runtime, data, indexes, table, symbols))?;
    Ok(out)
}

/// `encode` for each item along the first dimension, in parallel: one stream an item.
#[pyfunction]
#[pyo3(signature = (symbols, indexes, table, kind="lcrs", threads=None))]
pub(crate) fn encode_batch<'py>(
    symbols: &Bound<'py, PyAny>,
    indexes: &Bound<'py, PyAny>,
    table: &CdfTable,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyList>> {
    let py = symbols.py();
    let kind = stream_kind(py, kind)?;
    let (symbols, indexes) = symbols_and_indexes(symbols, indexes)?;
    let items = batch_size(symbols.shape())?;
    let runtime = runtime(py, threads)?;
    let (symbols, indexes, table) = (symbols.slice()?, indexes.slice()?, table.core());
    let streams = detached(py, job_size(&runtime, symbols.len()), || {
        rans::encode_batch(kind, &runtime, items, symbols, indexes, table)
    })?;
    let streams = streams.iter().map(|stream| arrays::to_bytes(py, stream)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, streams)
}

/// `decode` for each stream of `data` and item along the first dimension of `indexes`, in parallel.
#[pyfunction]
#[pyo3(signature = (data, indexes, table, kind="lcrs", threads=None))]
pub(crate) fn decode_batch<'py>(
    data: &Bound<'py, PyAny>,
    indexes: &Bound<'py, PyAny>,
    table: &CdfTable,
    kind: &str,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    let py = data.py();
    let kind = stream_kind(py, kind)?;
    let indexes = Input::<i32>::new(indexes, "indexes")?;
    let items = batch_size(indexes.shape())?;
    let streams = streams(data)?;
    if streams.len() != items {
        let given = streams.len();
        return Err(PyValueError::new_err(format!("data holds {given} streams, but indexes has {items} items")));
    }
    let runtime = runtime(py, threads)?;
    let mut out = Output::empty(py, indexes.shape())?;
    let (indexes, table, symbols) = (indexes.slice()?, table.core(), out.slice()?);
    let streams: Vec<&[u8]> = streams.iter().map(|stream| &**stream).collect();
    detached(py, job_size(&runtime, indexes.len()), || {
        rans::decode_batch(kind, &runtime, &streams, indexes, table, symbols)
    })?;
    Ok(out.into_array())
}

/// The most bytes that `encode` can make of this many symbols, whatever they are.
#[pyfunction]
#[pyo3(signature = (num_symbols, kind="lcrs"))]
pub(crate) fn encoded_bound(py: Python<'_>, num_symbols: i64, kind: &str) -> PyResult<usize> {
    let kind = stream_kind(py, kind)?;
    let num_symbols = usize::try_from(num_symbols)
        .map_err(|_| PyValueError::new_err(format!("num_symbols is {num_symbols}, at least 0 is needed")))?;
    Ok(rans::encoded_bound(kind, num_symbols))
}

/// Codes symbols that become known step by step; the stream is that of one `encode` of all of them.
///
/// Args:
///     kind: as in `encode`.
///     keep_symbols: has `symbols` give what was pushed.
#[pyclass(module = "lcrs.coding")]
pub(crate) struct Encoder {
    /// `None` once finished; taken out by scans while they run.
    pub(crate) inner: Option<rans::Encoder>,
}

#[pymethods]
impl Encoder {
    #[new]
    #[pyo3(signature = (kind="lcrs", keep_symbols=false))]
    fn new(py: Python<'_>, kind: &str, keep_symbols: bool) -> PyResult<Self> {
        let kind = stream_kind(py, kind)?;
        let simd = simd_of(py)?;
        let encoder = rans::Encoder::new(kind, simd);
        Ok(Self { inner: Some(if keep_symbols { encoder.keeping_symbols() } else { encoder }) })
    }

    /// The symbols pushed so far, int32, in the order of the stream; none if they are not kept.
    ///
    /// Raises:
    ///     ValueError: it has been finished before.
    #[getter]
    fn symbols<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i32>>> {
        arrays::to_array(py, self.inner.as_ref().ok_or_else(finished)?.symbols().to_vec())
    }

    /// Appends symbols; arguments and errors as in `encode`. Tables may change from push to push.
    fn push(&mut self, symbols: &Bound<'_, PyAny>, indexes: &Bound<'_, PyAny>, table: &CdfTable) -> PyResult<()> {
        let py = symbols.py();
        let (symbols, indexes) = symbols_and_indexes(symbols, indexes)?;
        let encoder = self.inner.as_mut().ok_or_else(finished)?;
        let (symbols, indexes, table) = (symbols.slice()?, indexes.slice()?, table.core());
        detached(py, symbols.len(), || encoder.push(symbols, indexes, table))
    }

    /// The stream of everything pushed. The encoder is used up.
    ///
    /// Raises:
    ///     ValueError: it has been finished before.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let encoder = self.inner.take().ok_or_else(finished)?;
        let bytes = detached(py, usize::MAX, || encoder.finish())?;
        arrays::to_bytes(py, &bytes)
    }
}

self_cell::self_cell!(
    /// A decoder together with the bytes that it reads.
    pub(crate) struct OwningDecoder {
        owner: PyBackedBytes,
        #[not_covariant]
        dependent: CoreDecoder,
    }
);
/// `None` while it is being finished.
pub(crate) type CoreDecoder<'a> = Option<rans::Decoder<'a>>;

/// Decodes symbols whose indexes become known step by step, as in context models.
///
/// Args:
///     data: the whole stream.
///     kind: as in `encode`.
///     keep_symbols: has `symbols` give what was pulled.
///
/// Raises:
///     LcrsError: `data` does not begin like a stream.
#[pyclass(module = "lcrs.coding")]
pub(crate) struct Decoder {
    /// `None` once finished; taken out by scans while they run.
    pub(crate) inner: Option<OwningDecoder>,
}

#[pymethods]
impl Decoder {
    #[new]
    #[pyo3(signature = (data, kind="lcrs", keep_symbols=false))]
    fn new(data: &Bound<'_, PyAny>, kind: &str, keep_symbols: bool) -> PyResult<Self> {
        let py = data.py();
        let kind = stream_kind(py, kind)?;
        let simd = simd_of(py)?;
        let data = arrays::bytes(data, "data")?;
        let inner = caught(py, || {
            OwningDecoder::try_new(data, |data| {
                let decoder = rans::Decoder::new(kind, simd, data)?;
                Ok(Some(if keep_symbols { decoder.keeping_symbols() } else { decoder }))
            })
        })?;
        Ok(Self { inner: Some(inner) })
    }

    /// The symbols pulled so far, int32, in the order of the stream; none if they are not kept.
    ///
    /// Raises:
    ///     ValueError: it has been finished before.
    #[getter]
    fn symbols<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i32>>> {
        let symbols = self.with_core(py, |decoder| Ok(decoder.symbols().to_vec()))?;
        arrays::to_array(py, symbols)
    }

    /// The next symbols, one per entry of `indexes` and in its shape; errors as in `decode`.
    fn pull<'py>(&mut self, indexes: &Bound<'py, PyAny>, table: &CdfTable) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
        let py = indexes.py();
        let indexes = Input::<i32>::new(indexes, "indexes")?;
        let mut out = Output::empty(py, indexes.shape())?;
        let (indexes, table, symbols) = (indexes.slice()?, table.core(), out.slice()?);
        self.with_core(py, |decoder| detached(py, indexes.len(), || decoder.pull(indexes, table, symbols)))?;
        Ok(out.into_array())
    }

    /// Checks that the stream ends here. The decoder is used up.
    ///
    /// Raises:
    ///     LcrsError: symbols remain, or if what was decoded is not what was encoded.
    fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        let mut decoder = self.inner.take().ok_or_else(finished)?;
        caught(py, || decoder.with_dependent_mut(|_, decoder| decoder.take().map_or(Ok(()), rans::Decoder::finish)))
    }
}

impl Decoder {
    /// Calls `job` with the decoder itself; refused once finished.
    fn with_core<T>(&mut self, py: Python<'_>, job: impl FnOnce(&mut rans::Decoder<'_>) -> PyResult<T>) -> PyResult<T> {
        let decoder = self.inner.as_mut().ok_or_else(finished)?;
        let result = decoder.with_dependent_mut(|_, decoder| decoder.as_mut().map_or_else(|| Err(finished()), job));
        // A wrong argument is refused before anything is decoded; after any other error the place is lost.
        if result.as_ref().is_err_and(|error| !error.get_type(py).is(py.get_type::<PyValueError>())) {
            self.inner = None;
        }
        result
    }
}

pub(crate) fn finished() -> PyErr {
    PyValueError::new_err("this coder is used up: finish() has been called, or the stream was found wrong")
}

pub(crate) fn stream_kind(py: Python<'_>, name: &str) -> PyResult<StreamKind> {
    StreamKind::from_name(name).map_err(|error| to_py(py, &error))
}

fn symbols_and_indexes<'py>(
    symbols: &Bound<'py, PyAny>,
    indexes: &Bound<'py, PyAny>,
) -> PyResult<(Input<'py, i32>, Input<'py, i32>)> {
    let symbols = Input::<i32>::new(symbols, "symbols")?;
    let indexes = Input::<i32>::new(indexes, "indexes")?;
    symbols.check_shape("symbols", indexes.shape(), "indexes")?;
    Ok((symbols, indexes))
}

/// The bytes of each stream of an iterable.
pub(crate) fn streams(data: &Bound<'_, PyAny>) -> PyResult<Vec<PyBackedBytes>> {
    let items = data.try_iter()?.enumerate();
    items.map(|(i, stream)| arrays::bytes(&stream?, &format!("data[{i}]"))).collect()
}

/// The size of a job that uses the pool: it may have to wait for other jobs there, so it is never a small one.
pub(crate) fn job_size(runtime: &Runtime, size: usize) -> usize {
    if runtime.pool.threads() > 1 {
        usize::MAX
    } else {
        size
    }
}

/// Number of items along the first dimension.
fn batch_size(shape: &[usize]) -> PyResult<usize> {
    shape
        .first()
        .copied()
        .ok_or_else(|| PyValueError::new_err("indexes has shape (), a first dimension of items is needed"))
}
