//! Stream kind `lcrs`: rANS in up to 32 interleaved lanes, laid out for SIMD and for a small head.
//!
//! This page is the whole specification. Integers are little endian, bit strings begin with the lowest bit. `M = 2^16`.
//!
//! # Symbols and states
//! A row of the table has entries with a `start` and a `frequency`, which sum to `2^p`, `p` being the precision of
//! the table. The coder sees both times `2^(16 - p)`, so that they sum to `M`. The last entry is the escape; the
//! other `max` entries stand for the values `offset .. offset + max`.
//!
//! There are `L` lanes, `L` in {1, 2, 4, 8, 16, 32}, each with a state `x` in `[2^32, 2^48)`, and words of 16 bits.
//! *To take a symbol off a state*: `slot = x mod M`; the entry is the one with `start <= slot < start + frequency`;
//! `x = frequency * (x div M) + slot - start`; if then `x < 2^32`, `x = x * 2^16 + next word`.
//!
//! # Bytes
//! 1. Byte 0: bits 0 to 2 are `log2 L` (6 and 7 are illegal); bits 3 to 5 are the number of bytes of the state if `L
//!    = 1` (7 is illegal), otherwise 0; bit 6 says that there are escapes; bit 7 that they are packed,
//!    which is illegal without bit 6.
//! 2. If there are escapes: their size `E > 0` as LEB128, then `E` bytes of digits of 4 bits each, the lower half of
//!    a byte first, in the order of symbols. An unused last half is 0. Packed escapes have another form (12).
//! 3. If `L = 1`: the state of lane 0 in the number of bytes that byte 0 says. If `L > 1`: the number of groups `G`
//!    as LEB128, then a bit string, padded with zeros to a byte: for each lane `e = floor(log2 x) - 32` in 4 bits,
//!    then for each lane the low `32 + e` bits of `x`, whose leading one is implied.
//! 4. Words up to the end of the stream, in the order in which the decoder reads them.
//!
//! LEB128 numbers have at most 5 bytes, and the last one is 0 only if it is the only one.
//!
//! # Decoding
//! 5. *Main part*: symbol `i < G L` is on lane `i mod L`. A word that is missing is an error.
//! 6. *Seeds*: after the main part each of the lanes 1 to `L - 1` must be below `2^33`. The low 32 bits of their
//!    states are two words each, the low one first; they queue up, lane 1 first. With `L = 1` the queue is empty.
//! 7. *Tail*: the other symbols are all on lane 0. Words come from the queue, then from the stream; when both are
//!    empty, none is read, and the state falls below `2^32`. (Below `2^16` it could only shrink: an error.)
//! 8. *Escape*: the digits of the folded value in base 8, lowest first; bit 3 of a digit says that another one
//!    follows; at most 12. With `p = value - offset` the folded value is `-2 p - 1` for `p < 0` and `2 (p - max)` for
//!    `p >= max`. The value must be a 32-bit signed integer.
//! 9. *End*: the state of lane 0 is `2^16`; queue, words and digits are used up. Symbols may be pulled in pieces of
//!    any size.
//!
//! # Encoding
//! 10. Backwards from the last symbol. *To put a symbol on a state*: if `x div 2^32 >= frequency`, emit `x mod M` and
//!     set `x = x div M`; then `x = (x div frequency) M + x mod frequency + start`. Lane 0 starts at `2^16` and takes
//!     symbols until `2 (L - 1)` words are out and the number of symbols left is a multiple of `L`. The last `2 (L -
//!     1)` of these words are taken back to become the lanes 1 to `L - 1`: `x = 2^32 + 2^16 hi + lo`, the last word
//!     emitted being the `lo` of lane 1. Then the groups follow, each from lane `L - 1` down to 0, and then the head.
//!     If the symbols run out before there are lanes, `L = 1`. Words are written in the reverse order of emission.
//! 11. *Choice of L*: the cost of an entry is `(bits(65536) - bits(frequency)) div 2^15`, where `bits` is the pattern
//!     of the number as binary32: about 1/256 bit. With `c` the sum over all symbols and `b = c div 2^20`, which is
//!     about the size in units of 512 bytes, `L` is the largest power of two that is at most `b`, but at least 1 and
//!     at most 32. (A decoder takes any `L`.)
//!
//! # Packed escapes
//! 12. A table can be said to have *heavy tails*; it reads the same. If a stream has symbols of such a table, and its
//!     escapes are shorter packed, they are packed. Each digit is four bits: bit 3, then bits 2, 1 and 0. Each bit is
//!     coded with what was learned of the bits before it that have the same place of the digit in its escape (the
//!     first is 0), the same bit 3 (which itself stands alone) and, in the digit, the same bits before it.
//! 13. *What is learned* is how likely a bit is set, `l`, out of `M`, and a count `n`: `2^15` and 0 at first. A bit that
//!     is set has the start 0 and the frequency `l`, another one the start `l` and the frequency `M - l`. After it, `l`
//!     becomes `l + 2 (M - l) div (2 n + 3)` if it is set, `l - 2 l div (2 n + 3)` if not, at least 32 and at most `M -
//!     32`; and `n` becomes `n + 1`, at most 126.
//! 14. Bits are symbols of one lane: words of 2 bytes, the first three of which are its first state, the high one first,
//!     which must be at least `2^32`; two words if there are only two, and then at least `2^16`. When there are no more
//!     words, none is read, and the state falls below `2^32`; below `2^16` is an error. At the end it is `2^16`, and
//!     all words are used up.
//!
//! # Why so
//! A state of 48 bits against words of 16 loses nothing measurable to the integer arithmetic, and `x div frequency`
//! is exact in binary64 arithmetic: the quotient has at most 32 bits and is at least `2^-16` below the next integer.
//! Lanes that are seeded with words of the tail cost the 4 bits of their exponent and little else. A final state of
//! `2^16` rather than 0 costs two bytes and makes half of all truncations visible: 0 would map to itself for ever.
//!
//! # Example
//! One row with the entries `[0, 10000)`, `[10000, 40000)`, `[40000, 60000)` and the escape `[60000, 65536)`, offset 0.
//! The encoder goes from 65536 by the escape (100) to `11 * 65536 + 4640 + 60000 = 785536`, by the escape (-1) to
//! 9305536, by 1 to 20331696 and by 0 to 133236384 = `0x07F106A0`.
//! ```
//! use lcrs_core::{cdf::CdfTable, rans, rans::StreamKind, Runtime};
//! let table = CdfTable::new(&[0, 10000, 40000, 60000, 65536], 5, &[5], &[0], 16)?;
//! let data = rans::encode(StreamKind::Lcrs, &Runtime::serial(), &[0, 1, -1, 100], &[0; 4], &table)?;
//! assert_eq!(data, [
//!     0b0_1_100_000, // one lane, whose state has 4 bytes; escapes
//!     2, 0xA1, 0x38, // digits 1 (-1, folded 1); 10, 8, 3 (100, folded 2 * 97 = 2 + 8 * 0 + 64 * 3)
//!     0xA0, 0x06, 0xF1, 0x07, // the state; no words
//! ]);
//! # Ok::<(), lcrs_core::Error>(())
//! ```

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod decoder;
mod digits;
mod encoder;
mod head;
pub(super) mod lane;
#[cfg(target_arch = "aarch64")]
mod neon;
mod packed;
mod path;
mod progress;
mod quotient;
mod scalar;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod shuffle;

pub(super) use decoder::Decoder;
pub(super) use encoder::{encode, Encoder};

/// The most lanes.
const MAX_LANES: usize = 32;
/// States of lanes live in `[LOW, 2^48)`.
const LOW: u64 = 1 << 32;
/// Where lane 0 starts in the encoder and ends in the decoder.
const START: u64 = 1 << 16;
/// The states of all lanes; those from `L` on are unused.
type Lanes = [u64; MAX_LANES];
