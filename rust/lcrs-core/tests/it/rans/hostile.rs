//! Bytes that nobody encoded: an error or symbols, never a panic, a hang or memory that the input asks for.

use lcrs_core::cdf::CdfTable;
use lcrs_core::rans::{self, Decoder, StreamKind};
use lcrs_core::{ErrorKind, Result, Runtime, Simd};

use crate::rans::support::{draw, gaussian_table, heavy_symbols, heavy_table, table, Rng};

fn decode(kind: StreamKind, simd: Simd, data: &[u8], indexes: &[i32], table: &CdfTable) -> Result<Vec<i32>> {
    let mut out = vec![0; indexes.len()];
    rans::decode(kind, &Runtime::new(simd, 1).unwrap(), data, indexes, table, &mut out).map(|()| out)
}

/// The result on the scalar path, after all others have agreed: the same symbols, or errors of the same kind.
fn decode_everywhere(kind: StreamKind, data: &[u8], indexes: &[i32], table: &CdfTable) -> Result<Vec<i32>> {
    let plain = decode(kind, Simd::Scalar, data, indexes, table);
    for simd in Simd::available() {
        let here = decode(kind, simd, data, indexes, table);
        assert_eq!(here.as_ref().ok(), plain.as_ref().ok(), "{kind:?} {simd:?}");
        assert_eq!(here.err().map(|e| e.kind()), plain.as_ref().err().map(|e| e.kind()), "{kind:?} {simd:?}");
    }
    plain
}

/// A stream with escapes, and what it was made of.
fn sample(kind: StreamKind, n: usize, escape_every: usize, table: &CdfTable) -> (Vec<u8>, Vec<i32>, Vec<i32>) {
    let rng = &mut Rng(n as u64 + 5);
    let indexes: Vec<i32> = (0..n).map(|_| rng.below(table.num_rows()) as i32).collect();
    let symbols = draw(rng, table, &indexes, escape_every);
    (rans::encode(kind, &Runtime::serial(), &symbols, &indexes, table).unwrap(), symbols, indexes)
}

#[test]
fn every_truncation_is_refused() {
    let table = gaussian_table();
    for kind in StreamKind::ALL {
        for (n, escape_every) in [(1, 0), (3, 1), (16, 0), (300, 50), (3000, 0), (6000, 500)] {
            let (data, _, indexes) = sample(kind, n, escape_every, &table);
            for cut in 0..data.len() {
                let error = decode_everywhere(kind, &data[..cut], &indexes, &table).unwrap_err();
                let kinds = [ErrorKind::Truncated, ErrorKind::Corrupt, ErrorKind::Desync];
                assert!(kinds.contains(&error.kind()), "{kind:?}, {n} symbols cut to {cut}: {error}");
            }
        }
    }
}

#[test]
fn flipped_bits_are_almost_always_refused() {
    let table = gaussian_table();
    for kind in StreamKind::ALL {
        // escapes aside, whose digits are plain bits
        for n in [16, 300, 3000, 20_000] {
            let (data, _, indexes) = sample(kind, n, 0, &table);
            let rng = &mut Rng(11);
            let mut accepted = 0;
            for _ in 0..500 {
                let mut bad = data.clone();
                bad[rng.below(data.len())] ^= 1 << rng.below(8);
                accepted += u32::from(decode_everywhere(kind, &bad, &indexes, &table).is_ok());
            }
            assert!(accepted <= 25, "{kind:?}, {n} symbols: {accepted} of 500 flips were accepted");
        }
    }
}

#[test]
fn damaged_packed_escapes_are_almost_always_refused() {
    let (table, rng) = (heavy_table(30), &mut Rng(6));
    let indexes: Vec<i32> = (0..400).map(|_| rng.below(30) as i32).collect();
    let symbols = heavy_symbols(rng, 400, 50.0);
    let data = rans::encode(StreamKind::Lcrs, &Runtime::serial(), &symbols, &indexes, &table).unwrap();
    assert!(data[0] > 127);
    for cut in 0..data.len() {
        assert!(decode_everywhere(StreamKind::Lcrs, &data[..cut], &indexes, &table).is_err(), "cut to {cut}");
    }
    let mut accepted = 0;
    for bit in 8..8 * data.len() {
        let mut bad = data.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        accepted += usize::from(decode_everywhere(StreamKind::Lcrs, &bad, &indexes, &table).is_ok());
    }
    assert!(accepted <= data.len() / 4, "{accepted} of {} flips were accepted", 8 * data.len());
}

#[test]
fn garbage_never_panics() {
    let table = gaussian_table();
    let rng = &mut Rng(3);
    for _ in 0..4000 {
        let indexes: Vec<i32> = (0..rng.below(400)).map(|_| rng.below(64) as i32).collect();
        let mut data: Vec<u8> = (0..rng.below(600)).map(|_| rng.next() as u8).collect();
        if let Some(first) = data.first_mut() {
            *first &= if *first & 0x40 == 0 { 0x7f } else { 0xff }; // past the first check
        }
        for kind in StreamKind::ALL {
            let _ = decode_everywhere(kind, &data, &indexes, &table);
        }
    }
}

#[test]
fn heads_that_promise_too_much_are_refused() {
    let table = table(&[vec![0, 30_000, 65_536]], &[0], 16);
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for (head, kind) in [
        (vec![], ErrorKind::Truncated),
        (vec![0x80], ErrorKind::Corrupt),       // packed, but no escapes
        (vec![6], ErrorKind::Corrupt),          // 64 lanes
        (vec![7 << 3], ErrorKind::Corrupt),     // 7 bytes of state
        (vec![1 << 3 | 5], ErrorKind::Corrupt), // state bytes with lanes
        (vec![0x40, 0], ErrorKind::Corrupt),    // no escapes
        (vec![0xc0 | 3 << 3, 2, 1, 1, 0, 0, 1], ErrorKind::Corrupt), // a packed state of one word
        (vec![0xc0 | 3 << 3, 3, 1, 0, 1, 0, 0, 1], ErrorKind::Corrupt), // an odd number of bytes
        (vec![0xc0 | 3 << 3, 6, 0, 0, 1, 0, 0, 0, 0, 0, 1], ErrorKind::Corrupt), // a packed state below 2^32
        (vec![0xc0 | 3 << 3, 6, 1, 0, 0, 0, 0, 0, 0, 0, 1], ErrorKind::Desync), // packed escapes that nobody reads
        ([&[0x40], &huge[..], &[0; 8]].concat(), ErrorKind::Truncated), // 4 GiB of escapes
        ([&[5], &[0x80, 0x80, 0x80, 0x80, 0x80, 0][..]].concat(), ErrorKind::Corrupt), // long LEB128
        (vec![5, 0x81, 0], ErrorKind::Corrupt), // LEB128 with a leading 0
        ([&[1, 1, 0x10], &[0xff; 9][..]].concat(), ErrorKind::Corrupt), // padding
        (vec![3 << 3, 0, 0, 1, 9], ErrorKind::Truncated), // half a word
        (vec![3 << 3, 0, 0, 1, 9, 9], ErrorKind::Desync), // a word too many
        (vec![3 << 3, 0, 0, 2], ErrorKind::Desync), // another final state
    ] {
        for simd in Simd::available() {
            let error = decode(StreamKind::Lcrs, simd, &head, &[], &table).unwrap_err();
            assert_eq!(error.kind(), kind, "{head:02x?}: {error}");
        }
    }
    // more groups than symbols, and more symbols than groups
    let (data, _, indexes) = sample(StreamKind::Lcrs, 20_000, 0, &gaussian_table());
    let error = decode_everywhere(StreamKind::Lcrs, &data, &indexes[..64], &gaussian_table()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Desync, "{error}");
    let longer: Vec<i32> = indexes.iter().copied().chain([0; 100]).collect();
    assert!(decode_everywhere(StreamKind::Lcrs, &data, &longer, &gaussian_table()).is_err());
}

#[test]
fn arguments_out_of_range_are_named() {
    let table = gaussian_table();
    let rt = Runtime::serial();
    for kind in StreamKind::ALL {
        for n in [1, 40, 9000] {
            for bad in [-1, 64, i32::MIN, i32::MAX] {
                let mut indexes = vec![3; n];
                indexes[n - 1] = bad;
                let place = format!("index {bad} at position {}", n - 1);
                let error = rans::encode(kind, &rt, &vec![0; n], &indexes, &table).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidArgument);
                assert!(error.message().contains(&place), "{error}");
                let data = rans::encode(kind, &rt, &vec![0; n], &vec![3; n], &table).unwrap();
                let mut decoder = Decoder::new(kind, rt.simd, &data).unwrap();
                let error = decoder.pull(&indexes, &table, &mut vec![0; n]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidArgument);
                assert!(error.message().contains(&place), "{error}");
            }
        }
        assert!(rans::encode(kind, &rt, &[0; 3], &[0; 2], &table).is_err());
        assert!(rans::decode(kind, &rt, &[], &[0; 2], &table, &mut [0; 3]).is_err());
        assert!(rans::encode_batch(kind, &rt, 2, &[0; 3], &[0; 3], &table).is_err());
    }
}

#[test]
fn an_index_out_of_range_is_named_anywhere_in_a_long_stream() {
    let table = gaussian_table();
    let good = vec![60; 60_000]; // 60 kilobytes, so that all lanes are in use
    for simd in Simd::available() {
        let rt = Runtime::new(simd, 1).unwrap();
        for at in [0, 31, 32, 4095, 4096, 30_000, 40_959, 40_960, 59_967, 59_999] {
            for bad in [-1, 64, i32::MAX] {
                let mut indexes = good.clone();
                indexes[at] = bad;
                let error = rans::encode(StreamKind::Lcrs, &rt, &good, &indexes, &table).unwrap_err();
                let place = format!("index {bad} at position {at} is outside the table (0..=63)");
                assert!(error.message().contains(&place), "{simd:?}: {error}");
            }
        }
    }
}

#[test]
fn tables_out_of_range_are_refused() {
    for (cdfs, width, lengths, offsets, precision, what) in [
        (&[0, 65536][..], 2, &[2][..], &[0][..], 17, "precision of 17"),
        (&[0, 1], 2, &[2], &[0], 0, "precision of 0"),
        (&[], 0, &[], &[], 16, "0 rows"),
        (&[0, 65536], 2, &[3], &[0], 16, "length of 3"),
        (&[0, 65536], 2, &[1], &[0], 16, "length of 1"),
        (&[0, 65536], 2, &[-2], &[0], 16, "length of -2"),
        (&[0, 65536], 2, &[2], &[0, 0], 16, "2 offsets"),
        (&[0, 65536, 0], 2, &[2], &[0], 16, "1 x 2 are needed"),
        (&[1, 65536], 2, &[2], &[0], 16, "begin with 1"),
        (&[0, 65535], 2, &[2], &[0], 16, "end with 65535"),
        (&[0, 5, 5, 65536], 4, &[4], &[0], 16, "frequency 2 is 5"),
        (&[0, 65537, 65536], 3, &[3], &[0], 16, "frequency 2 is 65536"),
        (&[0, i32::MIN, 65536], 3, &[3], &[0], 16, "frequency 1 is -2147483648"),
        (&[0, 5, 65536], 3, &[3], &[i32::MAX], 16, "exceeds 32 bits"),
    ] {
        let error = CdfTable::new(cdfs, width, lengths, offsets, precision).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains(what), "{error}");
    }
}
