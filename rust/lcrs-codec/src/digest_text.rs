//! Digests as files and messages show them.

use lcrs_format::DIGEST_PREFIX_LENGTH;

/// The part of a digest that files carry.
pub(crate) fn prefix(digest: &[u8; 32]) -> [u8; DIGEST_PREFIX_LENGTH] {
    let mut prefix = [0; DIGEST_PREFIX_LENGTH];
    prefix.copy_from_slice(&digest[..DIGEST_PREFIX_LENGTH]);
    prefix
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
