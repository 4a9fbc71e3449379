//! Tiny models built in memory from pseudo-random weights, and pictures to code with them.
#![allow(dead_code, unused_imports, clippy::unwrap_used, missing_docs, unreachable_pub)]

mod clouds;
mod damage;
mod gains;
mod graphs;
mod models;
mod scans;

pub use clouds::{cloud, cloud_model, cloud_package, surface};
pub use damage::{check_bit_flips, check_truncations};
pub use gains::{gained, log_gain, LEVELS};
pub use graphs::{GraphJson, Weights};
pub use models::{arrays, factorized, hyperprior, variable_rate, Model};
pub use scans::{scanned, scanned_variable, CHANNELS, GAIN};

use lcrs_codec::Picture;
use lcrs_core::{Limits, Runtime, Simd};

/// SplitMix64: the same numbers on every machine.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// A number from -1 to 1.
    pub fn signed(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// A picture with structure at several sizes and some noise.
pub fn picture(width: u32, height: u32, seed: u64) -> Picture {
    let mut random = Random(seed);
    let mut data = Vec::new();
    for y in 0..height as i64 {
        for x in 0..width as i64 {
            let noise = random.below(9) as i64;
            for shade in [3 * x + 2 * y, 90 + 5 * y - x, (x / 8 + y / 8) % 2 * 150] {
                data.push((shade + noise).rem_euclid(256) as u8);
            }
        }
    }
    Picture::new(width, height, data).unwrap()
}

/// Every instruction set of this machine, alone and with several threads.
pub fn runtimes() -> Vec<Runtime> {
    let paths = Simd::available().into_iter();
    paths.flat_map(|simd| [1, 3].map(|threads| Runtime::new(simd, threads).unwrap())).collect()
}

/// Whether the tests that take long are wanted: here, larger pictures and repetitions.
pub fn is_slow() -> bool {
    std::env::var_os("LCRS_TEST_SLOW").is_some_and(|value| !value.is_empty())
}

pub fn limits() -> Limits {
    Limits::default()
}
