//! What a job runs on: an instruction set and a pool of threads.

use crate::buffer_pool::{give_freed_memory_back, BufferPool};
use crate::{Interrupt, Pool, Result, Simd};
use std::sync::Arc;

/// Where a job has no more room than this, what it frees is given back to the system, which takes a millisecond.
const FEW_BYTES: u64 = 1 << 28;

/// The instruction set and the threads for a job. Neither changes a result.
#[derive(Debug)]
pub struct Runtime {
    /// The instruction set that kernels use.
    pub simd: Simd,
    /// The threads that work is spread over.
    pub pool: Pool,
    /// Memory that tensors of this runtime's jobs are made of again and again.
    pub(crate) float_buffers: Arc<BufferPool<f32>>,
    /// The same for streams.
    pub(crate) stream_buffers: Arc<BufferPool<u8>>,
    /// The same for symbols that are about to be encoded.
    pub(crate) entry_buffers: Arc<BufferPool<u32>>,
}

impl Runtime {
    /// A runtime on `simd` with `threads` threads.
    ///
    /// # Errors
    /// As [`Pool::new`].
    pub fn new(simd: Simd, threads: usize) -> Result<Self> {
        Ok(Self::on(simd, Pool::new(threads)?))
    }

    /// The fastest instruction set here, on the calling thread alone.
    #[must_use]
    pub fn serial() -> Self {
        Self::on(Simd::detect(), Pool::serial())
    }

    fn on(simd: Simd, pool: Pool) -> Self {
        let (float_buffers, stream_buffers, entry_buffers) = Default::default();
        Self { simd, pool, float_buffers, stream_buffers, entry_buffers }
    }

    /// The same runtime for a job that may be interrupted.
    #[must_use]
    pub fn interruptible(&self, interrupt: Interrupt) -> Self {
        let pool = self.pool.interruptible(interrupt);
        let (float_buffers, stream_buffers) = (Arc::clone(&self.float_buffers), Arc::clone(&self.stream_buffers));
        Self { simd: self.simd, pool, float_buffers, stream_buffers, entry_buffers: Arc::clone(&self.entry_buffers) }
    }

    /// Gives memory that is kept for later jobs back, all but this many bytes.
    pub fn trim(&self, bytes: u64) {
        let left = self.entry_buffers.trim(self.float_buffers.trim(bytes));
        self.stream_buffers.trim(left);
    }

    /// [`Self::trim`] between the parts of a job: where there is not much room, the system gets what the allocator keeps, too.
    pub fn settle(&self, bytes: u64) {
        self.trim(bytes);
        if bytes < FEW_BYTES {
            give_freed_memory_back();
        }
    }

    /// Calls `job` for every item of a batch, with a runtime for it: side by side on a thread each if the items keep all
    /// threads busy, otherwise one after another on all threads. Results are in the order of the items.
    ///
    /// # Errors
    /// That of the first item whose job failed, with its place.
    pub fn each<T: Send, R: Send>(
        &self,
        items: &mut [T],
        job: impl Fn(usize, &mut T, &Runtime) -> Result<R> + Send + Sync,
    ) -> Result<Vec<R>> {
        let placed = |i: usize, result: Result<R>| result.map_err(|error| error.at(format_args!("item {i}")));
        if items.len() < self.pool.threads() {
            return items.iter_mut().enumerate().map(|(i, item)| placed(i, job(i, item, self))).collect();
        }
        let results = self.pool.map_mut(items, |i, item| {
            let alone = Self {
                simd: self.simd,
                pool: self.pool.alone(),
                float_buffers: Arc::clone(&self.float_buffers),
                stream_buffers: Arc::clone(&self.stream_buffers),
                entry_buffers: Arc::clone(&self.entry_buffers),
            };
            placed(i, self.pool.check().and_then(|()| job(i, item, &alone)))
        });
        results.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, ErrorKind};

    #[test]
    fn each_gives_every_item_a_runtime_and_keeps_the_order() {
        for (threads, items, inner) in [(1, 3, 1), (2, 1, 2), (2, 5, 1), (3, 2, 3), (3, 3, 1)] {
            let rt = Runtime::new(Simd::Scalar, threads).expect("legal");
            let mut numbers: Vec<usize> = (0..items).collect();
            let seen = rt.each(&mut numbers, |i, number, rt| {
                *number += 10;
                Ok((i, rt.pool.threads()))
            });
            assert_eq!(seen.expect("no job fails"), (0..items).map(|i| (i, inner)).collect::<Vec<_>>());
            assert_eq!(numbers, (10..10 + items).collect::<Vec<_>>());
        }
    }

    #[test]
    fn each_reports_the_first_item_that_failed() {
        for threads in [1, 2, 8] {
            let rt = Runtime::new(Simd::Scalar, threads).expect("legal");
            let failed = rt.each(
                &mut [0, 1, 2, 3],
                |_, item, _| {
                    if *item % 2 == 1 {
                        Err(Error::corrupt("odd"))
                    } else {
                        Ok(())
                    }
                },
            );
            let error = failed.expect_err("two jobs fail");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains("item 1"), "{error}");
        }
    }
}
