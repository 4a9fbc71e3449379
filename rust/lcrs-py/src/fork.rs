//! No `fork` while a job runs outside the GIL.
//!
//! Tables and packages prepare what they need on first use, behind locks. A child forked in the middle of that
//! would find a lock that nobody is left to open. So jobs pass a gate: `os.fork()` closes it and waits for those under way.
//! Python calls us before it forks and after, in both processes. The wait is outside the GIL, so other threads of Python go on;
//! jobs that they begin wait, outside the GIL too, for the fork. A job never asks for the GIL while it is inside, so the wait ends.

use std::cell::{Cell, RefCell};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Who is inside the gate, and whether a fork keeps others out.
struct Gate {
    jobs: usize,
    is_closed: bool,
}

static GATE: Mutex<Gate> = Mutex::new(Gate { jobs: 0, is_closed: false });
static CHANGED: Condvar = Condvar::new();

thread_local! {
    /// The gate while a fork is under way, held by the thread that forks: so the child's copy is held by the thread that the child has.
    static FORKING: RefCell<Option<MutexGuard<'static, Gate>>> = const { RefCell::new(None) };
    /// Jobs of this thread inside the gate: more than one where a signal's handler, run in the middle of a job, calls another.
    static MINE: Cell<usize> = const { Cell::new(0) };
}

fn gate() -> MutexGuard<'static, Gate> {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_while(gate: MutexGuard<'static, Gate>, condition: impl Fn(&Gate) -> bool) -> MutexGuard<'static, Gate> {
    CHANGED.wait_while(gate, |gate| condition(gate)).unwrap_or_else(PoisonError::into_inner)
}

/// A job inside the gate: forks wait until it is dropped.
pub(crate) struct Inside;

/// Keeps forks out while the result lives. To be called after the GIL is given back; to be dropped before it is taken again.
pub(crate) fn keep_out() -> Inside {
    // Who is inside already need not wait for a fork that waits for him.
    let mine = MINE.get();
    wait_while(gate(), |gate| gate.is_closed && mine == 0).jobs += 1;
    MINE.set(mine + 1);
    Inside
}

impl Drop for Inside {
    fn drop(&mut self) {
        gate().jobs -= 1;
        MINE.set(MINE.get() - 1);
        CHANGED.notify_all();
    }
}

#[pyfunction]
fn before_fork(py: Python<'_>) {
    py.detach(|| {
        // One fork at a time: another thread's opens the gate again.
        wait_while(gate(), |gate| gate.is_closed).is_closed = true;
        // A handler that forks in the middle of a job does not wait for that one.
        let mine = MINE.get();
        drop(wait_while(gate(), |gate| gate.jobs > mine));
    });
    // Others hold the lock for a moment only, and need nothing that we have.
    FORKING.with(|forking| forking.replace(Some(gate())));
}

#[pyfunction]
fn after_fork() {
    if let Some(mut gate) = FORKING.with(RefCell::take) {
        gate.is_closed = false;
    }
    CHANGED.notify_all();
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
