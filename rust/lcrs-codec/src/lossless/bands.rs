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

/// Memory of so many bands that are worked at, beside the picture.
fn working_bytes(layout: &Layout, bands: usize) -> u64 {
    let each = Model::bytes() + Window::bytes(layout.width as usize) + BitEncoder::working_bytes();
    each.saturating_mul(bands as u64)
}

fn bits_of(samples: Samples) -> Result<u32> {
    match samples {
        Samples::Picture { bit_depth, .. } => Ok(bit_depth.into()),
        Samples::Array { .. } => Err(Error::invalid(format!("lossless files hold pictures, not arrays ({samples})"))),
    }
}

/// The payload of a picture in bands of so many rows; nothing if it would have more than `max_bytes`.
pub(super) fn encode(
    layout: &Layout,
    rows: u32,
    data: &[u8],
    max_bytes: usize,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Option<Vec<u8>>> {
    let count = layout.height.div_ceil(rows) as usize;
    limits.rehearse((count * LISTED_BYTES) as u64, "bands of a picture")?;
    let bands: Vec<&[u8]> = data.chunks(layout.row_bytes() * rows as usize).collect();
    // As if all were worked at: whether a trial fits its limits, and so the bytes, must not depend on threads.
    let limits = &limits.without(working_bytes(layout, count), "a lossless picture")?;
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
        let complete = encoder.complete_bytes()?;
        let more = (complete - std::mem::replace(&mut counted, complete)) as u64;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lcrs_core::{Answer, ErrorKind, Interrupt, Simd};
    use lcrs_format::Color;

    use super::*;

    fn grey(width: u32, height: u32) -> Layout {
        let samples = Samples::Picture { color: Color::Grey, bit_depth: 8 };
        Layout { width, height, samples, has_channel_axis: false }
    }

    /// Shapes that repeat, and a few pixels of noise.
    fn data(layout: &Layout) -> Vec<u8> {
        let (width, count) = (layout.width as usize, layout.width as usize * layout.height as usize);
        (0..count).map(|i| if i * i % 97 == 0 { (i % 251) as u8 } else { ((i % width) / 5 % 3) as u8 }).collect()
    }

    #[test]
    fn rows_are_shared_out_evenly_over_few_bands() {
        for (width, height, rows) in [(1, 1, 1), (1000, 800, 800), (2048, 2048, 2048), (2048, 2049, 1025)] {
            assert_eq!(band_rows(&grey(width, height)), rows);
        }
        assert_eq!(band_rows(&grey(65_535, 65_535)), 64);
        assert_eq!(band_rows(&grey(u32::MAX, 3)), 1);
        assert_eq!(band_rows(&grey(u32::MAX, u32::MAX)), 1);
        assert_eq!(band_rows(&grey(1, u32::MAX)), 4_194_304);
    }

    #[test]
    fn bands_come_back_whatever_their_rows_and_threads() {
        let (layout, limits) = (grey(37, 50), Limits::default());
        let data = data(&layout);
        for rows in [1, 2, 7, 25, 49, 50] {
            let encoded = [1, 2, 5].map(|threads| {
                let rt = Runtime::new(Simd::detect(), threads).unwrap();
                let payload = encode(&layout, rows, &data, usize::MAX, &rt, &limits).unwrap().unwrap();
                assert_eq!(decode(&layout, rows, &payload, &rt, &limits).unwrap(), data, "{rows} rows");
                assert_eq!(encode(&layout, rows, &data, payload.len(), &rt, &limits).unwrap().as_ref(), Some(&payload));
                assert_eq!(encode(&layout, rows, &data, payload.len() - 1, &rt, &limits).unwrap(), None);
                payload
            });
            assert!(encoded.windows(2).all(|pair| pair[0] == pair[1]), "{rows} rows");
        }
    }

    #[test]
    fn limits_do_not_depend_on_threads() {
        let layout = grey(37, 50);
        let data = data(&layout);
        let fits = |megabytes: u64, threads| {
            let mut limits = Limits::default();
            limits.max_bytes = megabytes << 20;
            encode(&layout, 10, &data, usize::MAX, &Runtime::new(Simd::detect(), threads).unwrap(), &limits).is_ok()
        };
        let alone: Vec<bool> = (0..24).map(|megabytes| fits(megabytes, 1)).collect();
        assert!(!alone[0] && alone[23]);
        for threads in [2, 5] {
            assert_eq!((0..24).map(|megabytes| fits(megabytes, threads)).collect::<Vec<_>>(), alone);
        }
    }

    #[test]
    fn every_cut_of_bands_is_an_error() {
        let (layout, limits, rt) = (grey(11, 9), Limits::default(), Runtime::serial());
        let payload = encode(&layout, 2, &data(&layout), usize::MAX, &rt, &limits).unwrap().unwrap();
        for length in 0..payload.len() {
            let error = decode(&layout, 2, &payload[..length], &rt, &limits).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{length} bytes: {error}");
        }
        let error = decode(&layout, 2, &[&payload[..], &[0]].concat(), &rt, &limits).unwrap_err();
        assert!(error.to_string().contains("band 4: 1 bytes are left after the last bit"), "{error}");
        let error = decode(&layout, 3, &payload, &rt, &limits).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }

    /// A few bytes tell of no large picture, and no room is made for one.
    #[test]
    fn streams_that_are_too_short_are_refused_before_room_is_made() {
        let (layout, rt) = (grey(65_535, 4096), Runtime::serial());
        let error = decode(&layout, 4096, &[1; 100], &rt, &Limits::default()).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Truncated, "band 0: 100 bytes for 268431360 pixels"));
        let told = |rows, streams: &[&[u8]]| check_lengths(&layout, rows, streams).unwrap_err().message().to_owned();
        assert_eq!(told(4095, &[&[1; 4095 * 6 - 1], &[1; 6]]), "band 0: 24569 bytes for 268365825 pixels");
        assert_eq!(told(4095, &[&[1; 4095 * 6], &[1; 5]]), "band 1: 5 bytes for 65535 pixels");
        check_lengths(&layout, 4095, &[&[1; 4095 * 6], &[1; 6]]).unwrap();
    }

    #[test]
    fn jobs_are_interrupted() {
        let (layout, limits, rt) = (grey(40, 30), Limits::default(), Runtime::serial());
        let data = data(&layout);
        let payload = encode(&layout, 10, &data, usize::MAX, &rt, &limits).unwrap().unwrap();
        let rt = rt.interruptible(Interrupt::new(|| Answer::Stop));
        assert_eq!(decode(&layout, 10, &payload, &rt, &limits).unwrap(), data); // before the question is asked
        std::thread::sleep(std::time::Duration::from_millis(110));
        for error in [
            encode(&layout, 10, &data, usize::MAX, &rt, &limits).unwrap_err(),
            decode(&layout, 10, &payload, &rt, &limits).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Interrupted);
        }
    }
}
