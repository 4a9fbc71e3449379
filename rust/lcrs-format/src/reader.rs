//! A cursor over bytes whose end is known.

use crate::{Error, Result};

/// What running out of bytes means: inside a checked header it is a contradiction, before that a short file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtEnd {
    Truncated,
    Corrupt,
}

pub(crate) struct Reader<'a> {
    data: &'a [u8],
    position: usize,
    at_end: AtEnd,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8], at_end: AtEnd) -> Self {
        Self { data, position: 0, at_end }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn remaining(&self) -> usize {
        self.data.len() - self.position
    }

    pub(crate) fn bytes(&mut self, length: usize, what: &str) -> Result<&'a [u8]> {
        if length > self.remaining() {
            let message = format!("{what} needs {length} bytes, {} are left", self.remaining());
            return Err(match self.at_end {
                AtEnd::Truncated => Error::Truncated(format!("the file is cut short: {message}")),
                AtEnd::Corrupt => Error::Corrupt(message),
            });
        }
        let out = &self.data[self.position..self.position + length];
        self.position += length;
        Ok(out)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N, what)?);
        Ok(out)
    }

    pub(crate) fn byte(&mut self, what: &str) -> Result<u8> {
        Ok(self.array::<1>(what)?[0])
    }

    /// A LEB128 number in its shortest form.
    pub(crate) fn varint(&mut self, what: &str) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return Err(Error::Corrupt(format!("{what} does not fit 64 bits")));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 {
                    Err(Error::Corrupt(format!("{what} is not in its shortest form")))
                } else {
                    Ok(value)
                };
            }
        }
        Err(Error::Corrupt(format!("{what} is longer than 10 bytes")))
    }

    pub(crate) fn varint_u32(&mut self, what: &str) -> Result<u32> {
        let value = self.varint(what)?;
        u32::try_from(value).map_err(|_| Error::Corrupt(format!("{what} is {value} (below 2^32)")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Result<u64> {
        Reader::new(bytes, AtEnd::Truncated).varint("number")
    }

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(varint(&[0x00]), Ok(0));
        assert_eq!(varint(&[0xAC, 0x02]), Ok(300));
        let max = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        assert_eq!(varint(&max), Ok(u64::MAX));
        for illegal in [&[0x80, 0x00][..], &[0xAC, 0x82, 0x00], &[0xFF; 9], &[0xFF; 11]] {
            assert!(varint(illegal).is_err(), "{illegal:?}");
        }
        let mut above = max;
        above[9] = 0x02;
        assert!(matches!(varint(&above), Err(Error::Corrupt(_))));
        assert!(matches!(varint(&[0x80]), Err(Error::Truncated(_))));
    }
}
