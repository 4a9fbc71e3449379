//! The process-wide runtime: which instruction set jobs run on, and the threads they are spread over.
//!
//! The pool is ours alone (not rayon's global one) and is made on first use. It does not survive a `fork`: the child
//! has a copy of the pool's memory but none of its threads, so it forgets that copy and makes its own when needed.
//! The lock is only ever taken by a thread that holds the GIL and is given back before the GIL is, hence nobody can
//! hold it at the moment of an `os.fork()`.

use std::sync::{Arc, Mutex, PoisonError};

use lcrs_core::{Error, Result, Runtime, Simd};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_py;
use crate::interrupts::interrupt;

/// More threads than this in one call are a mistake.
const MAX_THREADS: usize = 1024;

struct State {
    /// The process that made the pools below.
    pid: u32,
    /// What calls without `threads=` run on.
    default: Arc<Runtime>,
    /// The last runtime made for a call with `threads=`, and how many it asked for: there may be fewer.
    other: Option<(usize, Arc<Runtime>)>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

/// The runtime for one call, which Ctrl-C may end: on the process's own threads, or on `threads` ones.
pub(crate) fn runtime(py: Python<'_>, threads: Option<i64>) -> PyResult<Runtime> {
    Ok(shared(py, threads)?.interruptible(interrupt()))
}

fn shared(py: Python<'_>, threads: Option<i64>) -> PyResult<Arc<Runtime>> {
    let threads = threads.map(check_threads).transpose()?;
    if let Some(found) = with_state(|state| state.as_ref().and_then(|state| state.find(threads))) {
        return Ok(found);
    }
    // Python code runs here (it may let other threads in), so not under the lock.
    let default_threads = default_threads(py)?;
    let simd = simd().map_err(|error| to_py(py, &error))?;
    with_state(|state| {
        let state = match state {
            Some(state) => state,
            None => state.insert(State::new(simd, default_threads)?),
        };
        state.get(threads)
    })
    .map_err(|error| to_py(py, &error))
}

/// The instruction set that jobs run on: `LCRS_SIMD`, or the fastest here.
pub(crate) fn simd() -> Result<Simd> {
    match std::env::var("LCRS_SIMD") {
        Ok(name) if !name.is_empty() => Simd::from_name(&name).map_err(|error| error.at("LCRS_SIMD")),
        _ => Ok(Simd::detect()),
    }
}

/// Calls `f` with the state of this process; a state inherited through `fork` is forgotten first.
fn with_state<T>(f: impl FnOnce(&mut Option<State>) -> T) -> T {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if state.as_ref().is_some_and(|state| state.pid != std::process::id()) {
        // Dropping it would wait for threads that do not exist here.
        std::mem::forget(state.take());
    }
    f(&mut state)
}

impl State {
    fn new(simd: Simd, threads: usize) -> Result<Self> {
        Ok(Self { pid: std::process::id(), default: Arc::new(Runtime::new(simd, threads)?), other: None })
    }

    fn find(&self, threads: Option<usize>) -> Option<Arc<Runtime>> {
        match threads {
            None => Some(Arc::clone(&self.default)),
            Some(count) => match &self.other {
                Some((asked, runtime)) if *asked == count => Some(Arc::clone(runtime)),
                _ => (self.default.pool.threads() == count).then(|| Arc::clone(&self.default)),
            },
        }
    }

    fn get(&mut self, threads: Option<usize>) -> Result<Arc<Runtime>> {
        if let Some(found) = self.find(threads) {
            return Ok(found);
        }
        let threads = threads.unwrap_or(1);
        let made = Arc::new(Runtime::new(self.default.simd, threads)?);
        self.other = Some((threads, Arc::clone(&made)));
        Ok(made)
    }
}

fn check_threads(threads: i64) -> PyResult<usize> {
    match usize::try_from(threads) {
        Ok(count) if (1..=MAX_THREADS).contains(&count) => Ok(count),
        _ => Err(PyValueError::new_err(format!("threads={threads} is outside 1..={MAX_THREADS}"))),
    }
}

/// `LCRS_NUM_THREADS`, else one inside a DataLoader worker (the workers are the parallelism), else one a processor.
fn default_threads(py: Python<'_>) -> PyResult<usize> {
    match std::env::var("LCRS_NUM_THREADS") {
        Ok(text) if !text.is_empty() => match text.parse::<usize>() {
            Ok(count) if (1..=MAX_THREADS).contains(&count) => Ok(count),
            _ => Err(to_py(
                py,
                &Error::invalid(format!("LCRS_NUM_THREADS is '{text}', a number in 1..={MAX_THREADS} is needed")),
            )),
        },
        _ if in_data_loader_worker(py)? => Ok(1),
        _ => Ok(std::thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS))),
    }
}

/// Whether torch, if anybody has imported it, says that this is a DataLoader worker.
fn in_data_loader_worker(py: Python<'_>) -> PyResult<bool> {
    let modules = py.import("sys")?.getattr("modules")?;
    let data = modules.cast::<PyDict>()?.get_item("torch.utils.data")?;
    match data.and_then(|data| data.getattr("get_worker_info").ok()) {
        Some(get_worker_info) => Ok(!get_worker_info.call0()?.is_none()),
        None => Ok(false),
    }
}

/// The instruction sets of this processor that there are kernels for, slowest first.
#[pyfunction]
pub(crate) fn simd_paths() -> Vec<&'static str> {
    Simd::available().into_iter().map(Simd::name).collect()
}

/// The instruction set that this process runs on: `LCRS_SIMD`, or the fastest.
///
/// Raises:
///     ValueError: `LCRS_SIMD` names one that is unknown or not to be had here.
#[pyfunction]
pub(crate) fn simd_path(py: Python<'_>) -> PyResult<&'static str> {
    Ok(runtime(py, None)?.simd.name())
}

/// The instruction set that kernels are packed for.
pub(crate) fn simd_of(py: Python<'_>) -> PyResult<Simd> {
    Ok(runtime(py, None)?.simd)
}

/// The number of threads of calls without `threads=`.
///
/// It is `LCRS_NUM_THREADS`, else one inside a DataLoader worker, else one a processor; read on first use
/// in each process.
///
/// Raises:
///     ValueError: `LCRS_NUM_THREADS` is not a number in 1..=1024.
#[pyfunction]
pub(crate) fn num_threads(py: Python<'_>) -> PyResult<usize> {
    Ok(runtime(py, None)?.pool.threads())
}
