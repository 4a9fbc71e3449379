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
    /// A portable result was asked for where only a machine-dependent one can be had.
    NotPortable,
}

/// An error with its [`ErrorKind`] and a one-line message: the offending value, the legal range and the place.
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
            Self { kind: ErrorKind::$kind, message: message.into() }
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
        Self { kind: self.kind, message: format!("{place}: {}", self.message).into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
