//! Whose fault an error is.

use lcrs_core::{Error, ErrorKind};

/// Inside a package or a file there is no caller to blame: an illegal argument is an impossible content.
pub(crate) fn blame_data(error: Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidArgument => Error::corrupt(error.message().to_owned()),
        _ => error,
    }
}
