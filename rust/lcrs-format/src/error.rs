//! What can be wrong with a container, by who is to blame.

use std::fmt;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error with a one-line message: the offending value, the legal range and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The caller of [`crate::pack`] passed something that the format cannot hold.
    InvalidArgument(String),
    /// The bytes end before what they announce.
    Truncated(String),
    /// The bytes contradict themselves: a checksum, a field out of range, bytes after the end.
    Corrupt(String),
    /// The bytes use a version or a critical feature that this build does not know.
    UnsupportedVersion(String),
    /// Following the bytes would exceed a limit of [`crate::Limits`].
    Limit(String),
}

impl Error {
    /// The message without its kind.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::InvalidArgument(m)
            | Self::Truncated(m)
            | Self::Corrupt(m)
            | Self::UnsupportedVersion(m)
            | Self::Limit(m) => m,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}
