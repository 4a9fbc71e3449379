//! Reading files: what their first bytes announce, and no more.

use std::io::{ErrorKind, Read};
use std::path::Path;

use lcrs_core::{Error, Limits, Result};

use crate::info::bytes_needed;

/// Up to here memory is had in one piece before the bytes come; beyond, as they come: more can be announced than is there.
const TRUSTED_BYTES: u64 = 64 << 20;

/// Why a file was not read.
#[derive(Debug)]
pub enum ReadError {
    /// The system's reason.
    Io(std::io::Error),
    /// It is not what it should be, or above the limits.
    File(Error),
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

/// The error for a package file that the system does not give, in the system's words without the number that it adds.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let words = error.to_string();
    let reason = words.split_once(" (os error").map_or(&words[..], |(reason, _)| reason);
    Error::missing_model(format!("cannot read {}: {reason}", path.display()))
}

/// Reads a `.lcrs` file from a file, a pipe, or anything else that may give more than it should: never more than its
/// header announces, and one byte to see that it ends there. What is cut off is returned as it is: [`crate::info`] says
/// what is missing.
///
/// # Errors
/// As [`crate::info`] for what the first bytes show, `Corrupt` for bytes after the end, `Limit` for a file above the limits
/// or without memory for it.
pub fn read(source: &mut dyn Read, limits: &Limits) -> std::result::Result<Vec<u8>, ReadError> {
    read_announced(source, |first| bytes_needed(first, limits))
}

/// Reads as many bytes as `needed` asks for, until it asks for no more.
pub(crate) fn read_announced(
    source: &mut dyn Read,
    needed: impl Fn(&[u8]) -> Result<u64>,
) -> std::result::Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    loop {
        let wanted = needed(&bytes)?;
        let missing = wanted.saturating_sub(bytes.len() as u64);
        if missing == 0 {
            break;
        }
        read_up_to(source, missing, &mut bytes)?;
        if (bytes.len() as u64) < wanted {
            return Ok(bytes);
        }
    }
    let mut more = Vec::new();
    read_up_to(source, 1, &mut more)?;
    if more.is_empty() {
        Ok(bytes)
    } else {
        Err(Error::corrupt(format!("it goes on after its {} bytes", bytes.len())).into())
    }
}

/// Appends up to `count` bytes; fewer if there are no more.
pub(crate) fn read_up_to(source: &mut dyn Read, count: u64, bytes: &mut Vec<u8>) -> std::result::Result<(), ReadError> {
    let no_memory = || Error::limit(format!("no memory for {count} bytes of a file"));
    let first = usize::try_from(count.min(TRUSTED_BYTES)).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(first).map_err(|_| no_memory())?;
    match source.take(count).read_to_end(bytes) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(no_memory().into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Ever more of the same byte, counted.
    struct Endless(u8, usize);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(self.0);
            self.1 += buffer.len();
            Ok(buffer.len())
        }
    }

    /// A file that begins with its length.
    fn needed(first: &[u8]) -> Result<u64> {
        Ok(first.first().map_or(1, |length| u64::from(*length)))
    }

    #[test]
    fn no_more_is_read_than_announced() {
        let mut file = &[3, 8, 9][..];
        assert_eq!(read_announced(&mut file, needed).unwrap(), [3, 8, 9]);
        let mut short = &[4, 8, 9][..];
        assert_eq!(read_announced(&mut short, needed).unwrap(), [4, 8, 9]);
        let mut endless = Endless(100, 0);
        let Err(ReadError::File(error)) = read_announced(&mut endless, needed) else { panic!("it has no end") };
        assert!(error.message().contains("100 bytes") && endless.1 <= 101, "{error} after {} bytes", endless.1);
        let mut zeros = Endless(0, 0);
        assert!(matches!(read(&mut zeros, &Limits::default()), Err(ReadError::File(_))));
        assert!(zeros.1 <= 12, "{} bytes", zeros.1);
    }

    #[test]
    fn what_is_announced_is_not_believed() {
        let mut short = &[7; 10][..];
        let bytes = read_announced(&mut short, |_| Ok(1 << 60)).unwrap();
        assert_eq!(bytes, [7; 10]);
    }
}
