//! The one way from a core error to a Python exception, and the one way out of the GIL.

use lcrs_core::{Error, ErrorKind, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::fork::keep_out;

/// Jobs below this many elements take a few microseconds: they keep the GIL, because getting it back from a
/// busy interpreter can take milliseconds.
const SMALL_JOB: usize = 4096;

/// The class in `lcrs.errors` for a kind; `None` stands for plain `ValueError`.
fn class_name(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::InvalidArgument => None,
        ErrorKind::Truncated => Some("TruncatedError"),
        ErrorKind::Corrupt => Some("CorruptError"),
        ErrorKind::Desync => Some("DesyncError"),
        ErrorKind::UnsupportedVersion => Some("UnsupportedVersionError"),
        ErrorKind::MissingModel => Some("MissingModelError"),
        ErrorKind::Limit => Some("LimitError"),
        ErrorKind::NotPortable => Some("NotPortableError"),
        _ => Some("LcrsError"),
    }
}

/// The Python exception for `error`. The classes live in Python, where they can be pickled and read.
pub(crate) fn to_py(py: Python<'_>, error: &Error) -> PyErr {
    let message = error.to_string();
    let Some(name) = class_name(error.kind()) else {
        return PyValueError::new_err(message);
    };
    let class = py.import("lcrs.errors").and_then(|module| module.getattr(name));
    match class.and_then(|class| Ok(class.cast_into::<PyType>()?)) {
        Ok(class) => PyErr::from_type(class, message),
        Err(error) => error,
    }
}

/// Runs `job` and maps its error. Everything that may take longer than a few microseconds goes through here:
/// the GIL is released unless the job is small. `size` is the number of elements (symbols, pixels, bytes) it touches;
/// a job that may wait for anything is never small.
///
/// Buffers that the job reads belong to the caller and must not be changed until it returns.
pub(crate) fn detached<T: Send>(py: Python<'_>, size: usize, job: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    let result = if size < SMALL_JOB {
        job()
    } else {
        py.detach(|| {
            let _no_fork = keep_out();
            job()
        })
    };
    result.map_err(|error| to_py(py, &error))
}
