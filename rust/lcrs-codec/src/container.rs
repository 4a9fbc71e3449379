//! The container's own types, as this crate uses them.

use lcrs_core::{Error, Limits};

/// The same error in the vocabulary of the core.
pub(crate) fn from_format(error: lcrs_format::Error) -> Error {
    use lcrs_format::Error as Format;
    match error {
        Format::InvalidArgument(message) => Error::invalid(message),
        Format::Truncated(message) => Error::truncated(message),
        Format::UnsupportedVersion(message) => Error::unsupported(message),
        Format::Limit(message) => Error::limit(message),
        other => Error::corrupt(other.to_string()),
    }
}

/// The part of the limits that the container knows.
pub(crate) fn format_limits(limits: &Limits) -> lcrs_format::Limits {
    lcrs_format::Limits {
        max_pixels: limits.max_pixels,
        max_side: limits.max_side,
        max_metadata_bytes: limits.max_metadata_bytes,
        max_bytes: limits.max_bytes,
    }
}
