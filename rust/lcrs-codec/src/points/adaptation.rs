//! How probabilities follow what was coded: a network that expects other clouds than it meets is corrected on the way.
//!
//! Rows near each other share a bucket, one for each stage. A bucket knows how many symbols it has seen, how many of them were 1, and
//! how many were expected to be; what that comes to as a change of the logit moves its rows. Buckets change after every block of
//! symbols only, so an encoder and a decoder do the same, and all rows of a block are known at once.

use lcrs_core::exact::math::ln;
use lcrs_core::Result;
use serde_json::Value;

use crate::graph::Attributes;

/// Largest numbers of a description: counts stay far below 2^53.
const MAX_NUMBER: usize = 1 << 20;

/// How quickly probabilities follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Adaptation {
    /// Symbols after which a bucket changes.
    pub block: usize,
    /// Rows of a bucket.
    pub rows: usize,
    /// Symbols of either kind that the network's word is worth.
    pub strength: usize,
    /// Symbols of a bucket at which all of its counts are halved.
    pub limit: usize,
}

impl Adaptation {
    pub(crate) fn parse(value: &Value) -> Result<Self> {
        let mut members = Attributes::new(value, "it")?;
        let parsed = Self {
            block: members.count("block", 1, MAX_NUMBER)?,
            rows: members.count("rows", 1, MAX_NUMBER)?,
            strength: members.count("strength", 1, MAX_NUMBER)?,
            limit: members.count("limit", 1, MAX_NUMBER)?,
        };
        members.finish()?;
        Ok(parsed)
    }
}

/// What a bucket has seen; expected ones are in units of 2^-16.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    seen: u64,
    ones: u64,
    expected: u64,
}

/// Symbols are coded in blocks of so many if nothing adapts.
const BLOCK: usize = 1 << 16;

/// The rows of one stream as they change.
pub(crate) struct Adapter<'m> {
    adaptation: Option<Adaptation>,
    /// Of each row the frequency of 1, of 2^16.
    ones: &'m [u32],
    resolution: usize,
    /// By stage, then row.
    buckets: Vec<Vec<Bucket>>,
    /// What is added to each row of a bucket.
    shifts: Vec<Vec<i32>>,
}

impl<'m> Adapter<'m> {
    /// For rows with these frequencies of 1, of which `resolution` are a unit of the logit.
    pub(crate) fn new(adaptation: Option<Adaptation>, ones: &'m [u32], resolution: usize) -> Self {
        let count = adaptation.map_or(0, |adaptation| ones.len().div_ceil(adaptation.rows));
        Self {
            adaptation,
            ones,
            resolution,
            buckets: vec![vec![Bucket::default(); count]; 8],
            shifts: vec![vec![0; count]; 8],
        }
    }

    /// Symbols that are coded with what is known at the first of them.
    pub(crate) fn block(&self) -> usize {
        self.adaptation.map_or(BLOCK, |adaptation| adaptation.block)
    }

    /// The rows that symbols of a stage are coded with, whose network gives `rows`.
    pub(crate) fn indexes(&self, stage: usize, rows: &[i32], out: &mut Vec<i32>) {
        out.clear();
        let Some(adaptation) = self.adaptation else { return out.extend_from_slice(rows) };
        let (shifts, last) = (&self.shifts[stage], self.ones.len() as i32 - 1);
        out.extend(rows.iter().map(|row| (row + shifts[*row as usize / adaptation.rows]).clamp(0, last)));
    }

    /// Ends a block of symbols of a stage, each 0 or 1.
    pub(crate) fn learn(&mut self, stage: usize, rows: &[i32], symbols: &[i32]) {
        let Some(adaptation) = self.adaptation else { return };
        let buckets = &mut self.buckets[stage];
        for (row, symbol) in rows.iter().zip(symbols) {
            let bucket = &mut buckets[*row as usize / adaptation.rows];
            bucket.seen += 1;
            bucket.ones += *symbol as u64;
            bucket.expected += u64::from(self.ones[*row as usize]);
        }
        for (bucket, shift) in buckets.iter_mut().zip(&mut self.shifts[stage]) {
            *shift = bucket.shift(adaptation.strength, self.resolution);
            if bucket.seen > adaptation.limit as u64 {
                *bucket = Bucket { seen: bucket.seen / 2, ones: bucket.ones / 2, expected: bucket.expected / 2 };
            }
        }
    }
}

impl Bucket {
    /// The change of the logit, in rows: of binary64 numbers, each operation rounded.
    fn shift(&self, strength: usize, resolution: usize) -> i32 {
        let (strength, unit) = (strength as f64, 65536.0);
        let (seen, ones, expected) = (self.seen as f64, self.ones as f64, self.expected as f64 / unit);
        // halving rounds each count by itself
        let (zeros, expected_zeros) = ((seen - ones).max(0.0), (seen - expected).max(0.0));
        let ones = ln((ones + strength) / (expected + strength));
        let zeros = ln((zeros + strength) / (expected_zeros + strength));
        ((ones - zeros) * resolution as f64).round_ties_even() as i32
    }
}
