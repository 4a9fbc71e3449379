//! AVX2 + FMA and AVX-512 kernels: up to 6 x 2 and 12 x 2 accumulators, all in registers.
//!
//! Twelve positions is the most: with 13, LLVM spills an accumulator in the loop.
#![allow(unsafe_code)]

use super::{Block, DepthwiseBlock, DepthwiseKernel, Isa, Kernel};
use std::arch::x86_64::*;

macro_rules! dense_table {
    ($function:ident, $vectors:literal, $ahead:literal, $($positions:literal)*) => {
        &[$($function::<$positions, $vectors, $ahead> as Kernel),*]
    };
}
macro_rules! depthwise_table {
    ($function:ident, $vectors:literal, $($positions:literal)*) => { &[$($function::<$positions, $vectors> as DepthwiseKernel),*] };
}

pub(super) static AVX512: Isa = Isa {
    lanes: 16,
    chunk: 192,
    dense: [
        dense_table!(dense_512, 1, 0, 1 2 3 4 5 6 7 8 9 10 11 12),
        dense_table!(dense_512, 2, 0, 1 2 3 4 5 6 7 8 9 10 11 12),
    ],
    ahead: [
        dense_table!(dense_512, 2, 1, 1 2 3 4 5 6 7 8 9 10 11 12),
        dense_table!(dense_512, 2, 2, 1 2 3 4 5 6 7 8 9 10 11 12),
    ],
    depthwise: [depthwise_table!(depthwise_512, 1, 1 2 3 4 5 6), depthwise_table!(depthwise_512, 2, 1 2 3 4 5 6)],
};

pub(super) static AVX2: Isa = Isa {
    lanes: 8,
    chunk: 320,
    dense: [dense_table!(dense_256, 1, 0, 1 2 3 4 5 6 7 8 9 10 11 12), dense_table!(dense_256, 2, 0, 1 2 3 4 5 6)],
    ahead: [dense_table!(dense_256, 2, 1, 1 2 3 4 5 6), dense_table!(dense_256, 2, 2, 1 2 3 4 5 6)],
    depthwise: [depthwise_table!(depthwise_256, 1, 1 2 3 4), depthwise_table!(depthwise_256, 2, 1 2 3 4)],
};

/// Loads the first `n` of 16 numbers; the rest is zero and is not touched in memory.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_512(p: *const f32, n: usize) -> __m512 {
    // SAFETY: masked lanes are not accessed; the caller vouches for `n` numbers.
    unsafe { _mm512_maskz_loadu_ps((0xffff_u32 >> (16 - n)) as u16, p) }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_512(p: *mut f32, n: usize, v: __m512) {
    // SAFETY: as for the load.
    unsafe { _mm512_mask_storeu_ps(p, (0xffff_u32 >> (16 - n)) as u16, v) }
}

/// Sixteen lanes of which eight starting at `8 - n` are `n` ones and zeros.
static MASK_256: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_256(p: *const f32, n: usize) -> __m256 {
    // SAFETY: masked lanes are not accessed; the caller vouches for `n` numbers; n <= 8 keeps the mask inside its table.
    unsafe {
        if n == 8 {
            return _mm256_loadu_ps(p);
        }
        _mm256_maskload_ps(p, _mm256_loadu_si256(MASK_256.as_ptr().add(8 - n).cast()))
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store_256(p: *mut f32, n: usize, v: __m256) {
    // SAFETY: as for the load.
    unsafe {
        if n == 8 {
            return _mm256_storeu_ps(p, v);
        }
        _mm256_maskstore_ps(p, _mm256_loadu_si256(MASK_256.as_ptr().add(8 - n).cast()), v);
    }
}

macro_rules! kernels {
    ($dense:ident, $depthwise:ident, $features:literal, $lanes:literal, $zero:ident, $loadu:ident, $load:ident, $store:ident,
     $set:ident, $fma:ident, $add:ident) => {
        /// `M` positions, `V` vectors of outputs; with each step of the chain the next `P * lanes` numbers from `ahead`
        /// on are fetched into the second-level cache.
        #[target_feature(enable = $features)]
        unsafe fn $dense<const M: usize, const V: usize, const P: usize>(block: &Block) {
            // SAFETY: the caller vouches for all positions, segments, starting values, outputs and the panel; lanes
            // beyond `last` of the last vector are masked in memory that is not a panel.
            unsafe {
                let count = |v: usize| if v + 1 == V { block.last } else { $lanes };
                let mut sums = [[$zero(); V]; M];
                for m in 0..M {
                    for v in 0..V {
                        sums[m][v] = $load(block.init.add(m * block.init_step + $lanes * v), count(v));
                    }
                }
                let (mut w, mut ahead) = (block.w, block.ahead);
                let step = block.a_step;
                for segment in block.segments {
                    let a = block.a.add(segment.offset);
                    // one base register for three positions: their addresses fit the scaled addressing modes
                    let mut base = [a; 4];
                    for g in 1..4 {
                        base[g] = a.wrapping_add(3 * g * step);
                    }
                    for k in 0..segment.len {
                        let mut weights = [$zero(); V];
                        for v in 0..V {
                            weights[v] = $loadu(w.add($lanes * v));
                        }
                        w = w.add($lanes * V);
                        if P == 0 {
                            for line in 0..($lanes * V / 16) {
                                _mm_prefetch::<_MM_HINT_T0>(w.wrapping_add(16 * line + $lanes * V * 12).cast());
                            }
                        }
                        for line in 0..($lanes * P).div_ceil(16) {
                            _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(16 * line).cast());
                        }
                        ahead = ahead.wrapping_add($lanes * P);
                        for m in 0..M {
                            let input = $set(*base[m / 3].add(k).add((m % 3) * step));
                            for v in 0..V {
                                sums[m][v] = $fma(input, weights[v], sums[m][v]);
                            }
                        }
                    }
                }
                for m in 0..M {
                    for v in 0..V {
                        $store(block.c.add(m * block.c_step + $lanes * v), count(v), $add(sums[m][v], $zero()));
                    }
                }
            }
        }

        /// `M` positions, `V` vectors of channels.
        #[target_feature(enable = $features)]
        unsafe fn $depthwise<const M: usize, const V: usize>(block: &DepthwiseBlock) {
            // SAFETY: the caller vouches for all positions, taps and outputs and for the panel; lanes beyond `last` of
            // the last vector are masked in memory that is not a panel.
            unsafe {
                let count = |v: usize| if v + 1 == V { block.last } else { $lanes };
                let mut sums = [[$zero(); V]; M];
                for m in 0..M {
                    for v in 0..V {
                        sums[m][v] = $loadu(block.bias.add($lanes * v));
                    }
                }
                for tap in block.taps {
                    let w = block.w.add(tap.step * $lanes * V);
                    for v in 0..V {
                        let weights = $loadu(w.add($lanes * v));
                        for m in 0..M {
                            let input = $load(block.a.add(tap.offset + m * block.a_step + $lanes * v), count(v));
                            sums[m][v] = $fma(input, weights, sums[m][v]);
                        }
                    }
                }
                for m in 0..M {
                    for v in 0..V {
                        $store(block.c.add(m * block.c_step + $lanes * v), count(v), $add(sums[m][v], $zero()));
                    }
                }
            }
        }
    };
}

kernels!(
    dense_512,
    depthwise_512,
    "avx512f",
    16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    load_512,
    store_512,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps
);
kernels!(
    dense_256,
    depthwise_256,
    "avx2,fma",
    8,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    load_256,
    store_256,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps
);
