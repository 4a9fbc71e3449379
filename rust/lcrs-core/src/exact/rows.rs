//! Spreading the rows of an output over threads, each under IEEE-754 defaults.

use super::float_control::with_ieee;
use crate::{Error, Pool, Result};
use std::sync::{Mutex, PoisonError};

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
    if data.is_empty() || chunk == 0 {
        return Ok(());
    }
    let count = data.len().div_ceil(chunk);
    for_parts(pool, count, data.chunks_mut(chunk), job)
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
    let mut chunks: Vec<Mutex<&mut [T]>> = Vec::new();
    let no_memory = |_| Error::limit(format!("no memory for a list of {count} jobs"));
    chunks.try_reserve_exact(count).map_err(no_memory)?;
    chunks.extend(parts.map(Mutex::new));
    let failed = Mutex::new(None);
    pool.for_each(chunks.len(), |i| {
        // outside of the job's float control: answering may run anything
        let done = pool.check().and_then(|()| {
            let mut chunk = chunks[i].lock().unwrap_or_else(PoisonError::into_inner);
            with_ieee(|| job(i, &mut chunk))
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

/// How many elements one job of an elementwise function gets: enough to be worth a task, few enough to share.
pub(crate) fn elementwise_chunk(pool: &Pool, len: usize, multiple: usize) -> usize {
    let tasks = 4 * pool.threads();
    let multiple = multiple.max(1);
    len.div_ceil(tasks).max(1 << 14).div_ceil(multiple) * multiple
}
