//! Bands of rows, each coded by itself.

use std::sync::atomic::{AtomicU64, Ordering};

use lcrs_core::rans::binary::{most_bits, BitDecoder, BitEncoder};
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::{read_varint, write_varint, Samples};

use super::model::Model;
use super::window::{read, write, Window};
use crate::container::from_format;
use crate::Layout;

/// Most pixels of a band, about: enough to learn from. To begin anew costs kilobytes of a page of text, and a screen is one band.
const BAND_PIXELS: u64 = 1 << 22;

/// Columns that are coded without a look at whether to go on: some milliseconds of work.
const PIECE: usize = 1 << 16;

/// Bytes that the lists of bands take, for each of them.
const LISTED_BYTES: usize = 256;

/// Rows of all bands but the last one.
pub(super) fn band_rows(layout: &Layout) -> u32 {
    let (width, height) = (u64::from(layout.width), u64::from(layout.height));
    let count = (width * height).div_ceil(BAND_PIXELS);
    height.div_ceil(count) as u32 // at most the height
}

/// Bytes of the length of a stream, at most.
const MAX_VARINT_BYTES: usize = 10;

/// What the streams of all bands are, in messages.
const CODED: &str = "a lossless picture, coded";

/// Memory of all threads that work at bands, beside the picture.
fn working_bytes(layout: &Layout, threads: usize) -> u64 {
    let each = Model::bytes() + Window::bytes(layout.width as usize) + BitEncoder::working_bytes();
    each.saturating_mul(threads as u64)
}

fn bits_of(samples: Samples) -> Result<u32> {
    match samples {
        Samples::Picture { bit_depth, .. } => Ok(bit_depth.into()),
        Samples::Array { .. } => Err(Error::invalid(format!("lossless files hold pictures, not arrays ({samples})"))),
    }
}

/// The payload of a picture; nothing if it would have more than `max_bytes`.
pub(super) fn encode(
    layout: &Layout,
    data: &[u8],
    max_bytes: usize,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Option<Vec<u8>>> {
    let rows = band_rows(layout);
    let count = layout.height.div_ceil(rows) as usize;
    limits.rehearse((count * LISTED_BYTES) as u64, "bands of a picture")?;
    let bands: Vec<&[u8]> = data.chunks(layout.row_bytes() * rows as usize).collect();
    let limits = &limits.without(working_bytes(layout, rt.pool.threads().min(count)), "a lossless picture")?;
    rt.trim(limits.max_bytes);
    // Once that many bytes are there, no band need go on.
    let (so_far, max) = (AtomicU64::new(0), max_bytes as u64);
    let coded = rt.pool.map(count, |i| encode_band(layout, bands[i], (&so_far, max), rt, limits));
    let mut streams = Vec::new();
    for stream in coded {
        match stream? {
            Some(stream) => streams.push(stream),
            None => return Ok(None),
        }
    }
    let size = streams.iter().map(|stream| stream.len() + MAX_VARINT_BYTES).sum::<usize>();
    // The streams and the payload; later, in place of the streams, the file.
    limits.without(2 * size as u64, CODED)?;
    let mut payload = limits.reserved(size, CODED)?;
    streams[..count - 1].iter().for_each(|stream| write_varint(&mut payload, stream.len() as u64));
    streams.iter().for_each(|stream| payload.extend_from_slice(stream));
    Ok((payload.len() <= max_bytes).then_some(payload))
}

fn encode_band(
    layout: &Layout,
    data: &[u8],
    (so_far, max): (&AtomicU64, u64),
    rt: &Runtime,
    limits: &Limits,
) -> Result<Option<Vec<u8>>> {
    let mut model = Model::new(layout.samples.channels(), bits_of(layout.samples)?, limits)?;
    let mut window = Window::new(layout.width as usize, limits)?;
    let mut encoder = BitEncoder::new();
    let mut counted = 0;
    for row in data.chunks_exact(layout.row_bytes()) {
        window.next_row();
        for (x, pixel) in read(layout.samples, row).enumerate() {
            if x % PIECE == 0 {
                rt.pool.check()?;
            }
            let around = window.around(x);
            model.code(&mut encoder, &around, pixel);
            window.set(x, pixel);
        }
        let more = (encoder.complete_bytes() - counted) as u64;
        counted = encoder.complete_bytes();
        let all = so_far.fetch_add(more, Ordering::Relaxed) + more;
        if all > max {
            return Ok(None);
        }
        limits.without(2 * all, CODED)?; // a stream that grows has room for as much again
    }
    encoder.finish().map(Some)
}

/// The samples of a picture from its payload.
pub(super) fn decode(layout: &Layout, rows: u32, payload: &[u8], rt: &Runtime, limits: &Limits) -> Result<Vec<u8>> {
    let count = (layout.height.div_ceil(rows)) as usize;
    limits.rehearse(count.saturating_mul(LISTED_BYTES) as u64, "bands of a picture")?;
    let streams = split(payload, count)?;
    check_lengths(layout, rows, &streams)?;
    let length = layout.row_bytes().saturating_mul(layout.height as usize);
    let mut data: Vec<u8> = limits.zeroed(length, "picture")?;
    let threads = rt.pool.threads().min(count);
    let limits = &limits.without(length as u64 + working_bytes(layout, threads), "a lossless picture")?;
    rt.trim(limits.max_bytes);
    let mut bands: Vec<&mut [u8]> = data.chunks_mut(layout.row_bytes() * rows as usize).collect();
    let ends = rt.pool.map_mut(&mut bands, |i, band| decode_band(layout, streams[i], band, rt, limits));
    for (i, end) in ends.into_iter().enumerate() {
        end.map_err(|error| error.at(format!("band {i}")))?;
    }
    Ok(data)
}

fn decode_band(layout: &Layout, stream: &[u8], data: &mut [u8], rt: &Runtime, limits: &Limits) -> Result<()> {
    let mut model = Model::new(layout.samples.channels(), bits_of(layout.samples)?, limits)?;
    let mut window = Window::new(layout.width as usize, limits)?;
    let mut decoder = BitDecoder::new(stream);
    for row in data.chunks_exact_mut(layout.row_bytes()) {
        window.next_row();
        for x in 0..layout.width as usize {
            if x % PIECE == 0 {
                rt.pool.check()?;
                decoder.check()?;
            }
            let around = window.around(x);
            let pixel = model.code(&mut decoder, &around, 0);
            window.set(x, pixel);
        }
        decoder.check()?;
        write(layout.samples, window.row(), row);
    }
    decoder.finish()
}

/// The streams of so many bands: the lengths of all but the last come first.
fn split(payload: &[u8], count: usize) -> Result<Vec<&[u8]>> {
    let (mut lengths, mut rest) = (Vec::new(), payload);
    for _ in 1..count {
        let (length, after) = read_varint(rest, "length of a band").map_err(from_format)?;
        lengths.push(length);
        rest = after;
    }
    let mut streams = Vec::new();
    for (i, length) in lengths.into_iter().enumerate() {
        let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
        let length = length.ok_or_else(|| Error::truncated(format!("band {i} ends before its length")))?;
        let (stream, after) = rest.split_at(length);
        streams.push(stream);
        rest = after;
    }
    streams.push(rest);
    Ok(streams)
}

/// Refuses streams that are too short for their pixels, each of which is a bit at least, before room is made for these.
fn check_lengths(layout: &Layout, rows: u32, streams: &[&[u8]]) -> Result<()> {
    for (stream, i) in streams.iter().zip(0..) {
        let pixels = u64::from(layout.width) * u64::from(rows.min(layout.height - rows * i));
        if most_bits(stream.len()) < pixels {
            let message = format!("{} bytes for {pixels} pixels", stream.len());
            return Err(Error::truncated(message).at(format!("band {i}")));
        }
    }
    Ok(())
}
