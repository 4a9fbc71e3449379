//! No `fork` while a job runs outside the GIL.
//!
//! Tables and packages prepare what they need on first use, behind locks. A child forked in the middle of that
//! would find a lock that nobody is left to open. So jobs hold a gate, and `os.fork()` waits for those under way:
//! Python calls us before it forks and after, in both processes. A job never asks for the GIL while it holds the
//! gate, so the wait, which is under the GIL, ends.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pyo3::prelude::*;
use pyo3::types::PyDict;

static GATE: RwLock<()> = RwLock::new(());

thread_local! {
    /// The closed gate of a fork under way, by the thread that forks.
    static CLOSED: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Keeps forks out while it lives. To be taken after the GIL is given back, and dropped before it is taken again.
pub(crate) fn keep_out() -> RwLockReadGuard<'static, ()> {
    GATE.read().unwrap_or_else(PoisonError::into_inner)
}

#[pyfunction]
fn before_fork() {
    let gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    CLOSED.with(|closed| closed.replace(Some(gate)));
}

#[pyfunction]
fn after_fork() {
    CLOSED.with(|closed| closed.replace(None));
}

/// Asks Python to call us around forks, where there are any.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let Some(register_at_fork) = module.py().import("os")?.getattr_opt("register_at_fork")? else {
        return Ok(());
    };
    let after = wrap_pyfunction!(after_fork, module)?;
    let hooks = PyDict::new(module.py());
    hooks.set_item("before", wrap_pyfunction!(before_fork, module)?)?;
    hooks.set_item("after_in_parent", &after)?;
    hooks.set_item("after_in_child", &after)?;
    register_at_fork.call((), Some(&hooks)).map(drop)
}
