//! The head of a stream: lanes, escapes, states.

use super::digits::Escapes;
use super::{Lanes, LOW, MAX_LANES};
use crate::{Error, Result};

const HAS_ESCAPES: u8 = 1 << 6;
const ARE_PACKED: u8 = 1 << 7;
/// Bits of a lane's exponent.
const EXPONENT_BITS: u32 = 4;
/// A LEB128 number has at most this many bytes.
const MAX_LEB128_BYTES: u32 = 5;

/// What a stream says before its words.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// Number of lanes.
    pub(super) num_lanes: usize,
    /// Symbols in the main part, a multiple of `num_lanes`; 0 with one lane.
    pub(super) main: u64,
    pub(super) lanes: Lanes,
    /// The digits of the escapes, packed or not.
    pub(super) digits: &'a [u8],
    pub(super) are_packed: bool,
    /// The words, an even number of bytes.
    pub(super) words: &'a [u8],
}

/// Appends the head of a stream with `main` symbols in `num_lanes` lanes.
pub(super) fn write(out: &mut Vec<u8>, num_lanes: usize, main: usize, lanes: &Lanes, escapes: &Escapes) {
    let state_bytes = if num_lanes == 1 { (64 - lanes[0].leading_zeros()).div_ceil(8) as usize } else { 0 };
    let has_escapes = if escapes.bytes.is_empty() { 0 } else { HAS_ESCAPES };
    let are_packed = if escapes.are_packed { ARE_PACKED } else { 0 };
    out.push(num_lanes.ilog2() as u8 | (state_bytes as u8) << 3 | has_escapes | are_packed);
    if !escapes.bytes.is_empty() {
        write_leb128(out, escapes.bytes.len() as u64);
        out.extend_from_slice(&escapes.bytes);
    }
    if num_lanes == 1 {
        out.extend_from_slice(&lanes[0].to_le_bytes()[..state_bytes]);
        return;
    }
    write_leb128(out, (main / num_lanes) as u64);
    let mut bits = BitWriter { out, pending: 0, count: 0 };
    for x in &lanes[..num_lanes] {
        bits.put(u64::from((x / LOW).ilog2()), EXPONENT_BITS);
    }
    for x in &lanes[..num_lanes] {
        bits.put(x ^ 1 << x.ilog2(), x.ilog2());
    }
    bits.finish();
}

impl<'a> Head<'a> {
    /// Reads the head; nothing is allocated.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self> {
        let mut rest = data;
        let first = take(&mut rest, 1)?[0];
        let (log_lanes, state_bytes) = (first & 7, usize::from(first >> 3 & 7));
        let are_packed = first & ARE_PACKED != 0;
        let is_wrong = are_packed && first & HAS_ESCAPES == 0;
        if log_lanes > MAX_LANES.ilog2() as u8 || is_wrong || state_bytes > if log_lanes == 0 { 6 } else { 0 } {
            return Err(Error::corrupt(format!("stream begins with {first:#04x}, which is not a head")));
        }
        let digits = if first & HAS_ESCAPES == 0 {
            &[]
        } else {
            match read_leb128(&mut rest)? {
                0 => return Err(Error::corrupt("escapes have 0 bytes")),
                len => take(&mut rest, usize::try_from(len).unwrap_or(usize::MAX))?,
            }
        };
        let num_lanes = 1 << log_lanes;
        let (mut main, mut lanes) = (0, [0; MAX_LANES]);
        if num_lanes == 1 {
            for (k, &byte) in take(&mut rest, state_bytes)?.iter().enumerate() {
                lanes[0] |= u64::from(byte) << (8 * k);
            }
        } else {
            main = read_leb128(&mut rest)? * num_lanes as u64;
            read_lanes(&mut rest, &mut lanes[..num_lanes])?;
        }
        if !rest.len().is_multiple_of(2) {
            return Err(Error::truncated(format!("words have {} bytes, which is odd", rest.len())));
        }
        Ok(Self { num_lanes, main, lanes, digits, are_packed, words: rest })
    }
}

fn read_lanes(rest: &mut &[u8], lanes: &mut [u64]) -> Result<()> {
    let mut bits = BitReader { rest, pending: 0, count: 0 };
    let mut exponents = [0; MAX_LANES];
    for exponent in &mut exponents[..lanes.len()] {
        *exponent = 32 + bits.take(EXPONENT_BITS)? as u32;
    }
    for (x, exponent) in lanes.iter_mut().zip(exponents) {
        *x = 1 << exponent | bits.take(exponent)?;
    }
    if bits.pending != 0 {
        return Err(Error::corrupt("padding of the states is not 0"));
    }
    Ok(())
}

/// Splits `len` bytes off `rest`.
fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8]> {
    let Some((taken, left)) = rest.split_at_checked(len) else {
        return Err(Error::truncated(format!("stream ends in its head: {len} bytes are needed, {} left", rest.len())));
    };
    *rest = left;
    Ok(taken)
}

fn write_leb128(out: &mut Vec<u8>, mut value: u64) {
    while value > 127 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_leb128(rest: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for k in 0..MAX_LEB128_BYTES {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 127) << (7 * k);
        if byte < 128 {
            return if byte == 0 && k > 0 { Err(Error::corrupt("LEB128 number with a leading 0")) } else { Ok(value) };
        }
    }
    Err(Error::corrupt(format!("LEB128 number of more than {MAX_LEB128_BYTES} bytes")))
}

/// Writes a bit string, lowest bit first.
struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter<'_> {
    /// Appends the low `count <= 56` bits of `value`, which has no others.
    fn put(&mut self, value: u64, count: u32) {
        self.pending |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    fn finish(self) {
        if self.count > 0 {
            self.out.push(self.pending as u8);
        }
    }
}

/// Reads a bit string; what is pending at the end is the padding of its last byte.
struct BitReader<'a, 'b> {
    rest: &'a mut &'b [u8],
    pending: u64,
    count: u32,
}

impl BitReader<'_, '_> {
    /// The next `count <= 56` bits.
    fn take(&mut self, count: u32) -> Result<u64> {
        while self.count < count {
            self.pending |= u64::from(take(self.rest, 1)?[0]) << self.count;
            self.count += 8;
        }
        let value = self.pending & ((1 << count) - 1);
        self.pending >>= count;
        self.count -= count;
        Ok(value)
    }
}
