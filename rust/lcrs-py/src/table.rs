//! Tables of cumulative frequencies, and what is needed to build them and to choose their rows.

use std::iter::repeat_n;
use std::sync::Arc;

use lcrs_core::{cdf, Error};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

use crate::arrays::{to_array, Input};
use crate::errors::{caught, detached};

/// An immutable, validated table of cumulative distributions, one a row.
///
/// Row `r` is `cdfs[r, :lengths[r]]`: increasing from 0 to `2**precision`. Its entries stand for the
/// values `offsets[r], offsets[r] + 1, ...`, and the last one for an escape, after which any other int32
/// is spelled out. The arrays are checked and copied.
///
/// Args:
///     cdfs: int32, (rows, width); what lies beyond a row's length is ignored.
///     lengths: int32, (rows,): the entries used of each row, from 2 to `width`.
///     offsets: int32, (rows,): the value of each row's first entry.
///     precision: bits of the frequencies' sum, 1 to 16.
///     heavy_tails: much lies beyond the rows: "lcrs" streams then pack escapes if that is shorter.
///
/// Raises:
///     ValueError: a row is not as above, with the row and the entry.
#[pyclass(frozen, module = "lcrs.coding", name = "CdfTable")]
pub(crate) struct CdfTable {
    inner: Arc<cdf::CdfTable>,
}

impl CdfTable {
    pub(crate) fn new(inner: cdf::CdfTable) -> Self {
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn core(&self) -> &cdf::CdfTable {
        &self.inner
    }

    pub(crate) fn shared(&self) -> Arc<cdf::CdfTable> {
        Arc::clone(&self.inner)
    }
}

#[pymethods]
impl CdfTable {
    #[new]
    #[pyo3(signature = (cdfs, lengths, offsets, precision=16, heavy_tails=false))]
    fn py_new(
        cdfs: &Bound<'_, PyAny>,
        lengths: &Bound<'_, PyAny>,
        offsets: &Bound<'_, PyAny>,
        precision: u32,
        heavy_tails: bool,
    ) -> PyResult<Self> {
        let py = cdfs.py();
        let cdfs = Input::<i32>::new(cdfs, "cdfs")?;
        let lengths = Input::<i32>::new(lengths, "lengths")?;
        let offsets = Input::<i32>::new(offsets, "offsets")?;
        cdfs.check_ndim("cdfs", 2, "(rows, width)")?;
        let rows = &cdfs.shape()[..1];
        lengths.check_shape("lengths", rows, "cdfs' rows")?;
        offsets.check_shape("offsets", rows, "cdfs' rows")?;
        let (width, cdfs, lengths, offsets) = (cdfs.shape()[1], cdfs.slice()?, lengths.slice()?, offsets.slice()?);
        let made = detached(py, cdfs.len(), || cdf::CdfTable::new(cdfs, width, lengths, offsets, precision))?;
        Ok(Self::new(if heavy_tails { made.with_heavy_tails() } else { made }))
    }

    /// Number of rows, which is the number of legal indexes.
    #[getter]
    fn num_rows(&self) -> usize {
        self.inner.num_rows()
    }

    /// Bits of the frequencies' sum.
    #[getter]
    fn precision(&self) -> u32 {
        self.inner.precision()
    }

    /// Whether "lcrs" streams pack escapes if that is shorter.
    #[getter]
    fn heavy_tails(&self) -> bool {
        self.inner.has_heavy_tails()
    }

    /// A copy of the rows, int32 (rows, width), zero beyond each row's length.
    #[getter]
    fn cdfs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i32>>> {
        let rows = || (0..self.inner.num_rows()).map(|row| self.inner.row(row).cdf);
        let width = rows().map(<[u32]>::len).max().unwrap_or(0);
        let padded = rows().flat_map(|cdf| cdf.iter().map(|&c| c as i32).chain(repeat_n(0, width - cdf.len())));
        let padded = caught(py, || collected(self.inner.num_rows() * width, padded))?;
        to_array(py, padded)?.reshape([self.inner.num_rows(), width])
    }

    /// A copy of the rows' lengths, int32 (rows,).
    #[getter]
    fn lengths<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i32>>> {
        to_array(py, (0..self.inner.num_rows()).map(|row| self.inner.row(row).cdf.len() as i32).collect())
    }

    /// A copy of the rows' offsets, int32 (rows,).
    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i32>>> {
        to_array(py, (0..self.inner.num_rows()).map(|row| self.inner.row(row).offset).collect())
    }

    /// Number of rows.
    fn __len__(&self) -> usize {
        self.inner.num_rows()
    }

    fn __repr__(&self) -> String {
        format!("CdfTable(num_rows={}, precision={})", self.inner.num_rows(), self.inner.precision())
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<CdfTableArgs<'py>> {
        Ok((self.cdfs(py)?, self.lengths(py)?, self.offsets(py)?, self.precision(), self.heavy_tails()))
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }
}

type CdfTableArgs<'py> = (Bound<'py, PyArray2<i32>>, Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<i32>>, u32, bool);

/// Quantises a probability mass function so that every symbol has a frequency of at least 1.
///
/// Integer for integer CompressAI's function of that name.
///
/// Args:
///     pmf: float32, (symbols,): not negative, finite; it need not sum to 1.
///     precision: bits of the total, 1 to 16.
///
/// Returns:
///     uint32, (symbols + 1,): from 0 to `2**precision`.
///
/// Raises:
///     ValueError: a mass is negative or not finite, all are zero, or there are more than
///         `2**precision`.
#[pyfunction]
#[pyo3(signature = (pmf, precision=16))]
pub(crate) fn pmf_to_quantized_cdf<'py>(
    pmf: &Bound<'py, PyAny>,
    precision: u32,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let py = pmf.py();
    let pmf = Input::<f32>::new(pmf, "pmf")?;
    pmf.check_ndim("pmf", 1, "(symbols,)")?;
    let pmf = pmf.slice()?;
    let cdf = detached(py, pmf.len(), || cdf::pmf_to_quantized_cdf(pmf, precision))?;
    to_array(py, cdf)
}

/// The `count` items of `items`.
fn collected<T>(count: usize, items: impl Iterator<Item = T>) -> lcrs_core::Result<Vec<T>> {
    let mut out = Vec::new();
    out.try_reserve_exact(count).map_err(|_| Error::limit(format!("no memory for {count} entries of a table")))?;
    out.extend(items);
    Ok(out)
}
