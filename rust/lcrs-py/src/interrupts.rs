//! Ctrl-C while a job runs outside the GIL.
//!
//! Python notes a signal and handles it when its main thread runs Python again. So a job that the main thread has called asks, some
//! times a second and on that thread, for handlers to be run; what one of them raises ends the job and is raised in its
//! stead. Other threads' jobs ask once, to learn that they need not.

use std::cell::RefCell;

use lcrs_core::{Answer, Interrupt};
use pyo3::prelude::*;

thread_local! {
    /// What a handler has raised while a job of this thread was under way.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// What asks Python, for a job that the calling thread runs.
pub(crate) fn interrupt() -> Interrupt {
    let pid = std::process::id();
    Interrupt::new(move || {
        let answer = Python::attach(ask);
        if std::process::id() != pid {
            // A handler has forked, and this is the child, in the middle of a job whose other threads it does not have.
            std::process::exit(1);
        }
        answer
    })
}

fn ask(py: Python<'_>) -> Answer {
    match is_main_thread(py).and_then(|is_main| py.check_signals().map(|()| is_main)) {
        Ok(true) => Answer::GoOn,
        Ok(false) => Answer::DoNotAsk,
        Err(error) => {
            RAISED.with(|raised| raised.replace(Some(error)));
            Answer::Stop
        }
    }
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?;
    main.getattr("ident")?.eq(threading.call_method0("get_ident")?)
}

/// What has ended the last job of this thread, if it was interrupted.
pub(crate) fn raised() -> Option<PyErr> {
    RAISED.with(RefCell::take)
}
