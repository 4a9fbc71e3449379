//! The native stream's specification written down once more, slowly: linear search, one symbol at a time, words in a
//! list. Nothing is shared with the library.

use std::collections::HashMap;

use lcrs_core::cdf::{CdfTable, Row};
use lcrs_core::rans::{self, StreamKind};
use lcrs_core::Runtime;

use crate::rans::support::{draw, gaussian_table, heavy_symbols, heavy_table, Rng};

const M: u64 = 65536;

/// (start, frequency) of an entry, scaled to a total of 2^16.
fn entry(row: &Row, k: usize, precision: u32) -> (u64, u64) {
    let scale = 16 - precision;
    (u64::from(row.cdf[k]) << scale, u64::from(row.cdf[k + 1] - row.cdf[k]) << scale)
}

fn leb128(out: &mut Vec<u8>, mut v: u64) {
    while v >= 128 {
        out.push((v % 128 + 128) as u8);
        v /= 128;
    }
    out.push(v as u8);
}

/// Steps 12 to 14.
fn pack(digits: &[u8]) -> Vec<u8> {
    let (mut learnt, mut entries, mut place) = (HashMap::new(), vec![], 0);
    for digit in digits {
        let has_more = digit & 8 != 0;
        for bit in [3, 2, 1, 0] {
            let before = if bit == 3 { (false, 0) } else { (has_more, 8 | (digit & 7) >> (bit + 1) << (bit + 1)) };
            let (l, n) = learnt.entry((place, bit, before)).or_insert((M / 2, 0));
            if digit >> bit & 1 == 1 {
                entries.push((0, *l));
                *l += 2 * (M - *l) / (2 * *n + 3);
            } else {
                entries.push((*l, M - *l));
                *l -= 2 * *l / (2 * *n + 3);
            }
            *l = (*l).clamp(32, M - 32);
            *n = (*n + 1).min(126);
        }
        place = if has_more { place + 1 } else { 0 };
    }
    let (mut x, mut words) = (M, vec![]);
    for (start, frequency) in entries.into_iter().rev() {
        if x >= frequency << 32 {
            words.push(x % M);
            x /= M;
        }
        x = x / frequency * M + x % frequency + start;
    }
    while x > 0 {
        words.push(x % M);
        x /= M;
    }
    words.iter().rev().flat_map(|&word| (word as u16).to_le_bytes()).collect()
}

/// Steps 10 to 14 of the specification.
pub(crate) fn encode(symbols: &[i32], indexes: &[i32], table: &CdfTable) -> Vec<u8> {
    let (mut entries, mut digits, mut cost) = (vec![], vec![], 0u64);
    for (&symbol, &index) in symbols.iter().zip(indexes) {
        let row = table.row(index as usize);
        let max = row.length as i64 - 2;
        let p = i64::from(symbol) - i64::from(row.offset);
        let k = if p < 0 || p >= max { max } else { p };
        if k == max {
            let mut raw = if p < 0 { -2 * p - 1 } else { 2 * (p - max) };
            loop {
                digits.push((raw % 8 + if raw >= 8 { 8 } else { 0 }) as u8);
                raw /= 8;
                if raw == 0 {
                    break;
                }
            }
        }
        let (start, frequency) = entry(&row, k as usize, table.precision());
        entries.push((start, frequency));
        cost += u64::from((65536f32.to_bits() - (frequency as f32).to_bits()) / 32768);
    }
    let b = cost / (1 << 20);
    let mut lanes = [32, 16, 8, 4, 2].into_iter().find(|&l| l <= b).unwrap_or(1) as usize;

    let mut words: Vec<u16> = vec![];
    let put = |x: &mut u64, (start, frequency): (u64, u64), words: &mut Vec<u16>| {
        if *x >> 32 >= frequency {
            words.push((*x % M) as u16);
            *x /= M;
        }
        *x = *x / frequency * M + *x % frequency + start;
    };
    let mut states = vec![M];
    while !entries.is_empty() && (lanes == 1 || words.len() < 2 * (lanes - 1) || entries.len() % lanes != 0) {
        put(&mut states[0], entries.pop().unwrap(), &mut words);
    }
    if entries.is_empty() {
        lanes = 1;
    }
    for _ in 1..lanes {
        let (lo, hi) = (words.pop().unwrap(), words.pop().unwrap());
        states.push((1 << 32) + (u64::from(hi) << 16) + u64::from(lo));
    }
    let groups = entries.len() / lanes;
    while let Some(last) = entries.pop() {
        put(&mut states[entries.len() % lanes], last, &mut words);
    }

    let mut out = vec![lanes.ilog2() as u8 + if digits.is_empty() { 0 } else { 64 }];
    if !digits.is_empty() {
        let mut spelled: Vec<u8> = digits.chunks(2).map(|d| d[0] + 16 * d.get(1).unwrap_or(&0)).collect();
        let packed = pack(&digits);
        if table.has_heavy_tails() && packed.len() < spelled.len() {
            (spelled, out[0]) = (packed, out[0] | 128);
        }
        leb128(&mut out, spelled.len() as u64);
        out.extend(spelled);
    }
    if lanes == 1 {
        let bytes = states[0].to_le_bytes();
        let n = 8 - bytes.iter().rev().take_while(|&&b| b == 0).count();
        out[0] += (n as u8) << 3;
        out.extend(&bytes[..n]);
    } else {
        leb128(&mut out, groups as u64);
        let mut bits: Vec<bool> = vec![];
        let mut push = |v: u64, n: u32| bits.extend((0..n).map(|k| v >> k & 1 == 1));
        states.iter().for_each(|x| push(u64::from(x.ilog2()) - 32, 4));
        states.iter().for_each(|x| push(*x, x.ilog2()));
        out.extend(bits.chunks(8).map(|c| c.iter().enumerate().map(|(k, &b)| u8::from(b) << k).sum::<u8>()));
    }
    out.extend(words.iter().rev().flat_map(|w| w.to_le_bytes()));
    out
}

#[test]
fn bytes_are_those_of_the_specification() {
    let table = gaussian_table();
    let mut rng = Rng(7);
    for n in (0..80).chain([500, 2000, 5000, 20_011, 100_000]) {
        for (escape_every, rows) in [(0, 64), (3, 20), (50, 64), (0, 4)] {
            let indexes: Vec<i32> = (0..n).map(|_| rng.below(rows) as i32).collect();
            let symbols = draw(&mut rng, &table, &indexes, escape_every);
            let data = rans::encode(StreamKind::Lcrs, &Runtime::serial(), &symbols, &indexes, &table).unwrap();
            assert_eq!(data, encode(&symbols, &indexes, &table), "{n} symbols");
        }
    }
}

#[test]
fn packed_escapes_are_those_of_the_specification() {
    let (table, rng) = (heavy_table(40), &mut Rng(8));
    let (mut packed, mut plain) = (0, 0);
    for n in [1, 3, 20, 100, 3000, 20_011] {
        for scale in [0.5, 30.0, 4000.0] {
            let indexes: Vec<i32> = (0..n).map(|_| rng.below(40) as i32).collect();
            let symbols = heavy_symbols(rng, n, scale);
            let data = rans::encode(StreamKind::Lcrs, &Runtime::serial(), &symbols, &indexes, &table).unwrap();
            assert_eq!(data, encode(&symbols, &indexes, &table), "{n} symbols of scale {scale}");
            *if data[0] > 127 { &mut packed } else { &mut plain } += 1;
        }
    }
    assert!(packed > 5 && plain > 5, "{packed} packed, {plain} plain");
}
