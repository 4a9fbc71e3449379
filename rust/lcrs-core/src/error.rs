//! One error type for all crates: what kind of blame, and one line that says what, where and what was legal.

use std::borrow::Cow;
use std::fmt;

/// Shorthand for results of this workspace.
pub type Result<T> = std::result::Result<T, Error>;

/// Who is to blame, and so what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller passed something outside the documented range.
    InvalidArgument,
    /// The bytes end before what they announce.
    Truncated,
    /// The bytes contradict themselves: a checksum, a field out of range, an impossible structure.
    Corrupt,
    /// The entropy decoder ended in another state than the encoder began with.
    Desync,
    /// The bytes are of a version or use a feature that this build does not know.
    UnsupportedVersion,
    /// The model that wrote the stream is not at hand, or another one of the same name is.
    MissingModel,
    /// Following the input would exceed a limit set in [`crate::Limits`].
    Limit,
    /// The caller does not want the result any more; see [`crate::Interrupt`].
    Interrupted,
    /// A portable result was asked for where only a machine-dependent one can be had.
    NotPortable,
}

/// The longest message; of a longer one the middle is left out. Names in hostile files may have megabytes.
const MAX_MESSAGE: usize = 400;

/// An error with its [`ErrorKind`] and a one-line message: the offending value, the legal range and the place. What a message
/// quotes may come from hostile input: control characters become spaces, and long messages are cut in the middle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        $(#[doc = concat!("An error of kind [`ErrorKind::", stringify!($kind), "`].")]
        #[must_use]
        pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
            Self { kind: ErrorKind::$kind, message: one_line(message.into()) }
        })*
    };
}

impl Error {
    constructors! {
        invalid => InvalidArgument,
        truncated => Truncated,
        corrupt => Corrupt,
        desync => Desync,
        unsupported => UnsupportedVersion,
        missing_model => MissingModel,
        limit => Limit,
        interrupted => Interrupted,
        not_portable => NotPortable,
    }

    /// The kind of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without its kind.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error with the place prepended: `place: message`.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self { kind: self.kind, message: one_line(format!("{place}: {}", self.message).into()) }
    }
}

/// The message without control characters, and with its ends only if it is too long.
fn one_line(mut message: Cow<'static, str>) -> Cow<'static, str> {
    if message.len() > MAX_MESSAGE {
        let half = (MAX_MESSAGE - 5) / 2;
        let begin = (0..=half).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        let end = (message.len() - half..message.len()).find(|at| message.is_char_boundary(*at));
        message = format!("{} ... {}", &message[..begin], &message[end.unwrap_or(message.len())..]).into();
    }
    if message.contains(char::is_control) {
        message = message.replace(char::is_control, " ").into();
    }
    message
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_one_line_of_bounded_length() {
        let error = Error::corrupt("a\nb").at("\u{1b}[31mplace\r").at("x".repeat(1_000_000));
        assert!(error.message().len() <= MAX_MESSAGE && !error.message().contains(char::is_control), "{error}");
        assert!(error.message().starts_with("xxx") && error.message().ends_with(" [31mplace : a b"), "{error}");
        let wide = Error::limit("\u{1F600}".repeat(1000));
        assert!(wide.message().len() <= MAX_MESSAGE && wide.message().len() > MAX_MESSAGE - 12, "{wide}");
        let short = "\u{e4}".repeat(MAX_MESSAGE / 2);
        assert_eq!(Error::limit(short.clone()).message(), short);
    }
}
