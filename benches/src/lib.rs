//! Workloads shared by the benchmarks.

mod grouped;
mod latent_loop;
mod peak;

pub use grouped::GroupedLatent;
pub use latent_loop::LatentLoop;
pub use peak::peak_macs;

use lcrs_core::cdf::{pmf_to_quantized_cdf, CdfTable};

/// Number of default scales.
pub const NUM_SCALES: usize = 64;

/// Symbols to code, with the indexes of their rows.
#[derive(Debug)]
pub struct Workload {
    /// What it is called in results.
    pub name: &'static str,
    /// The values.
    pub symbols: Vec<i32>,
    /// Their rows.
    pub indexes: Vec<i32>,
}

impl Workload {
    /// The index is uniform over all 64 scales.
    #[must_use]
    pub fn uniform64(len: usize) -> Self {
        Self::new("uniform64", len, |_| 1.0)
    }

    /// The index has the weight `exp(-i / 8)` over the 41 scales up to 16: close to a real latent.
    #[must_use]
    pub fn skewed(len: usize) -> Self {
        Self::new("skewed", len, |i| if i < 41 { (-(i as f64) / 8.0).exp() } else { 0.0 })
    }

    fn new(name: &'static str, len: usize, weight: impl Fn(usize) -> f64) -> Self {
        let mut cumulative = Vec::with_capacity(NUM_SCALES);
        let mut sum = 0.0;
        for i in 0..NUM_SCALES {
            sum += weight(i);
            cumulative.push(sum);
        }
        let (scales, mut rng) = (scales(), Rng(0x9E37_79B9_7F4A_7C15));
        let (mut symbols, mut indexes) = (Vec::with_capacity(len), Vec::with_capacity(len));
        for _ in 0..len {
            let at = rng.uniform() * sum;
            let index = cumulative.partition_point(|&c| c <= at).min(NUM_SCALES - 1);
            symbols.push((rng.normal() * scales[index]).round_ties_even() as i32);
            indexes.push(index as i32);
        }
        Self { name, symbols, indexes }
    }
}

/// The default 64 scales: from 0.11 to 256, equally spaced in the logarithm.
#[must_use]
pub fn scales() -> Vec<f64> {
    let (low, high) = (0.11f64.ln(), 256f64.ln());
    (0..NUM_SCALES).map(|i| (low + (high - low) * i as f64 / (NUM_SCALES - 1) as f64).exp()).collect()
}

/// A table of Gaussians with these scales, 6.1 of them wide on each side: the size and shape of the default table.
#[must_use]
pub fn gaussian_table(scales: &[f64]) -> CdfTable {
    let mut rows = Vec::new();
    let mut offsets = Vec::new();
    for scale in scales {
        let half = (6.1 * scale).ceil() as i32;
        let pmf: Vec<f32> = (-half..=half).map(|v| (-0.5 * (f64::from(v) / scale).powi(2)).exp() as f32).collect();
        let sum: f32 = pmf.iter().sum();
        let pmf: Vec<f32> = pmf.iter().map(|p| p / sum).chain([1e-9]).collect();
        rows.push(pmf_to_quantized_cdf(&pmf, 16).unwrap_or_default());
        offsets.push(-half);
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let lengths: Vec<i32> = rows.iter().map(|row| row.len() as i32).collect();
    let padded: Vec<i32> =
        rows.iter().flat_map(|row| (0..width).map(|k| row.get(k).map_or(0, |&c| c as i32))).collect();
    CdfTable::new(&padded, width, &lengths, &offsets, 16).unwrap_or_else(|e| unreachable!("{e}"))
}

/// Xorshift: the same workloads everywhere.
struct Rng(u64);

impl Rng {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// By Box and Muller's method.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
