//! Threads as a value that is passed in: nothing here is global, so nothing can be stale after a fork.

use crate::{Error, Result};

/// A pool of threads that jobs are spread over. Work is only ever split between outputs, so results
/// do not depend on the number of threads.
#[derive(Debug)]
pub struct Pool {
    inner: Option<rayon::ThreadPool>,
}

impl Pool {
    /// A pool that runs everything on the calling thread.
    #[must_use]
    pub fn serial() -> Self {
        Self { inner: None }
    }

    /// A pool of `threads` threads; 1 means the calling thread.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for 0 threads, [`crate::ErrorKind::Limit`] if the threads cannot be started.
    pub fn new(threads: usize) -> Result<Self> {
        match threads {
            0 => Err(Error::invalid("number of threads is 0, at least 1 is needed")),
            1 => Ok(Self::serial()),
            _ => rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|i| format!("lcrs-{i}"))
                .build()
                .map(|pool| Self { inner: Some(pool) })
                .map_err(|e| Error::limit(format!("cannot start {threads} threads: {e}"))),
        }
    }

    /// Number of threads that jobs run on.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.inner.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// Calls `job(i)` for every `i < count`, in parallel and in any order, and returns when all are done.
    pub fn for_each(&self, count: usize, job: impl Fn(usize) + Send + Sync) {
        use rayon::prelude::*;
        match &self.inner {
            Some(pool) if count > 1 => pool.install(|| (0..count).into_par_iter().with_max_len(1).for_each(job)),
            _ => (0..count).for_each(job),
        }
    }

    /// Like [`Pool::for_each`] for jobs that return something; results are in the order of `i`.
    pub fn map<T: Send>(&self, count: usize, job: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
        use rayon::prelude::*;
        match &self.inner {
            Some(pool) if count > 1 => pool.install(|| (0..count).into_par_iter().with_max_len(1).map(job).collect()),
            _ => (0..count).map(job).collect(),
        }
    }

    /// Like [`Pool::map`] for jobs that change an item each.
    pub fn map_mut<T: Send, R: Send>(&self, items: &mut [T], job: impl Fn(usize, &mut T) -> R + Send + Sync) -> Vec<R> {
        use rayon::prelude::*;
        match &self.inner {
            Some(pool) if items.len() > 1 => pool.install(|| {
                let items = items.par_iter_mut().enumerate().with_max_len(1);
                items.map(|(i, item)| job(i, item)).collect()
            }),
            _ => items.iter_mut().enumerate().map(|(i, item)| job(i, item)).collect(),
        }
    }
}
