//! Files of any kind, cut and flipped.

use lcrs_codec::info;
use lcrs_core::{ErrorKind, Result};

/// Every part of a file from its beginning is told to be cut off, by whoever restores it and by `info`.
pub fn check_truncations<T: std::fmt::Debug>(file: &[u8], restore: impl Fn(&[u8]) -> Result<T>) {
    for length in 0..file.len() {
        let error = restore(&file[..length]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{length} bytes: {error}");
        assert_eq!(info(&file[..length], &super::limits()).unwrap_err().kind(), ErrorKind::Truncated);
    }
}

/// Every bit that is another one is an error of the file, not of the call.
pub fn check_bit_flips<T: std::fmt::Debug>(file: &[u8], restore: impl Fn(&[u8]) -> Result<T>) {
    for bit in 0..file.len() * 8 {
        let mut damaged = file.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = restore(&damaged).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::InvalidArgument, "bit {bit}: {error}");
    }
}
