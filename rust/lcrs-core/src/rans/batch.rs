//! Many independent streams at once, in parallel.

use std::sync::Mutex;

use super::{decode, encode_stream, Stream, StreamKind};
use crate::cdf::CdfTable;
use crate::{Error, Result, Runtime};

/// Encodes `count` streams of equal length: `symbols` and `indexes` hold them one after the other. The streams do not
/// depend on the number of threads.
///
/// # Errors
/// As [`super::encode`], with the number of the stream; also if the symbols do not divide evenly.
pub fn encode_batch(
    kind: StreamKind,
    rt: &Runtime,
    count: usize,
    symbols: &[i32],
    indexes: &[i32],
    table: &CdfTable,
) -> Result<Vec<Stream>> {
    let len = even_length(symbols.len(), count)?;
    if indexes.len() != symbols.len() {
        return Err(Error::invalid(format!("{} symbols have {} indexes", symbols.len(), indexes.len())));
    }
    let job = |i: usize| {
        let part = i * len..(i + 1) * len;
        // one stream a job: what a stream does inside stays on its thread
        let data = encode_stream(kind, rt, &symbols[part.clone()], &indexes[part], table);
        data.map_err(|e| e.at(format_args!("stream {i}")))
    };
    rt.pool.map(count, job).into_iter().collect()
}

/// Decodes streams of equal length into `out`, one after the other.
///
/// # Errors
/// As [`decode`], with the number of the first stream that fails; also if the symbols do not divide evenly.
pub fn decode_batch(
    kind: StreamKind,
    rt: &Runtime,
    streams: &[&[u8]],
    indexes: &[i32],
    table: &CdfTable,
    out: &mut [i32],
) -> Result<()> {
    let len = even_length(out.len(), streams.len())?;
    if indexes.len() != out.len() {
        return Err(Error::invalid(format!("{} symbols have {} indexes", out.len(), indexes.len())));
    }
    let mut parts = Vec::with_capacity(streams.len());
    let mut rest = out;
    for _ in streams {
        let (part, left) = rest.split_at_mut(len);
        parts.push(Mutex::new(part)); // each is locked once, by its job
        rest = left;
    }
    let job = |i: usize| {
        let mut out = parts[i].lock().map_err(|_| Error::invalid("a job has panicked"))?;
        let data = decode(kind, rt, streams[i], &indexes[i * len..(i + 1) * len], table, &mut out);
        data.map_err(|e| e.at(format_args!("stream {i}")))
    };
    rt.pool.map(streams.len(), job).into_iter().collect()
}

/// The most bytes that a stream of `num_symbols` symbols can have.
#[must_use]
pub fn encoded_bound(kind: StreamKind, num_symbols: usize) -> usize {
    match kind {
        // a symbol of 16 bits and 10 digits of 4 bits, and the state
        StreamKind::Ans => num_symbols.saturating_mul(7).saturating_add(num_symbols / 256 + 16),
        // a word, 12 digits of 4 bits; byte 0, two LEB128 numbers, 32 lanes of 51 bits at most
        StreamKind::Lcrs => num_symbols.saturating_mul(8).saturating_add(224),
    }
}

/// Symbols of each of `count` streams.
fn even_length(symbols: usize, count: usize) -> Result<usize> {
    if symbols == 0 || (count > 0 && symbols.is_multiple_of(count)) {
        Ok(symbols / count.max(1))
    } else {
        Err(Error::invalid(format!("{symbols} symbols do not divide into {count} streams of equal length")))
    }
}
