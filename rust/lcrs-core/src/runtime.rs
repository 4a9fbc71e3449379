//! What a job runs on: an instruction set and a pool of threads.

use crate::spares::Spares;
use crate::{Pool, Result, Simd};
use std::sync::Arc;

/// The instruction set and the threads for a job. Neither changes a result.
#[derive(Debug)]
pub struct Runtime {
    /// The instruction set that kernels use.
    pub simd: Simd,
    /// The threads that work is spread over.
    pub pool: Pool,
    /// Memory that tensors of this runtime's jobs are made of again and again.
    pub(crate) spares: Arc<Spares>,
}

impl Runtime {
    /// A runtime on `simd` with `threads` threads.
    ///
    /// # Errors
    /// As [`Pool::new`].
    pub fn new(simd: Simd, threads: usize) -> Result<Self> {
        Ok(Self { simd, pool: Pool::new(threads)?, spares: Arc::default() })
    }

    /// The fastest instruction set here, on the calling thread alone.
    #[must_use]
    pub fn serial() -> Self {
        Self { simd: Simd::detect(), pool: Pool::serial(), spares: Arc::default() }
    }
}
