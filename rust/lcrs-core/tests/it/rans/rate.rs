//! What a stream costs over the tables' ideal, and what it can cost at most.

use lcrs_core::cdf::CdfTable;
use lcrs_core::rans::{self, StreamKind};
use lcrs_core::{Runtime, Simd};

use crate::rans::support::{draw, gaussian_table, heavy_symbols, heavy_table, random_row, table, Rng};

/// Bits of the entries, without what escapes spell.
fn ideal_bytes(symbols: &[i32], indexes: &[i32], table: &CdfTable) -> f64 {
    let bits = |(&symbol, &index): (&i32, &i32)| {
        let row = table.row(index as usize);
        let k = (symbol - row.offset) as usize;
        let frequency = row.cdf[k + 1] - row.cdf[k];
        f64::from(table.precision()) - f64::from(frequency).log2()
    };
    symbols.iter().zip(indexes).map(bits).sum::<f64>() / 8.0
}

/// Requires of every prefix, each longer by a part of `step` than the one before, that it costs at most a thousandth
/// and 8 bytes more than it must.
fn check_overhead(symbols: &[i32], indexes: &[i32], table: &CdfTable, step: usize) {
    let mut len = 1;
    while len <= symbols.len() {
        let (symbols, indexes) = (&symbols[..len], &indexes[..len]);
        let data = rans::encode(StreamKind::Lcrs, &Runtime::serial(), symbols, indexes, table).unwrap();
        let ideal = ideal_bytes(symbols, indexes, table);
        assert!(data.len() as f64 <= ideal * 1.001 + 8.0, "{len} symbols: {} bytes, ideal {ideal:.1}", data.len());
        len += len / step + 1;
    }
}

#[test]
fn overhead_is_a_thousandth_and_eight_bytes() {
    let rng = &mut Rng(17);
    let flat = table(&(0..8).map(|_| random_row(rng, 300, 16)).collect::<Vec<_>>(), &[0; 8], 16);
    let sure = table(&[vec![0, 65_000, 65_400, 65_536]], &[0], 16);
    for table in [gaussian_table(), flat, sure] {
        for rows in [3, 20, 64] {
            let indexes: Vec<i32> = (0..400_000).map(|_| rng.below(rows.min(table.num_rows())) as i32).collect();
            check_overhead(&draw(rng, &table, &indexes, 0), &indexes, &table, 9);
        }
    }
}

#[test]
fn overhead_of_extreme_rows_and_other_precisions() {
    let rng = &mut Rng(19);
    let full: Vec<i32> = (0..=1 << 16).collect();
    for (rows, precision) in [
        (vec![vec![0, 65_535, 65_536]], 16),    // next to nothing a symbol
        (vec![full], 16),                       // 16 bits a symbol
        (vec![vec![0, 1, 65_535, 65_536]], 16), // a first entry of frequency 1
        (vec![vec![0, 32_767, 65_535, 65_536]], 16),
        (vec![random_row(rng, 200, 8), random_row(rng, 3, 8)], 8),
        (vec![random_row(rng, 900, 11)], 11),
        (vec![vec![0, 1, 2]], 1),
    ] {
        let table = table(&rows, &vec![-1; rows.len()], precision);
        let indexes: Vec<i32> = (0..300_000).map(|_| rng.below(rows.len()) as i32).collect();
        check_overhead(&draw(rng, &table, &indexes, 0), &indexes, &table, 4);
    }
}

/// The worst that a row can be asked for: only its rarest values.
#[test]
fn overhead_of_unlikely_symbols() {
    let table = table(&[vec![0, 1, 2, 65_535, 65_536], vec![0, 3, 65_000, 65_536]], &[0, 0], 16);
    let indexes: Vec<i32> = (0..200_000).map(|i| i % 2).collect();
    check_overhead(&vec![0; indexes.len()], &indexes, &table, 4);
}

/// Of a density of which every eighth value is escaped, and all are.
#[test]
fn packed_escapes_cost_what_their_density_says() {
    let (table, n) = (heavy_table(40), 40_000);
    let row = table.row(39);
    let last = row.offset + row.length as i32 - 3;
    for (scale, within) in [(f64::from(last) / 5.0, 1.01), (f64::from(last) * 50.0, 1.01)] {
        let symbols = heavy_symbols(&mut Rng(21), n, scale);
        let heavy = rans::encode(StreamKind::Lcrs, &Runtime::serial(), &symbols, &vec![39; n], &table).unwrap();
        // what the row says, and of the escaped values what their density says
        let mass = |v: i32| {
            let v = f64::from(v.abs());
            let cumulative = |x: f64| (x / scale).atan() / std::f64::consts::PI;
            if v == 0.0 {
                2.0 * cumulative(1.0)
            } else {
                cumulative(v + 1.0) - cumulative(v)
            }
        };
        let (inside, beyond): (Vec<i32>, Vec<i32>) = symbols.iter().partition(|&&s| (row.offset..=last).contains(&s));
        let escape = f64::from(row.cdf[row.length - 1] - row.cdf[row.length - 2]);
        let tail = 1.0 - (row.offset..=last).map(mass).sum::<f64>();
        let spelled: f64 = beyond.iter().map(|&s| tail.log2() - mass(s).log2()).sum();
        let ideal = ideal_bytes(&inside, &vec![39; inside.len()], &table)
            + (beyond.len() as f64 * (16.0 - escape.log2()) + spelled) / 8.0;
        assert!(beyond.len() > n / 10, "{} of {n}", beyond.len());
        assert!((heavy.len() as f64) < within * ideal, "{} bytes, ideal {ideal:.0}", heavy.len());
    }
}

#[test]
fn overhead_of_millions() {
    let (table, rng) = (gaussian_table(), &mut Rng(31));
    let indexes: Vec<i32> = (0..5_000_000).map(|_| rng.below(64) as i32).collect();
    check_overhead(&draw(rng, &table, &indexes, 0), &indexes, &table, 1);
}

#[test]
fn streams_stay_below_their_bound() {
    let rng = &mut Rng(23);
    let worst = table(&[vec![0, 65_535, 65_536]], &[0], 16);
    for kind in StreamKind::ALL {
        for n in [0, 1, 2, 100, 5000, 40_000] {
            // the escape has the frequency 1 and the value needs all digits
            let symbols: Vec<i32> = (0..n).map(|_| if rng.below(2) == 0 { i32::MIN } else { i32::MAX }).collect();
            let data = rans::encode(kind, &Runtime::serial(), &symbols, &vec![0; n], &worst).unwrap();
            assert!(data.len() <= rans::encoded_bound(kind, n), "{kind:?}, {n} symbols: {} bytes", data.len());
        }
    }
}

#[test]
fn batches_are_single_streams_whatever_the_threads() {
    let (table, rng) = (gaussian_table(), &mut Rng(29));
    let indexes: Vec<i32> = (0..12_000).map(|_| rng.below(64) as i32).collect();
    let symbols = draw(rng, &table, &indexes, 90);
    for kind in StreamKind::ALL {
        let single = Runtime::serial();
        let expected: Vec<Vec<u8>> = (0..6)
            .map(|i| &symbols[2000 * i..2000 * (i + 1)])
            .zip(indexes.chunks(2000))
            .map(|(s, i)| rans::encode(kind, &single, s, i, &table).unwrap())
            .collect();
        for threads in [1, 3] {
            let rt = Runtime::new(Simd::detect(), threads).unwrap();
            let streams = rans::encode_batch(kind, &rt, 6, &symbols, &indexes, &table).unwrap();
            assert!(streams.iter().map(|stream| &**stream).eq(expected.iter().map(Vec::as_slice)));
            let mut slices: Vec<&[u8]> = streams.iter().map(|stream| &**stream).collect();
            let mut out = vec![0; symbols.len()];
            rans::decode_batch(kind, &rt, &slices, &indexes, &table, &mut out).unwrap();
            assert_eq!(out, symbols);
            slices[4] = &slices[4][..9];
            let error = rans::decode_batch(kind, &rt, &slices, &indexes, &table, &mut out).unwrap_err();
            assert!(error.message().starts_with("stream 4: "), "{error}");
        }
        let none = rans::encode_batch(kind, &single, 3, &[], &[], &table).unwrap();
        assert!(none.len() == 3 && *none[0] == rans::encode(kind, &single, &[], &[], &table).unwrap()[..]);
    }
}
