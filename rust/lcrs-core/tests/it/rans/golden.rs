//! Streams written once, which must be written the same and read for ever.
//!
//! `streams.bin` has for each case: symbols, indexes, rows without padding, lengths, offsets, the `ans` bytes, the
//! `lcrs` bytes; `packed.bin` the same of tables with heavy tails, without `ans` bytes.

use lcrs_core::rans::{self, StreamKind};
use lcrs_core::{Runtime, Simd};

use crate::rans::support::{draw, gaussian_table, heavy_symbols, heavy_table, random_row, table, Rng, Vectors};

#[test]
fn golden_streams_are_written_and_read() {
    let mut vectors = Vectors::open("streams.bin");
    let mut lane_counts = vec![];
    while let Some(symbols) = vectors.array() {
        let indexes = vectors.array().unwrap();
        let table = vectors.table();
        for kind in StreamKind::ALL {
            let bytes: Vec<u8> = vectors.array().unwrap().iter().map(|&b| b as u8).collect();
            for simd in Simd::available() {
                let rt = Runtime::new(simd, 1).unwrap();
                assert_eq!(rans::encode(kind, &rt, &symbols, &indexes, &table).unwrap(), bytes, "{kind:?} {simd:?}");
                let mut decoded = vec![0; symbols.len()];
                rans::decode(kind, &rt, &bytes, &indexes, &table, &mut decoded).unwrap();
                assert_eq!(decoded, symbols, "{kind:?} {simd:?}");
            }
            if kind == StreamKind::Lcrs {
                lane_counts.push(1 << (bytes[0] & 7));
            }
        }
    }
    assert_eq!(lane_counts, [1, 1, 1, 1, 2, 4, 8, 16, 32, 4]);
}

/// Wrote the file. Format version 1 is frozen, so it is not to be run again.
#[test]
#[ignore = "writes the golden streams"]
fn write_golden_streams() {
    let (gaussian, rng) = (gaussian_table(), &mut Rng(42));
    let certain = table(&[vec![0, 65536], random_row(rng, 40, 16)], &[3, -20], 16);
    let small = table(&(0..12).map(|i| random_row(rng, 5 + 9 * i, 16)).collect::<Vec<_>>(), &[-9; 12], 16);
    let mut arrays: Vec<Vec<i32>> = vec![];
    let cases =
        [(0, &small, 0), (1, &small, 0), (16, &small, 5), (300, &small, 0), (2200, &small, 0), (4500, &small, 300)];
    let more = [(9000, &small, 0), (17_000, &small, 0), (33_000, &gaussian, 1000), (9000, &certain, 0)];
    for (n, table, escape_every) in cases.into_iter().chain(more) {
        let indexes: Vec<i32> = (0..n).map(|_| rng.below(table.num_rows()) as i32).collect();
        let symbols = draw(rng, table, &indexes, escape_every);
        let rows = || (0..table.num_rows()).map(|r| table.row(r));
        let encode = |kind| rans::encode(kind, &Runtime::serial(), &symbols, &indexes, table).unwrap();
        arrays.extend([
            symbols.clone(),
            indexes.clone(),
            rows().flat_map(|row| row.cdf.iter().map(|&c| c as i32)).collect(),
            rows().map(|row| row.length as i32).collect(),
            rows().map(|row| row.offset).collect(),
        ]);
        arrays.extend(StreamKind::ALL.map(|kind| encode(kind).into_iter().map(i32::from).collect()));
    }
    Vectors::write("streams.bin", &arrays);
}

#[test]
fn golden_packed_streams_are_written_and_read() {
    let (mut vectors, mut heads) = (Vectors::open("packed.bin"), vec![]);
    while let Some(symbols) = vectors.array() {
        let indexes = vectors.array().unwrap();
        let table = vectors.table().with_heavy_tails();
        let bytes: Vec<u8> = vectors.array().unwrap().iter().map(|&b| b as u8).collect();
        for simd in Simd::available() {
            let rt = Runtime::new(simd, 1).unwrap();
            assert_eq!(rans::encode(StreamKind::Lcrs, &rt, &symbols, &indexes, &table).unwrap(), bytes, "{simd:?}");
            let mut decoded = vec![0; symbols.len()];
            rans::decode(StreamKind::Lcrs, &rt, &bytes, &indexes, &table, &mut decoded).unwrap();
            assert_eq!(decoded, symbols, "{simd:?}");
        }
        heads.push((bytes[0] >> 7, 1 << (bytes[0] & 7)));
    }
    assert_eq!(heads, [(0, 1), (0, 1), (1, 1), (1, 8)]);
}

/// Wrote the file, which is not to be written again.
#[test]
#[ignore = "writes the golden packed streams"]
fn write_golden_packed_streams() {
    let (table, rng, mut arrays) = (heavy_table(24), &mut Rng(43), vec![]);
    for (n, scale) in [(1, 900.0), (7, 900.0), (200, 30.0), (2500, 12.0)] {
        let indexes: Vec<i32> = (0..n).map(|_| rng.below(24) as i32).collect();
        let mut symbols = heavy_symbols(rng, n, scale);
        symbols[n / 2] = i32::MIN;
        let rows = || (0..table.num_rows()).map(|r| table.row(r));
        let bytes = rans::encode(StreamKind::Lcrs, &Runtime::serial(), &symbols, &indexes, &table).unwrap();
        arrays.extend([
            symbols,
            indexes,
            rows().flat_map(|row| row.cdf.iter().map(|&c| c as i32)).collect(),
            rows().map(|row| row.length as i32).collect(),
            rows().map(|row| row.offset).collect(),
            bytes.into_iter().map(i32::from).collect(),
        ]);
    }
    Vectors::write("packed.bin", &arrays);
}
