//! `lcrs-codec`: files to pictures and back without Python.

mod arguments;
mod commands;
mod models;
mod output;
mod pictures;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::{parse, Command, USAGE};

/// Why the program ends with another code than 0.
#[derive(Debug)]
enum Failure {
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// What was asked for could not be done: exit code 1.
    Failed(String),
}

impl From<lcrs_core::Error> for Failure {
    fn from(error: lcrs_core::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

fn main() -> ExitCode {
    let (message, code) = match run() {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(message)) => (message, 1),
        Err(Failure::Usage(message)) => (format!("{message} (lcrs-codec --help says more)"), 2),
    };
    // There is nobody left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "lcrs-codec: {}", message.replace('\n', " "));
    ExitCode::from(code)
}

fn run() -> Result<(), Failure> {
    match parse(lexopt::Parser::from_env())? {
        Command::Help => print(USAGE),
        Command::Version => print(&format!("lcrs-codec {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Info(arguments) => commands::info(&arguments),
        Command::Decode(arguments) => commands::decode(&arguments),
        Command::Encode(arguments) => commands::encode(&arguments),
        Command::Verify(arguments) => commands::verify(&arguments),
    }
}

/// Writes a result to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let done = std::io::stdout().lock().write_all(text.as_bytes());
    done.map_err(|e| Failure::Failed(format!("cannot write to standard output: {e}")))
}
