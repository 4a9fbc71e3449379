//! What is said of an input, beside results.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::places::title;
use crate::say;

/// The error with the input that it is about.
pub(crate) fn at(arguments: &Arguments) -> impl Fn(lcrs_core::Error) -> Failure + '_ {
    move |error| error.at(title(&arguments.input)).into()
}

/// Says what is lost on the way, if anything.
pub(crate) fn tell(name: &str, losses: &[String]) {
    if !losses.is_empty() {
        say(&format!("{name}: not kept: {}", losses.join(", ")));
    }
}
