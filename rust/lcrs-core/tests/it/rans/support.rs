//! Vectors, tables and symbols for the tests.

use std::path::PathBuf;

use lcrs_core::cdf::{pmf_to_quantized_cdf, CdfTable};

/// The committed vectors, written by `tests/data/coder/make_bin.py`, which describes the format.
pub(crate) struct Vectors(std::vec::IntoIter<u8>);

impl Vectors {
    pub(crate) fn open(name: &str) -> Self {
        let path = Self::path(name);
        Self(std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).into_iter())
    }

    fn path(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/coder").join(name)
    }

    /// Writes such a file.
    pub(crate) fn write(name: &str, arrays: &[Vec<i32>]) {
        let mut out = vec![];
        for array in arrays {
            for value in std::iter::once(array.len() as i64).chain(array.iter().map(|&v| i64::from(v))) {
                let mut folded = if value >= 0 { 2 * value } else { -2 * value - 1 };
                while folded > 127 {
                    out.push((folded & 127 | 128) as u8);
                    folded >>= 7;
                }
                out.push(folded as u8);
            }
        }
        std::fs::write(Self::path(name), out).unwrap();
    }

    fn number(&mut self) -> Option<i32> {
        let mut folded = 0u64;
        for shift in (0..).step_by(7) {
            let byte = self.0.next()?;
            folded |= u64::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
        Some(if folded & 1 == 0 { (folded / 2) as i64 } else { -((folded / 2) as i64) - 1 } as i32)
    }

    /// The next array, or none at the end.
    pub(crate) fn array(&mut self) -> Option<Vec<i32>> {
        let len = self.number()?;
        Some((0..len).map(|_| self.number().unwrap()).collect())
    }

    /// The next three arrays: rows without padding, lengths, offsets.
    pub(crate) fn table(&mut self) -> CdfTable {
        let (rows, lengths, offsets) = (self.array().unwrap(), self.array().unwrap(), self.array().unwrap());
        let mut rest = &rows[..];
        let rows: Vec<Vec<i32>> = lengths.iter().map(|&n| take(&mut rest, n as usize)).collect();
        table(&rows, &offsets, 16)
    }
}

fn take(rest: &mut &[i32], n: usize) -> Vec<i32> {
    let (row, left) = rest.split_at(n);
    *rest = left;
    row.to_vec()
}

/// A table from rows of different lengths.
pub(crate) fn table(rows: &[Vec<i32>], offsets: &[i32], precision: u32) -> CdfTable {
    let width = rows.iter().map(Vec::len).max().unwrap();
    let padded: Vec<i32> =
        rows.iter().flat_map(|row| row.iter().copied().chain(std::iter::repeat(0)).take(width)).collect();
    let lengths: Vec<i32> = rows.iter().map(|row| row.len() as i32).collect();
    CdfTable::new(&padded, width, &lengths, offsets, precision).unwrap()
}

/// The table of the default 64 scales.
pub(crate) fn gaussian_table() -> CdfTable {
    Vectors::open("gaussian_default_table.bin").table()
}

/// The first `rows` of them, of which heavy tails are said.
pub(crate) fn heavy_table(rows: usize) -> CdfTable {
    let gaussian = gaussian_table();
    let rows: Vec<_> = (0..rows).map(|r| gaussian.row(r)).collect();
    let cdfs: Vec<Vec<i32>> = rows.iter().map(|row| row.cdf.iter().map(|&c| c as i32).collect()).collect();
    table(&cdfs, &rows.iter().map(|row| row.offset).collect::<Vec<_>>(), 16).with_heavy_tails()
}

/// Values of a Cauchy density, as many as `indexes`, most of which lie beyond rows of small scales.
pub(crate) fn heavy_symbols(rng: &mut Rng, count: usize, scale: f64) -> Vec<i32> {
    let uniform = |rng: &mut Rng| (rng.below(1 << 20) as f64 + 0.5) / f64::from(1 << 20) - 0.5;
    (0..count).map(|_| (scale * (std::f64::consts::PI * uniform(rng)).tan()) as i32).collect()
}

/// A small generator (xorshift), so that cases are the same everywhere.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// A row of `entries` entries with wild frequencies, as cumulative frequencies.
pub(crate) fn random_row(rng: &mut Rng, entries: usize, precision: u32) -> Vec<i32> {
    let pmf: Vec<f32> = (0..entries).map(|_| (rng.below(1000) as f32 / 1000.0).powi(6)).collect();
    let sum: f32 = pmf.iter().sum::<f32>().max(1e-3);
    let mut pmf: Vec<f32> = pmf.iter().map(|p| p / sum).collect();
    pmf[0] += 0.01;
    pmf_to_quantized_cdf(&pmf, precision).unwrap().iter().map(|&c| c as i32).collect()
}

/// Symbols drawn from the rows that `indexes` name; one in `escape_every` is any number instead.
pub(crate) fn draw(rng: &mut Rng, table: &CdfTable, indexes: &[i32], escape_every: usize) -> Vec<i32> {
    let total = 1 << table.precision();
    indexes
        .iter()
        .map(|&index| {
            let row = table.row(index as usize);
            let slot = rng.below(total) as u32;
            let entry = row.cdf.partition_point(|&c| c <= slot) - 1;
            if escape_every > 0 && rng.below(escape_every) == 0 {
                match rng.below(6) {
                    0 => i32::MIN,
                    1 => i32::MAX,
                    2 => row.offset.wrapping_sub(1),
                    3 => row.offset.wrapping_add(row.length as i32 - 2),
                    4 => rng.below(10_000) as i32 - 5_000,
                    _ => rng.next() as i32,
                }
            } else {
                row.offset.wrapping_add((entry as i32).min(row.length as i32 - 3))
            }
        })
        .collect()
}
