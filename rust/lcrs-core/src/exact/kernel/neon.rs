//! Advanced SIMD kernels: up to 6 positions x 4 registers. A "vector" of the panels is two registers, eight lanes.
#![allow(unsafe_code)]

use super::{Block, DepthwiseBlock, DepthwiseKernel, Isa, Kernel};
use std::arch::aarch64::*;

const LANES: usize = 8;

macro_rules! table {
    ($function:ident, $registers:literal, $kind:ty, $($positions:literal)*) => { &[$($function::<$positions, $registers> as $kind),*] };
}

pub(super) static NEON: Isa = Isa {
    lanes: LANES,
    chunk: 320,
    dense: [table!(dense, 2, Kernel, 1 2 3 4 5 6 7 8 9 10), table!(dense, 4, Kernel, 1 2 3 4 5 6)],
    ahead: [table!(dense, 4, Kernel, 1 2 3 4 5 6), table!(dense, 4, Kernel, 1 2 3 4 5 6)],
    depthwise: [table!(depthwise, 2, DepthwiseKernel, 1 2 3 4), table!(depthwise, 4, DepthwiseKernel, 1 2 3 4)],
};

/// The first `used` of `4 * R` numbers; the rest is zero and is not touched in memory.
#[inline]
unsafe fn load<const R: usize>(p: *const f32, used: usize) -> [float32x4_t; R] {
    // SAFETY: the caller vouches for `used` numbers at `p`; `R` is at most 4, so the copy has room for all lanes.
    unsafe {
        let mut copy = [0.0_f32; 16];
        let from = if used == 4 * R {
            p
        } else {
            std::ptr::copy_nonoverlapping(p, copy.as_mut_ptr(), used);
            copy.as_ptr()
        };
        std::array::from_fn(|r| vld1q_f32(from.add(4 * r)))
    }
}

/// Stores the first `used` of `4 * R` numbers, each plus zero.
#[inline]
unsafe fn store<const R: usize>(p: *mut f32, used: usize, sums: [float32x4_t; R]) {
    // SAFETY: the caller vouches for room for `used` numbers at `p`; `R` is at most 4.
    unsafe {
        let mut copy = [0.0_f32; 16];
        for (r, sum) in sums.into_iter().enumerate() {
            let to = if used == 4 * R { p.add(4 * r) } else { copy.as_mut_ptr().add(4 * r) };
            vst1q_f32(to, vaddq_f32(sum, vdupq_n_f32(0.0)));
        }
        if used != 4 * R {
            std::ptr::copy_nonoverlapping(copy.as_ptr(), p, used);
        }
    }
}

/// `M` positions, `R` registers of outputs.
unsafe fn dense<const M: usize, const R: usize>(block: &Block) {
    let used = 4 * R - LANES + block.last;
    // SAFETY: the caller vouches for all positions, segments, starting values, outputs and the panel.
    unsafe {
        let mut sums = [[vdupq_n_f32(0.0); R]; M];
        for (m, sums) in sums.iter_mut().enumerate() {
            *sums = load::<R>(block.init.add(m * block.init_step), used);
        }
        let mut w = block.w;
        for segment in block.segments {
            let a = block.a.add(segment.offset);
            for k in 0..segment.len {
                let weights = load::<R>(w, 4 * R);
                w = w.add(4 * R);
                for (m, sums) in sums.iter_mut().enumerate() {
                    let input = vld1q_dup_f32(a.add(m * block.a_step + k));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = vfmaq_f32(*sum, input, weight);
                    }
                }
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            store::<R>(block.c.add(m * block.c_step), used, sums);
        }
    }
}

/// `M` positions, `R` registers of channels.
unsafe fn depthwise<const M: usize, const R: usize>(block: &DepthwiseBlock) {
    let used = 4 * R - LANES + block.last;
    // SAFETY: the caller vouches for all positions, taps and outputs and for the panel.
    unsafe {
        let mut sums = [load::<R>(block.bias, 4 * R); M];
        for tap in block.taps {
            let weights = load::<R>(block.w.add(tap.step * 4 * R), 4 * R);
            for (m, sums) in sums.iter_mut().enumerate() {
                let inputs = load::<R>(block.a.add(tap.offset + m * block.a_step), used);
                for ((sum, weight), input) in sums.iter_mut().zip(weights).zip(inputs) {
                    *sum = vfmaq_f32(*sum, input, weight);
                }
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            store::<R>(block.c.add(m * block.c_step), used, sums);
        }
    }
}
