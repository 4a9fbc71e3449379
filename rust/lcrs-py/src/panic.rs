//! A panic at will, for tests.

use pyo3::prelude::*;

use crate::errors::{caught, detached};
use crate::runtime::runtime;

/// Panics in a job, on this thread or on one of the pool; tests see that it becomes an `LcrsError`.
#[pyfunction]
#[pyo3(name = "_panic", signature = (message, threads=None))]
pub(crate) fn panic_in_job(py: Python<'_>, message: &str, threads: Option<i64>) -> PyResult<()> {
    let Some(threads) = threads else {
        return caught(py, || panic!("{message}"));
    };
    let runtime = runtime(py, Some(threads))?;
    detached(py, usize::MAX, || {
        runtime.pool.for_each(2 * runtime.pool.threads(), |i| assert!(i == 0, "{message}"));
        Ok(())
    })
}
