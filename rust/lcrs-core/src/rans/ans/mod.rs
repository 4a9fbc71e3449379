//! Stream kind `ans`: the format of CompressAI's rans64 coder, both ways.
//!
//! One 64-bit state `x` in `[2^31, 2^63)`, words of 32 bits, totals of 2^16. The stream is little endian: the final
//! state, low word first, then the other words in the order in which the decoder reads them.
//!
//! - *Symbol* with `start` and `frequency` from its row: the decoder takes `slot = x mod 2^16`, finds the entry that
//!   covers it and sets `x = frequency * (x div 2^16) + slot - start`; if then `x < 2^31`, `x = x * 2^32 + next word`.
//! - *Digit* of 4 bits: `x mod 16`, then `x = x div 16` and renormalisation likewise.
//! - *Escape*: the row's last entry; then `n`, the number of digits, in digits of which all but the last are 15 and
//!   which are summed; then `n` digits of the folded value, lowest first. With `p = value - offset` and `max` values
//!   in the row the folded value is `-2 p - 1` for `p < 0` and `2 (p - max)` for `p >= max`.
//! - The encoder runs from the last symbol to the first and starts at `x = 2^31`, so the decoder must end there, with
//!   all words read.
//!
//! The format always codes with 16 bits; a table of less precision wastes the rest, as it does in the peer. Where the
//! peer crashes or hangs (no symbol, one symbol, a frequency of 2^16, escapes of 2^28 and above), this coder follows
//! the format to its natural end.
//!
//! ```
//! use lcrs_core::{cdf::CdfTable, rans, rans::StreamKind, Runtime};
//! let table = CdfTable::new(&[0, 10000, 40000, 60000, 65536], 5, &[5], &[0], 16)?;
//! let data = rans::encode(StreamKind::Ans, &Runtime::serial(), &[0, 1], &[0, 0], &table)?;
//! assert_eq!(data, [0x40, 0x06, 0x83, 0x28, 0x07, 0x00, 0x00, 0x00]);
//! # Ok::<(), lcrs_core::Error>(())
//! ```

mod decoder;
mod encoder;
mod stack;

pub(super) use decoder::Decoder;
pub(super) use encoder::{encode, Encoder};

/// States live in `[LOW, 2^63)`; the encoder starts at `LOW`.
const LOW: u64 = 1 << 31;
/// Bits of an escape digit.
const DIGIT_BITS: u32 = 4;
/// A folded 32-bit value has at most this many digits.
const MAX_DIGITS: u32 = 9;
