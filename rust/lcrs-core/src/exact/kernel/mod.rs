//! The inner loops: a block of positions times a panel of output channels, every output one chain of fused multiply-adds.
//!
//! Weights lie in *panels* `[k][lanes]` of one or two vectors, so that a step of the chain is one load of weights, one
//! broadcast of an input for each position, and one fused multiply-add for each accumulator. The loops over vectors and
//! positions only ever run over different outputs; all paths therefore compute the same chains.

mod grid;
#[cfg(target_arch = "aarch64")]
mod neon;
mod panels;
mod scalar;
mod stream;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use grid::{depthwise, product, Grid};
pub(crate) use panels::Panels;
pub(crate) use stream::{advance, Ahead, Init, Part, Rows};
pub(crate) use tile::Tile;

use crate::{Error, Result, Simd};

/// A run of `len` inputs that lie one after another, `offset` elements after the position's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// One step of the chains of a depthwise convolution: the input `offset` elements after the position's first, with weight `step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) offset: usize,
    pub(crate) step: usize,
}

/// One call of a kernel. Pointers are valid for what [`grid`] has checked.
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code))] // plain kernels take one position
struct Block<'a> {
    segments: &'a [Segment],
    /// The first position's inputs; positions are `a_step` elements apart.
    a: *const f32,
    a_step: usize,
    /// The panel, `vectors * lanes` weights for each step of the chain.
    w: *const f32,
    /// What chains start from; `init_step` elements apart (0: the same for all, a bias).
    init: *const f32,
    init_step: usize,
    /// Where outputs go; positions are `c_step` elements apart.
    c: *mut f32,
    c_step: usize,
    /// Outputs that the last vector of the panel really has (1..=lanes).
    last: usize,
    /// What will be read next; only ever prefetched.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    ahead: *const f32,
}

/// One call of a depthwise kernel: every lane has its own channel.
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code))] // plain kernels take one position
struct DepthwiseBlock<'a> {
    taps: &'a [Tap],
    a: *const f32,
    a_step: usize,
    /// Weights `[tap][vectors * lanes]`.
    w: *const f32,
    bias: *const f32,
    c: *mut f32,
    c_step: usize,
    last: usize,
}

type Kernel = unsafe fn(&Block);
type DepthwiseKernel = unsafe fn(&DepthwiseBlock);

/// The kernels of one instruction set.
struct Isa {
    /// Binary32 numbers in a vector.
    lanes: usize,
    /// Steps of a chain whose weights stay in the first-level cache while several blocks use them.
    chunk: usize,
    /// For panels of one and of two vectors: kernels for 1, 2, ... positions.
    dense: [&'static [Kernel]; 2],
    /// For panels of two vectors: kernels that prefetch one or two vectors a step.
    ahead: [&'static [Kernel]; 2],
    /// The same for depthwise convolutions.
    depthwise: [&'static [DepthwiseKernel]; 2],
}

/// The kernels of `simd`.
fn isa(simd: Simd) -> &'static Isa {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => &x86::AVX2,
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => &x86::AVX512,
        #[cfg(target_arch = "aarch64")]
        Simd::Neon => &neon::NEON,
        _ => &scalar::SCALAR,
    }
}

/// Refuses a path that this processor does not have: its kernels may be called without further checks.
pub(crate) fn check_available(simd: Simd) -> Result<()> {
    if simd.is_available() {
        Ok(())
    } else {
        Err(Error::invalid(format!("this processor does not have the SIMD path '{}'", simd.name())))
    }
}

/// Positions of block `t` of `blocks` when `n` positions are split evenly.
fn even_split(n: usize, blocks: usize, t: usize) -> std::ops::Range<usize> {
    n * t / blocks..n * (t + 1) / blocks
}
