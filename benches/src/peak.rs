//! What the processor's fused multiply-adds could do if nothing had to be fetched.
#![allow(unsafe_code)]

use std::time::Instant;

use lcrs_core::Simd;

/// Steps of one run of the loop: some tenths of a millisecond.
const STEPS: usize = 1 << 15;

/// Multiply-accumulates a second of one thread: the fastest of many short runs of a loop on registers.
#[must_use]
pub fn peak_macs(simd: Simd) -> f64 {
    let speed = |_| {
        let begin = Instant::now();
        let macs = chains(simd);
        macs as f64 / begin.elapsed().as_secs_f64()
    };
    (0..2000).map(speed).fold(0.0, f64::max)
}

/// Runs independent chains for a while; how many multiply-accumulates that was.
fn chains(simd: Simd) -> u64 {
    match simd {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: callers name paths of this processor.
        Simd::Avx512 => unsafe { x86::chains_512() },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Simd::Avx2 => unsafe { x86::chains_256() },
        _ => plain(),
    }
}

/// Chains as compilers make them of plain code, for paths without a loop of their own.
fn plain() -> u64 {
    let mut sums = [0.0_f32; 64];
    for _ in 0..STEPS / 16 {
        for sum in &mut sums {
            *sum = f32::mul_add(*sum, 0.5, 1.0);
        }
        std::hint::black_box(&mut sums);
    }
    (STEPS / 16 * 64) as u64
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::STEPS;
    use std::arch::x86_64::*;

    macro_rules! chains {
        ($name:ident, $features:literal, $lanes:literal, $chains:literal, $set:ident, $fma:ident) => {
            #[target_feature(enable = $features)]
            pub(super) unsafe fn $name() -> u64 {
                let (half, one) = (std::hint::black_box($set(0.5)), std::hint::black_box($set(1.0)));
                let mut sums = [one; $chains];
                for _ in 0..STEPS {
                    for sum in &mut sums {
                        *sum = $fma(*sum, half, one);
                    }
                }
                std::hint::black_box(sums);
                (STEPS * $chains * $lanes) as u64
            }
        };
    }

    chains!(chains_512, "avx512f", 16, 24, _mm512_set1_ps, _mm512_fmadd_ps);
    chains!(chains_256, "avx2,fma", 8, 12, _mm256_set1_ps, _mm256_fmadd_ps);
}
