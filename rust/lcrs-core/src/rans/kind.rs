//! The kinds of stream.

use crate::{Error, Result};

/// Which format a stream of symbols has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StreamKind {
    /// CompressAI's rans64 stream, byte for byte: [`crate::rans::ans`].
    Ans = 0,
    /// The native stream: [`crate::rans::native`].
    #[default]
    Lcrs = 1,
}

impl StreamKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Ans, Self::Lcrs];

    /// The name that users give: `ans` or `lcrs`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ans => "ans",
            Self::Lcrs => "lcrs",
        }
    }

    /// The number that stands for this kind in files.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for an unknown name.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| Error::invalid(format!("unknown stream kind '{name}' (ans or lcrs)")))
    }

    /// The kind of this number in a file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnsupportedVersion`] for an unknown number.
    pub fn from_code(code: u8) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.code() == code);
        found.ok_or_else(|| Error::unsupported(format!("stream kind {code} is unknown to this version (0..=1)")))
    }
}
