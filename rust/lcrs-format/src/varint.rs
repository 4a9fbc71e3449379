//! Numbers of any size.

use crate::reader::{AtEnd, Reader};
use crate::Result;

/// Appends a number in LEB128: seven bits a byte, lowest first, the high bit set on all but the last.
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The number that some bytes begin with, which is called `what` in messages, and what follows it.
///
/// # Errors
/// [`crate::Error::Truncated`] if it does not end, [`crate::Error::Corrupt`] if it is above 2^64 - 1 or not in its shortest form.
pub fn read_varint<'a>(data: &'a [u8], what: &str) -> Result<(u64, &'a [u8])> {
    let mut reader = Reader::new(data, AtEnd::Truncated);
    let value = reader.varint(what)?;
    Ok((value, &data[reader.position()..]))
}
