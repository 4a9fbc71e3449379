//! The one way from a core error to a Python exception, and the one way out of the GIL.
//!
//! A panic would become pyo3's `PanicException`, which `except Exception` misses. Whatever computes goes through [`detached`]
//! or [`caught`], where a panic becomes an `LcrsError`: it is a mistake of ours, but no reason to end somebody's program.

use std::panic::{catch_unwind, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

use lcrs_core::{Error, ErrorKind, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::fork::keep_out;
use crate::interrupts::raised;

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
    if error.kind() == ErrorKind::Interrupted {
        if let Some(raised) = raised() {
            return raised;
        }
    }
    let message = error.to_string();
    match class_name(error.kind()) {
        Some(name) => exception(py, name, message),
        None => PyValueError::new_err(message),
    }
}

/// An exception of the class `name` in `lcrs.errors`.
fn exception(py: Python<'_>, name: &str, message: String) -> PyErr {
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
    if size < SMALL_JOB {
        return caught(py, job);
    }
    let result = py.detach(|| {
        let _no_fork = keep_out();
        catch(job)
    });
    finish(py, result)
}

/// Runs `job`, which takes a few microseconds, with the GIL held, and maps its error.
pub(crate) fn caught<T>(py: Python<'_>, job: impl FnOnce() -> Result<T>) -> PyResult<T> {
    finish(py, catch(job))
}

/// What `job` gives, or what is to be said of its panic.
fn catch<T>(job: impl FnOnce() -> Result<T>) -> std::result::Result<Result<T>, String> {
    // What a job leaves behind half done is its own; shared locks are taken over from threads that died with them.
    catch_unwind(AssertUnwindSafe(job)).map_err(|_| {
        let panic = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
        let panic = panic.unwrap_or_else(|| "a job panicked".to_owned());
        format!("internal error, please report it with what led to it: {panic}")
    })
}

fn finish<T>(py: Python<'_>, result: std::result::Result<Result<T>, String>) -> PyResult<T> {
    match result {
        Ok(result) => result.map_err(|error| to_py(py, &error)),
        Err(panic) => Err(exception(py, "LcrsError", panic)),
    }
}

/// The last panic of any thread, in words: a panic that reaches another thread has lost its place.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Has panics kept for the exception's message, instead of being printed.
pub(crate) fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(in_words(info));
    }));
}

/// One line: what happened, in which file and line.
fn in_words(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref().map(String::as_str));
    let text = text.unwrap_or("a panic").replace(char::is_control, " ");
    // Of a library's file the folder is that of the machine which built this.
    let place = info.location().map(|place| {
        let parts: Vec<&str> = place.file().rsplitn(4, ['/', '\\']).take(3).collect();
        let file = parts.into_iter().rev().collect::<Vec<_>>().join("/");
        format!(" ({file}:{})", place.line())
    });
    text + &place.unwrap_or_default()
}
