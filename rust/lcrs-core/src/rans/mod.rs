//! Range asymmetric numeral systems (Duda 2013) over indexed tables: each symbol comes with the index of the
//! [`CdfTable`] row that describes it.
//!
//! There are two kinds of stream ([`StreamKind`]): [`native`], interleaved lanes laid out for SIMD, the one to use; and
//! [`ans`], CompressAI's format byte for byte. [`encode`] and [`decode`] do one stream in one call, [`encode_batch`]
//! and [`decode_batch`] many in parallel, [`Encoder`] and [`Decoder`] one stream in pieces, as context models need it. A third kind, [`binary`], has no tables: probabilities of bits are
//! learned as they come.
//!
//! Bytes do not depend on the instruction set or the number of threads. Decoding never panics, never reads outside its
//! input and allocates nothing that the input asks for. It checks what is free to check: the length, the
//! final state, that every word is consumed. Corruption may still decode to other symbols: in the digits of escapes,
//! which are mostly plain, and elsewhere now and then (up to 1 % of single bit flips). Only a checksum around the stream
//! excludes that.
//!
//! ```
//! use lcrs_core::{cdf::CdfTable, rans, rans::StreamKind, Runtime};
//! let table = CdfTable::new(&[0, 10000, 40000, 60000, 65536], 5, &[5], &[0], 16)?;
//! let (symbols, indexes) = ([0, 1, 2, -1, 3, 7, 100, -100], [0; 8]);
//! let rt = Runtime::serial();
//! for kind in StreamKind::ALL {
//!     let data = rans::encode(kind, &rt, &symbols, &indexes, &table)?;
//!     let mut decoded = [0; 8];
//!     rans::decode(kind, &rt, &data, &indexes, &table, &mut decoded)?;
//!     assert_eq!(decoded, symbols);
//! }
//! # Ok::<(), lcrs_core::Error>(())
//! ```

pub mod ans;
mod batch;
pub mod binary;
mod coder;
mod escape;
mod kind;
pub mod native;
mod words;

pub use batch::{decode_batch, encode_batch, encoded_bound};
pub use coder::{decode, encode, encode_stream, Decoder, Encoder};
pub use kind::StreamKind;
pub use words::Stream;

#[cfg(doc)]
use crate::cdf::CdfTable;
