//! Whether arrays have changed.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{to_bytes, Input};
use crate::coder::job_size;
use crate::errors::detached;
use crate::runtime::runtime;

/// 16 bytes that tell contents apart, at the speed of memory; for caches, not for what leaves the process.
///
/// Args:
///     arrays: uint8, any number, of any length: their bytes and lengths count, in order.
#[pyfunction]
pub(crate) fn fingerprint<'py>(py: Python<'py>, arrays: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let arrays = arrays
        .try_iter()?
        .enumerate()
        .map(|(i, array)| Input::<u8>::new(&array?, &format!("arrays[{i}]")))
        .collect::<PyResult<Vec<_>>>()?;
    let parts = arrays.iter().map(Input::slice).collect::<PyResult<Vec<&[u8]>>>()?;
    let runtime = runtime(py, None)?;
    let size = parts.iter().map(|part| part.len()).sum();
    let size = job_size(&runtime, size);
    let hash = detached(py, size, || Ok(lcrs_core::fingerprint(&runtime, &parts)))?;
    to_bytes(py, &hash.to_le_bytes())
}
