//! What goes in comes out: every kind, every path, every table, in pieces of any size.

use lcrs_core::cdf::CdfTable;
use lcrs_core::rans::{self, Decoder, Encoder, StreamKind};
use lcrs_core::{Runtime, Simd};

use crate::rans::support::{draw, gaussian_table, heavy_symbols, heavy_table, random_row, table, Rng};

/// Encodes on each path, requires the same bytes, and decodes them on each path in one piece and in random ones.
pub(crate) fn check(rng: &mut Rng, symbols: &[i32], indexes: &[i32], table: &CdfTable) {
    for kind in StreamKind::ALL {
        let scalar = Runtime::new(Simd::Scalar, 1).unwrap();
        let data = rans::encode(kind, &scalar, symbols, indexes, table).unwrap();
        for simd in Simd::available() {
            let rt = Runtime::new(simd, 1).unwrap();
            assert_eq!(rans::encode(kind, &rt, symbols, indexes, table).unwrap(), data, "{kind:?} {simd:?}");
            let mut whole = vec![0; symbols.len()];
            rans::decode(kind, &rt, &data, indexes, table, &mut whole).unwrap();
            assert_eq!(whole, symbols, "{kind:?} {simd:?}");
            let (mut encoder, mut pieces) = (Encoder::new(kind, simd), vec![0; symbols.len()]);
            let mut decoder = Decoder::new(kind, simd, &data).unwrap();
            let mut at = 0;
            while at < symbols.len() {
                let piece = at..(at + 1 + rng.below(80)).min(symbols.len());
                encoder.push(&symbols[piece.clone()], &indexes[piece.clone()], table).unwrap();
                decoder.pull(&indexes[piece.clone()], table, &mut pieces[piece.clone()]).unwrap();
                at = piece.end;
            }
            decoder.finish().unwrap();
            assert_eq!(pieces, symbols, "{kind:?} {simd:?} in pieces");
            assert_eq!(encoder.finish().unwrap(), data, "{kind:?} {simd:?} in pieces");
        }
    }
}

fn check_drawn(rng: &mut Rng, table: &CdfTable, lengths: impl IntoIterator<Item = usize>) {
    for n in lengths {
        for escape_every in [0, 2, 100] {
            let indexes: Vec<i32> = (0..n).map(|_| rng.below(table.num_rows()) as i32).collect();
            let symbols = draw(rng, table, &indexes, escape_every);
            check(rng, &symbols, &indexes, table);
        }
    }
}

#[test]
fn gaussian_rows_at_many_lengths() {
    check_drawn(&mut Rng(1), &gaussian_table(), (0..70).chain([127, 128, 129, 1000, 5000, 20_011]));
}

/// Past 16 kilobytes streams have all lanes, and what follows is encoded as it comes.
#[test]
fn long_streams_and_escapes_anywhere_in_them() {
    let (rng, table) = (&mut Rng(9), gaussian_table());
    check_drawn(rng, &table, [70_001]);
    let indexes: Vec<i32> = (0..70_001).map(|_| 20 + rng.below(44) as i32).collect();
    let mut symbols = draw(rng, &table, &indexes, 0);
    for at in [0, 15, 16, 31, 32, 4095, 4096, 40_959, 40_960, 65_535, 65_536, 69_999, 70_000] {
        symbols[at] = if at % 2 == 0 { i32::MIN } else { i32::MAX };
    }
    check(rng, &symbols, &indexes, &table);
}

#[test]
fn packed_escapes() {
    let (rng, table) = (&mut Rng(4), heavy_table(64));
    for n in [1, 40, 700, 70_001] {
        let indexes: Vec<i32> = (0..n).map(|_| rng.below(64) as i32).collect();
        let mut symbols = heavy_symbols(rng, n, 90.0);
        symbols[n / 2] = i32::MIN;
        symbols[n - 1] = i32::MAX;
        check(rng, &symbols, &indexes, &table);
    }
    check_drawn(rng, &table, [9, 2000]);
}

#[test]
fn odd_tables() {
    let rng = &mut Rng(2);
    let many: Vec<Vec<i32>> = (0..300)
        .map(|_| {
            let n = 2 + rng.below(40);
            random_row(rng, n, 16)
        })
        .collect();
    let many_offsets: Vec<i32> = (0..300).map(|_| rng.below(60) as i32 - 30).collect();
    let wide = vec![random_row(rng, 3132, 16), random_row(rng, 65536, 16), random_row(rng, 20_000, 16)];
    let certain = vec![vec![0, 65536], random_row(rng, 9, 16)];
    let steep = vec![vec![0, 1, 2, 65535, 65536], vec![0, 65534, 65535, 65536], vec![0, 65535, 65536]];
    for table in [
        table(&many, &many_offsets, 16),
        table(&wide, &[-1566, -30_000, 5], 16),
        table(&certain, &[0, -4], 16),
        table(&certain[..1], &[i32::MAX], 16),
        table(&steep, &[-2, 0, 7], 16),
        table(&steep, &[i32::MIN, i32::MAX - 2, 1 << 20], 16),
        table(&[random_row(rng, 30, 12), random_row(rng, 4096, 12)], &[-15, -2000], 12),
        table(&[vec![0, 1, 2], vec![0, 2]], &[0, 0], 1),
    ] {
        check_drawn(rng, &table, [1, 2, 33, 700, 6000]);
    }
}
