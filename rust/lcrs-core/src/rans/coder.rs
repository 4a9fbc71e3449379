//! The faces that do not depend on the kind of stream.

use super::{ans, native, Stream, StreamKind};
use crate::cdf::CdfTable;
use crate::{Error, Result, Runtime, Simd};

/// Encodes `symbols`, symbol `i` by row `indexes[i]` of `table`. Any `i32` can be encoded; what is outside its row
/// costs an escape.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if the lengths differ or an index is not a row.
pub fn encode(kind: StreamKind, rt: &Runtime, symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Result<Vec<u8>> {
    encode_stream(kind, rt, symbols, indexes, table)?.try_to_vec()
}

/// [`encode`] without the last copy: the stream lies in memory of the runtime.
///
/// # Errors
/// As [`encode`].
pub fn encode_stream(
    kind: StreamKind,
    rt: &Runtime,
    symbols: &[i32],
    indexes: &[i32],
    table: &CdfTable,
) -> Result<Stream> {
    check_lengths(indexes.len(), symbols.len())?;
    match kind {
        StreamKind::Ans => ans::encode(rt, symbols, indexes, table),
        StreamKind::Lcrs => native::encode(rt, symbols, indexes, table),
    }
}

/// Decodes a whole stream into `out`, symbol `i` by row `indexes[i]`.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if the lengths of `indexes` and `out` differ or an index is not a row;
/// `Truncated`, `Corrupt` or `Desync` if `data` is not a stream of exactly these symbols. `out` is then unspecified.
pub fn decode(
    kind: StreamKind,
    rt: &Runtime,
    data: &[u8],
    indexes: &[i32],
    table: &CdfTable,
    out: &mut [i32],
) -> Result<()> {
    let mut decoder = Decoder::new(kind, rt.simd, data)?;
    decoder.pull(indexes, table, out)?;
    decoder.finish()
}

/// Encodes one stream in pieces. Tables may differ between pieces.
#[derive(Debug)]
pub struct Encoder {
    of: EncoderOf,
    kept: Kept,
}

/// Symbols of a stream, in its order, if they are to be kept.
#[derive(Debug, Default)]
struct Kept(Option<Vec<i32>>);

impl Kept {
    fn none_yet() -> Self {
        Self(Some(Vec::new()))
    }

    fn symbols(&self) -> &[i32] {
        self.0.as_deref().unwrap_or_default()
    }

    fn make_room(&mut self, count: usize) -> Result<()> {
        let short = |_| Error::limit(format!("no memory to keep {count} symbols"));
        self.0.as_mut().map_or(Ok(()), |kept| kept.try_reserve(count).map_err(short))
    }

    fn append(&mut self, symbols: &[i32]) {
        if let Some(kept) = &mut self.0 {
            kept.extend_from_slice(symbols);
        }
    }
}

#[derive(Debug)]
enum EncoderOf {
    Ans(ans::Encoder),
    Lcrs(native::Encoder),
}

impl Encoder {
    /// An encoder without symbols.
    #[must_use]
    pub fn new(kind: StreamKind, simd: Simd) -> Self {
        let of = match kind {
            StreamKind::Ans => EncoderOf::Ans(ans::Encoder::new()),
            StreamKind::Lcrs => EncoderOf::Lcrs(native::Encoder::new(simd)),
        };
        Self { of, kept: Kept::default() }
    }

    /// An encoder without symbols that makes room for so many at once, in memory of the runtime.
    #[must_use]
    pub fn on(kind: StreamKind, rt: &Runtime, num_symbols: usize) -> Self {
        let of = match kind {
            StreamKind::Ans => EncoderOf::Ans(ans::Encoder::new()),
            StreamKind::Lcrs => EncoderOf::Lcrs(native::Encoder::on(rt, num_symbols)),
        };
        Self { of, kept: Kept::default() }
    }

    /// The same, which keeps what is pushed from now on for [`Self::symbols`].
    #[must_use]
    pub fn keeping_symbols(mut self) -> Self {
        self.kept = Kept::none_yet();
        self
    }

    /// What was pushed, if it is kept.
    #[must_use]
    pub fn symbols(&self) -> &[i32] {
        self.kept.symbols()
    }

    /// Appends symbols.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the lengths differ or an index is not a row, [`crate::ErrorKind::Limit`] if memory
    /// is short; nothing is appended then.
    pub fn push(&mut self, symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Result<()> {
        check_lengths(indexes.len(), symbols.len())?;
        self.kept.make_room(symbols.len())?;
        match &mut self.of {
            EncoderOf::Ans(encoder) => encoder.push(symbols, indexes, table),
            EncoderOf::Lcrs(encoder) => encoder.push(symbols, indexes, table),
        }?;
        self.kept.append(symbols);
        Ok(())
    }

    /// The stream of all symbols.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory is short.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.finish_stream()?.try_to_vec()
    }

    /// [`Self::finish`] without the last copy.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_stream(self) -> Result<Stream> {
        match self.of {
            EncoderOf::Ans(encoder) => encoder.finish(),
            EncoderOf::Lcrs(encoder) => encoder.finish(),
        }
    }
}

/// Decodes one stream in pieces of any size. After an error it must be dropped: further symbols are unspecified.
#[derive(Debug)]
pub struct Decoder<'a> {
    of: DecoderOf<'a>,
    kept: Kept,
}

#[derive(Debug)]
enum DecoderOf<'a> {
    Ans(ans::Decoder<'a>),
    Lcrs(Box<native::Decoder<'a>>),
}

impl<'a> Decoder<'a> {
    /// A decoder at the first symbol of `data`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Truncated`] or [`crate::ErrorKind::Corrupt`] if `data` does not begin like a stream.
    pub fn new(kind: StreamKind, simd: Simd, data: &'a [u8]) -> Result<Self> {
        let of = match kind {
            StreamKind::Ans => DecoderOf::Ans(ans::Decoder::new(data)?),
            StreamKind::Lcrs => DecoderOf::Lcrs(Box::new(native::Decoder::new(simd, data)?)),
        };
        Ok(Self { of, kept: Kept::default() })
    }

    /// The same, which keeps what is pulled from now on for [`Self::symbols`].
    #[must_use]
    pub fn keeping_symbols(mut self) -> Self {
        self.kept = Kept::none_yet();
        self
    }

    /// What was pulled, if it is kept.
    #[must_use]
    pub fn symbols(&self) -> &[i32] {
        self.kept.symbols()
    }

    /// Decodes the next `indexes.len()` symbols into `out`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the lengths differ or an index is not a row;
    /// `Truncated`, `Corrupt` or `Desync` if the stream does not hold these symbols.
    pub fn pull(&mut self, indexes: &[i32], table: &CdfTable, out: &mut [i32]) -> Result<()> {
        check_lengths(indexes.len(), out.len())?;
        match &mut self.of {
            DecoderOf::Ans(decoder) => decoder.pull(indexes, table, out),
            DecoderOf::Lcrs(decoder) => decoder.pull(indexes, table, out),
        }?;
        self.kept.make_room(out.len())?;
        self.kept.append(out);
        Ok(())
    }

    /// Checks that the last symbol has been pulled and that the stream ends as it must.
    ///
    /// # Errors
    /// `Truncated`, `Corrupt` or `Desync` if it does not.
    pub fn finish(self) -> Result<()> {
        match self.of {
            DecoderOf::Ans(decoder) => decoder.finish(),
            DecoderOf::Lcrs(decoder) => decoder.finish(),
        }
    }
}

fn check_lengths(indexes: usize, symbols: usize) -> Result<()> {
    if indexes == symbols {
        Ok(())
    } else {
        Err(Error::invalid(format!("{symbols} symbols have {indexes} indexes, as many are needed")))
    }
}
