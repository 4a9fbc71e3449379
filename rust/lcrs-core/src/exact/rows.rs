//! Spreading the rows of an output over threads, each under IEEE-754 defaults.

use super::float_control::{with_liftable_ieee, FloatControl};
use crate::{Error, Pool, Result};
use std::sync::{Mutex, PoisonError};

/// Elements between two looks, of a function of one number: a few milliseconds of the dearest.
const WORK: usize = 1 << 17;

/// A look from within a job at whether it is interrupted: outside of its float control, since answering may run anything.
pub(super) struct Look<'a> {
    pool: &'a Pool,
    control: &'a FloatControl,
    /// Elements since the last one.
    work: usize,
}

impl Look<'_> {
    /// Refuses to go on if the job is interrupted, between pieces of about a millisecond or more.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`].
    pub(super) fn check(&mut self) -> Result<()> {
        self.work = 0;
        self.control.lifted(|| self.pool.check())
    }

    /// The same between smaller pieces: it looks once there were enough, functions of so many elements having been one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`].
    #[inline(always)]
    pub(super) fn after(&mut self, elements: usize) -> Result<()> {
        self.work += elements;
        if self.work < WORK {
            return Ok(());
        }
        self.check()
    }
}

/// Splits `data` into chunks of `chunk` elements and calls `job(i, chunk_i)` for each, in parallel; the first error by `i` wins.
///
/// # Errors
/// What `job` returns.
pub(crate) fn for_chunks<T: Send>(
    pool: &Pool,
    data: &mut [T],
    chunk: usize,
    job: impl Fn(usize, &mut [T]) -> Result<()> + Send + Sync,
) -> Result<()> {
    for_long_chunks(pool, data, chunk, |i, chunk, _| job(i, chunk))
}

/// The same for jobs that take long, and look whether they are interrupted.
///
/// # Errors
/// What `job` returns.
pub(super) fn for_long_chunks<T: Send>(
    pool: &Pool,
    data: &mut [T],
    chunk: usize,
    job: impl Fn(usize, &mut [T], &mut Look<'_>) -> Result<()> + Send + Sync,
) -> Result<()> {
    if data.is_empty() || chunk == 0 {
        return Ok(());
    }
    let count = data.len().div_ceil(chunk);
    for_long_parts(pool, count, data.chunks_mut(chunk), job)
}

/// Calls `job(i, part_i)` for each of `count` parts, in parallel; the first error by `i` wins.
///
/// # Errors
/// What `job` returns.
pub(crate) fn for_parts<'a, T: Send + 'a>(
    pool: &Pool,
    count: usize,
    parts: impl Iterator<Item = &'a mut [T]>,
    job: impl Fn(usize, &mut [T]) -> Result<()> + Send + Sync,
) -> Result<()> {
    for_long_parts(pool, count, parts, |i, part, _| job(i, part))
}

fn for_long_parts<'a, T: Send + 'a>(
    pool: &Pool,
    count: usize,
    parts: impl Iterator<Item = &'a mut [T]>,
    job: impl Fn(usize, &mut [T], &mut Look<'_>) -> Result<()> + Send + Sync,
) -> Result<()> {
    let mut chunks: Vec<Mutex<&mut [T]>> = Vec::new();
    let no_memory = |_| Error::limit(format!("no memory for a list of {count} jobs"));
    chunks.try_reserve_exact(count).map_err(no_memory)?;
    chunks.extend(parts.map(Mutex::new));
    let failed = Mutex::new(None);
    pool.for_each(chunks.len(), |i| {
        // outside of the job's float control: answering may run anything
        let done = pool.check().and_then(|()| {
            let mut chunk = chunks[i].lock().unwrap_or_else(PoisonError::into_inner);
            with_liftable_ieee(|control| job(i, &mut chunk, &mut Look { pool, control, work: 0 }))
        });
        if let Err(error) = done {
            let mut first = failed.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(j, _)| i < *j) {
                *first = Some((i, error));
            }
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// How many elements one job of an elementwise function gets: enough to be worth a task, few enough to share, and that a caller
/// who asks is answered.
pub(crate) fn elementwise_chunk(pool: &Pool, len: usize, multiple: usize) -> usize {
    let tasks = 4 * pool.threads();
    let multiple = multiple.max(1);
    len.div_ceil(tasks).clamp(1 << 14, WORK).div_ceil(multiple) * multiple
}
