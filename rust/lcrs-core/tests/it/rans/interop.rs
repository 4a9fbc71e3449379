//! Integer for integer and byte for byte what the peer gave.

use lcrs_core::cdf::{pmf_to_quantized_cdf, CdfTable};
use lcrs_core::rans::{self, StreamKind};
use lcrs_core::{Runtime, Simd};

use crate::rans::support::{gaussian_table, table, Vectors};

#[test]
fn quantised_cdfs_are_the_peers() {
    let mut vectors = Vectors::open("pmf_to_cdf.bin");
    let mut cases = 0;
    while let Some(bits) = vectors.array() {
        let pmf: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b as u32)).collect();
        let precision = vectors.array().unwrap()[0] as u32;
        let expected: Vec<u32> = vectors.array().unwrap().iter().map(|&c| c as u32).collect();
        assert_eq!(pmf_to_quantized_cdf(&pmf, precision).unwrap(), expected, "case {cases}");
        cases += 1;
    }
    assert_eq!(cases, 295);
}

#[test]
fn ans_streams_are_the_peers() {
    let mut vectors = Vectors::open("rans64_streams.bin");
    let mut cases = 0;
    while let Some(symbols) = vectors.array() {
        let indexes = vectors.array().unwrap();
        let table = vectors.table();
        let bytes: Vec<u8> = vectors.array().unwrap().iter().map(|&b| b as u8).collect();
        for simd in Simd::available() {
            let rt = Runtime::new(simd, 1).unwrap();
            assert_eq!(rans::encode(StreamKind::Ans, &rt, &symbols, &indexes, &table).unwrap(), bytes, "case {cases}");
            let mut decoded = vec![0; symbols.len()];
            rans::decode(StreamKind::Ans, &rt, &bytes, &indexes, &table, &mut decoded).unwrap();
            assert_eq!(decoded, symbols, "case {cases}");
        }
        cases += 1;
    }
    assert_eq!(cases, 60);
}

#[test]
fn ans_vectors_with_escapes_and_an_offset() {
    let first = table(&[vec![0, 10000, 40000, 60000, 65536]], &[0], 16);
    let second = table(&[vec![0, 8000, 56000, 64000, 65536]], &[-1], 16);
    let cycle: Vec<i32> = [-1, 0, 1, 0, 0, 1, -1, 0, 0, 0].repeat(4);
    for (symbols, table, bytes) in [
        (&[0, 1, 2, -1, 3, 7, 100, -100][..], &first, "e20f6b330500000031d88f81c2fbeea8"),
        (&cycle, &second, "ab1c4e6629c3060540c9e454"),
    ] {
        let data = rans::encode(StreamKind::Ans, &Runtime::serial(), symbols, &vec![0; symbols.len()], table).unwrap();
        assert_eq!(data.iter().map(|b| format!("{b:02x}")).collect::<String>(), bytes);
    }
}

#[test]
fn the_gaussian_table_reads_as_it_was_written() {
    let table: CdfTable = gaussian_table();
    assert_eq!(table.num_rows(), 64);
    let row = table.row(63);
    assert_eq!((row.length, row.cdf.len(), row.cdf[0], row.cdf[3132]), (3133, 3133, 0, 65536));
    assert_eq!(row.offset, -1565);
}
