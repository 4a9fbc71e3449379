//! Why the program ends early, and in which words.

use std::io::ErrorKind;

/// Why the program ends with another code than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// What was asked for could not be done: exit code 1.
    Failed(String),
    /// Nobody reads what we write: as it should be in a pipe to `head`.
    BrokenPipe,
}

impl From<lcrs_core::Error> for Failure {
    fn from(error: lcrs_core::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Failure {
    /// What the system said of a file.
    pub(crate) fn of(name: impl std::fmt::Display, error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Failed(format!("{name}: {}", reason(error))),
        }
    }
}

/// The system's words, without the number of the error.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let words = error.to_string();
    match words.find(" (os error") {
        Some(at) => words[..at].to_owned(),
        None => words,
    }
}
