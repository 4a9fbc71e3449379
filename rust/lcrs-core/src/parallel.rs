//! Threads as a value that is passed in: nothing here is global, so nothing can be stale after a fork.

use crate::thread_affinity::ThreadAffinity;
use crate::{Error, Interrupt, Limits, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A pool of threads that jobs are spread over: the thread that calls and others. Work is only ever split between
/// outputs, so results do not depend on the number of threads.
#[derive(Debug)]
pub struct Pool {
    /// The other threads. The caller works with them: a job of a few milliseconds is half done before a system has
    /// found a processor for every thread that it wakes.
    others: Option<Arc<Others>>,
    interrupt: Interrupt,
}

#[derive(Debug)]
struct Others {
    threads: rayon::ThreadPool,
    affinity: Arc<ThreadAffinity>,
}

impl Others {
    fn new(threads: usize) -> std::result::Result<Self, rayon::ThreadPoolBuildError> {
        let affinity = Arc::new(ThreadAffinity::default());
        let joined = Arc::clone(&affinity);
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("lcrs-{i}"))
            .start_handler(move |_| joined.join())
            .build()?;
        Ok(Self { threads, affinity })
    }
}

impl Pool {
    /// A pool that runs everything on the calling thread.
    #[must_use]
    pub fn serial() -> Self {
        Self { others: None, interrupt: Interrupt::default() }
    }

    /// A pool of `threads` threads, or of fewer if the system does not let so many start; 1 means the calling thread.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for 0 threads.
    pub fn new(threads: usize) -> Result<Self> {
        if threads == 0 {
            return Err(Error::invalid("number of threads is 0, at least 1 is needed"));
        }
        let fewer =
            std::iter::successors(Some(threads - 1), |others| Some(others / 2)).take_while(|others| *others > 0);
        let others = fewer.into_iter().find_map(|others| Others::new(others).ok());
        Ok(Self { others: others.map(Arc::new), interrupt: Interrupt::default() })
    }

    /// The same threads for a job that may be interrupted.
    #[must_use]
    pub fn interruptible(&self, interrupt: Interrupt) -> Self {
        Self { others: self.others.clone(), interrupt }
    }

    /// The calling thread alone, interrupted when this pool is.
    pub(crate) fn alone(&self) -> Self {
        Self { others: None, interrupt: self.interrupt.clone() }
    }

    /// Refuses to go on if the job is interrupted: to be called between pieces of work of some milliseconds, without locks.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`].
    pub fn check(&self) -> Result<()> {
        self.interrupt.check()
    }

    /// Number of threads that jobs run on.
    #[must_use]
    pub fn threads(&self) -> usize {
        1 + self.others.as_ref().map_or(0, |others| others.threads.current_num_threads())
    }

    /// Calls `job(i)` for every `i < count`, in parallel and in any order, and returns when all are done.
    pub fn for_each(&self, count: usize, job: impl Fn(usize) + Send + Sync) {
        self.spread(0..count, job);
    }

    /// Like [`Pool::for_each`] for jobs that return something; results are in the order of `i`.
    pub fn map<T: Send>(&self, count: usize, job: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
        self.map_each(0..count, job)
    }

    /// Like [`Pool::map`] for jobs that may fail, in as many pieces as input asks for; the first error by `i` wins.
    ///
    /// # Errors
    /// What `job` returns, [`crate::ErrorKind::Limit`] if there is no memory for the results.
    pub fn try_map<T: Send>(
        &self,
        count: usize,
        what: &str,
        job: impl Fn(usize) -> Result<T> + Send + Sync,
    ) -> Result<Vec<T>> {
        let results = Mutex::new(Limits::default().reserved(count, what)?);
        self.for_each(count, |i| {
            let result = job(i);
            lock(&results).push((i, result));
        });
        let mut results: Vec<(usize, Result<T>)> = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_unstable_by_key(|(i, _)| *i);
        let mut out = Limits::default().reserved(count, what)?;
        for (_, result) in results {
            out.push(result?);
        }
        Ok(out)
    }

    /// Like [`Pool::map`] for jobs that change an item each.
    pub fn map_mut<T: Send, R: Send>(&self, items: &mut [T], job: impl Fn(usize, &mut T) -> R + Send + Sync) -> Vec<R> {
        self.map_each(items.iter_mut().enumerate(), |(i, item)| job(i, item))
    }

    fn map_each<I: ExactSizeIterator + Send, T: Send>(
        &self,
        items: I,
        job: impl Fn(I::Item) -> T + Send + Sync,
    ) -> Vec<T> {
        let results = Mutex::new(Vec::with_capacity(items.len()));
        let numbered = items.enumerate();
        self.spread(numbered, |(i, item)| {
            let result = job(item);
            lock(&results).push((i, result));
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_unstable_by_key(|(i, _)| *i);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Calls `job` with every item; each thread takes the next one when it is done with one.
    fn spread<I: ExactSizeIterator + Send>(&self, items: I, job: impl Fn(I::Item) + Send + Sync) {
        let threads = self.threads().min(items.len());
        if threads < 2 {
            return items.for_each(job);
        }
        let items = Mutex::new(items);
        let work = || {
            while let Some(item) = next(&items) {
                job(item);
            }
        };
        self.lead(threads, |_| work(), work);
    }

    /// Runs `leader` on the calling thread and `helper(i)`, 1 <= i < `threads`, on others, and returns when all have ended.
    ///
    /// Helpers may begin late, even after the leader's end, if their threads are busy: nobody may wait for one to begin.
    pub(crate) fn lead<T>(&self, threads: usize, helper: impl Fn(usize) + Sync, leader: impl FnOnce() -> T) -> T {
        match self.others.as_deref() {
            Some(Others { threads: others, affinity }) if threads > 1 => {
                if others.current_thread_index().is_none() {
                    affinity.keep_off_caller();
                }
                others.in_place_scope(|scope| {
                    let helper = &helper;
                    (1..threads).for_each(|i| scope.spawn(move |_| helper(i)));
                    leader()
                })
            }
            _ => leader(),
        }
    }
}

/// The next item; the lock is given back before anything is done with it.
fn next<I: Iterator>(items: &Mutex<I>) -> Option<I::Item> {
    lock(items).next()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_and_results_are_in_order() {
        for (threads, count) in [(1, 5), (2, 0), (2, 1), (2, 2), (3, 100), (8, 3)] {
            let pool = Pool::new(threads).expect("legal");
            assert_eq!(pool.threads(), threads);
            assert_eq!(pool.map(count, |i| 3 * i), (0..count).map(|i| 3 * i).collect::<Vec<_>>());
            let tried = pool.try_map(count, "numbers", |i| Ok(3 * i)).expect("no job fails");
            assert_eq!(tried, pool.map(count, |i| 3 * i));
            let mut items = vec![1; count];
            assert_eq!(pool.map_mut(&mut items, |i, item| *item += i), vec![(); count]);
            assert_eq!(items, (1..=count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn as_many_threads_as_asked_for_work_at_once_the_caller_among_them() {
        let pool = Pool::new(3).expect("legal");
        let meeting = std::sync::Barrier::new(3); // nobody passes alone
        let threads = pool.map(3, |_| {
            meeting.wait();
            std::thread::current().id()
        });
        assert!(threads.contains(&std::thread::current().id()));
        assert_eq!(threads.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    }

    #[test]
    fn jobs_may_spread_jobs_of_their_own() {
        let pool = Pool::new(2).expect("legal");
        let sums = pool.map(8, |i| pool.map(8, |j| i * j).into_iter().sum::<usize>());
        assert_eq!(sums, (0..8).map(|i| 28 * i).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_job_that_fails_is_told() {
        for threads in [1, 3] {
            let pool = Pool::new(threads).expect("legal");
            let job = |i: usize| if i % 40 == 7 { Err(Error::invalid(format!("job {i}"))) } else { Ok(i) };
            assert_eq!(pool.try_map(100, "numbers", job).expect_err("three fail").message(), "job 7");
        }
    }

    #[test]
    fn a_panic_of_a_job_reaches_the_caller() {
        let pool = Pool::new(2).expect("legal");
        for bad in 0..4 {
            let run = || pool.for_each(4, |i| assert_ne!(i, bad));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        }
        assert_eq!(pool.map(2, |i| i), [0, 1]);
    }
}
