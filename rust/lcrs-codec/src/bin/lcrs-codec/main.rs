//! `lcrs-codec`: pictures and point clouds to files and back without Python.

mod arguments;
mod closed;
mod clouds;
mod commands;
mod failure;
mod input;
mod models;
mod output;
mod pictures;
mod places;
mod stopping;

use std::ffi::OsString;
use std::io::Write as _;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use arguments::{parse, Command, USAGE};
use failure::Failure;

static PANIC: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    stopping::end_where_memory_ends();
    std::panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.to_string());
    }));
    let result = catch_unwind(run).unwrap_or_else(|_| {
        let panic = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        Err(Failure::Failed(format!("internal error, please report it with what led to it: {panic}")))
    });
    let (message, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::BrokenPipe) => return stopping::end_by_broken_pipe(),
        Err(Failure::Failed(message)) => (in_options(&message), 1),
        Err(Failure::Usage(message)) => (format!("{message}{} (lcrs-codec --help says more)", hint()), 2),
    };
    say(&message);
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
        Command::Models => models::list(),
    }
}

/// What helps who names a file that looks like an option.
fn hint() -> String {
    let mut given = std::env::args_os().skip(1).take_while(|text| text != "--");
    let is_name =
        |text: &OsString| text.len() > 1 && text.as_encoded_bytes().starts_with(b"-") && Path::new(text).is_file();
    let name = given.find(is_name).map(|text| text.to_string_lossy().into_owned());
    name.map_or_else(String::new, |name| format!("; the file of that name is ./{name}"))
}

/// A message in the words of the command line: limits by their options.
fn in_options(message: &str) -> String {
    message.replace("(max_pixels)", "(--max-pixels)").replace("(max_bytes)", "(--max-bytes)")
}

/// Says something to people: one line, in which escapes stand for what a terminal does not show or would obey.
fn say(message: &str) {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => c.escape_default().to_string(),
        c if c.is_control() => format!("\\x{:02x}", u32::from(c)),
        c => c.to_string(),
    };
    let line: String = message.chars().map(shown).collect();
    // There is nobody left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "lcrs-codec: {line}");
}

/// Writes a result to standard output.
fn print(text: &str) -> Result<(), Failure> {
    output::to_standard_output(text.as_bytes())
}
