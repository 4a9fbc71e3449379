//! Everything from outside, in one program: what needs an allocator of its own is beside this folder.
#![allow(clippy::unwrap_used)]

mod cdf_construction;
mod exact_convolution;
mod exact_math;
mod exact_operations;
mod latent;
mod octree;
mod points;
mod rans;
mod reference;
mod scan;
