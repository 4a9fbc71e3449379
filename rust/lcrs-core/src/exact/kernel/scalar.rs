//! Kernels in plain Rust. The inner loops run over eight independent outputs, which compilers turn into vectors.
#![allow(unsafe_code)]

use super::{Block, DepthwiseBlock, DepthwiseKernel, Isa, Kernel};
use crate::exact::fma::fma_all;

const LANES: usize = 8;

pub(super) static SCALAR: Isa = Isa {
    lanes: LANES,
    chunk: 192,
    dense: [&[dense::<8> as Kernel], &[dense::<16> as Kernel]],
    ahead: [&[dense::<16> as Kernel]; 2],
    depthwise: [&[depthwise::<8> as DepthwiseKernel], &[depthwise::<16> as DepthwiseKernel]],
};

/// One position, `WIDTH` outputs.
unsafe fn dense<const WIDTH: usize>(block: &Block) {
    let used = WIDTH - LANES + block.last;
    // SAFETY: the caller vouches for `used` outputs, for as many starting values, for all segments of the input
    // and for a panel of the same depth.
    unsafe {
        let mut sums = [0.0_f32; WIDTH];
        sums[..used].copy_from_slice(std::slice::from_raw_parts(block.init, used));
        let mut w = block.w;
        for segment in block.segments {
            let inputs = std::slice::from_raw_parts(block.a.add(segment.offset), segment.len);
            for &a in inputs {
                let weights = &*w.cast::<[f32; WIDTH]>();
                fma_all(&[a; WIDTH], weights, &mut sums);
                w = w.add(WIDTH);
            }
        }
        let out = std::slice::from_raw_parts_mut(block.c, used);
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum + 0.0;
        }
    }
}

/// One position, `WIDTH` channels.
unsafe fn depthwise<const WIDTH: usize>(block: &DepthwiseBlock) {
    let used = WIDTH - LANES + block.last;
    // SAFETY: the caller vouches for `used` channels of every tap and of the output, and for a full panel.
    unsafe {
        let mut sums = *block.bias.cast::<[f32; WIDTH]>();
        for tap in block.taps {
            let weights = &*block.w.add(tap.step * WIDTH).cast::<[f32; WIDTH]>();
            let mut inputs = [0.0_f32; WIDTH];
            inputs[..used].copy_from_slice(std::slice::from_raw_parts(block.a.add(tap.offset), used));
            fma_all(&inputs, weights, &mut sums);
        }
        let out = std::slice::from_raw_parts_mut(block.c, used);
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum + 0.0;
        }
    }
}
