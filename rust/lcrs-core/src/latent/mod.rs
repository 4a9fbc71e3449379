//! Latents as networks hold them, coded in one pass: values, means and table rows in, streams out, and back.
//!
//! Networks hold a batch of latents item by item and channel by channel. A native stream takes symbols pixel by pixel,
//! an `ans` stream channel by channel. So latents go through in blocks of some pixels that stay in the cache:
//! quantised, transposed and coded, or decoded, transposed and summed with the means. The streams are those of
//! [`rans::encode`] of the same symbols, whatever the instruction set and the number of threads.

mod block;
mod field;
mod transpose;

use std::sync::Mutex;

use self::block::Block;
use self::field::Field;
use crate::cdf::CdfTable;
use crate::exact::{illegal_symbol, with_ieee};
use crate::rans::{self, Stream, StreamKind};
use crate::{Error, Result, Runtime, Simd};

/// A batch of latents whose distributions are known.
#[derive(Debug)]
pub struct Latents<'a> {
    /// Items, channels, pixels.
    shape: [usize; 3],
    indexes: Field<'a, i32>,
    means: Option<Field<'a, f32>>,
}

impl<'a> Latents<'a> {
    /// Latents of `shape` (items, channels, pixels) with a table row and, if there are means, a mean for each value;
    /// or for each channel, when there are only as many of them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there are neither as many as values nor as channels.
    pub fn new(shape: [usize; 3], indexes: &'a [i32], means: Option<&'a [f32]>) -> Result<Self> {
        let indexes = Field::new(shape, "indexes", indexes)?;
        let means = means.map(|means| Field::new(shape, "means", means)).transpose()?;
        Ok(Self { shape, indexes, means })
    }

    /// A stream for each item: of the symbols `round_half_even(value - mean)`, as [`crate::exact::quantize`] has them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the number of values is wrong, a difference is not finite or has a
    /// magnitude of 2^24 or more, or an index is not a row; the message has the position.
    pub fn encode(&self, kind: StreamKind, rt: &Runtime, values: &[f32], table: &CdfTable) -> Result<Vec<Stream>> {
        self.check_len("values", values.len())?;
        self.in_stream_order(kind, |latents| {
            let job = |item| with_ieee(|| latents.encode_item(kind, rt, item, values, table));
            rt.pool.map(latents.shape[0], job).into_iter().collect()
        })
    }

    fn encode_item(
        &self,
        kind: StreamKind,
        rt: &Runtime,
        item: usize,
        values: &[f32],
        table: &CdfTable,
    ) -> Result<Stream> {
        let [_, channels, pixels] = self.shape;
        let mut encoder = rans::Encoder::on(kind, rt, channels * pixels);
        let mut block = self.block(rt.simd, item);
        while block.advance() {
            if !block.quantize(&values[item * channels * pixels..]) {
                return Err(self.illegal_value(values));
            }
            encoder.push(block.symbols(), block.indexes(), table).map_err(|error| self.explain(table, error))?;
        }
        encoder.finish_stream()
    }

    /// The values `symbol + mean` of the streams' symbols.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the numbers of streams or values are wrong or an index is not a row; as
    /// [`rans::decode`] if a stream is not of these symbols, with its number. `out` is then unspecified.
    pub fn decode(
        &self,
        kind: StreamKind,
        rt: &Runtime,
        streams: &[&[u8]],
        table: &CdfTable,
        out: &mut [f32],
    ) -> Result<()> {
        let [items, channels, pixels] = self.shape;
        self.check_len("results", out.len())?;
        if streams.len() != items {
            return Err(Error::invalid(format!("{} streams are given for {items} latents", streams.len())));
        }
        let mut rest = out;
        let mut parts = Vec::with_capacity(items);
        for _ in 0..items {
            let (part, left) = rest.split_at_mut(channels * pixels);
            parts.push(Mutex::new(part)); // each is locked once, by its job
            rest = left;
        }
        self.in_stream_order(kind, |latents| {
            let job = |item: usize| {
                let mut out = parts[item].lock().map_err(|_| Error::invalid("a job has panicked"))?;
                let done = with_ieee(|| latents.decode_item(kind, rt.simd, item, streams[item], table, &mut out));
                done.map_err(|error| error.at(format_args!("stream {item}")))
            };
            rt.pool.map(items, job).into_iter().collect()
        })
    }

    fn decode_item(
        &self,
        kind: StreamKind,
        simd: Simd,
        item: usize,
        stream: &[u8],
        table: &CdfTable,
        out: &mut [f32],
    ) -> Result<()> {
        let mut decoder = rans::Decoder::new(kind, simd, stream)?;
        let mut block = self.block(simd, item);
        while block.advance() {
            let (indexes, symbols) = block.indexes_and_symbols();
            decoder.pull(indexes, table, symbols).map_err(|error| self.explain(table, error))?;
            block.dequantize(out);
        }
        decoder.finish()
    }

    /// The pixels of an item, before the first of them.
    fn block(&self, simd: Simd, item: usize) -> Block<'a> {
        let [_, channels, pixels] = self.shape;
        Block::new(simd, [channels, pixels], (self.indexes, self.means), item)
    }

    /// Calls `job` with these latents seen so that a stream of `kind` has their symbols pixel by pixel: `ans` streams
    /// have them channel by channel, as if all were pixels of one channel.
    fn in_stream_order<T>(&self, kind: StreamKind, job: impl FnOnce(&Latents<'_>) -> T) -> T {
        if kind == StreamKind::Lcrs {
            return job(self);
        }
        let (indexes, means) = (self.indexes.expanded(self.shape), self.means.map(|means| means.expanded(self.shape)));
        let [items, channels, pixels] = self.shape;
        job(&Latents {
            shape: [items, 1, channels * pixels],
            indexes: Field::Value(&indexes),
            means: means.as_deref().map(Field::Value),
        })
    }

    fn check_len(&self, what: &str, len: usize) -> Result<()> {
        let [items, channels, pixels] = self.shape;
        if len == items * channels * pixels {
            return Ok(());
        }
        Err(Error::invalid(format!("{len} {what} are given for {items} x {channels} x {pixels} latents")))
    }

    /// The error for values of which one is illegal.
    fn illegal_value(&self, values: &[f32]) -> Error {
        let means = self.means.map(|means| means.expanded(self.shape));
        illegal_symbol(values, means.as_deref())
    }

    /// `error`, or the better one with the place in the whole batch if an index is not a row.
    fn explain(&self, table: &CdfTable, error: Error) -> Error {
        table.check_indexes(self.indexes.values()).err().unwrap_or(error)
    }
}
