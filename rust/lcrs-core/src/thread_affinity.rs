//! Where the threads of a pool wake up.
//!
//! A system should wake a thread on a processor that has nothing to do. Some virtual machines wake it on the processor of
//! the thread that woke it, again and again, and the other processors stay idle for many jobs of a few milliseconds. So on
//! Linux a pool's threads are kept off the processor that the caller is on.

/// The threads of a pool, and the processors that they may use.
#[derive(Debug, Default)]
pub(crate) struct ThreadAffinity(#[cfg(target_os = "linux")] linux::Threads);

impl ThreadAffinity {
    /// Makes the calling thread one of those that are placed.
    pub(crate) fn join(&self) {
        #[cfg(target_os = "linux")]
        self.0.join();
    }

    /// Keeps the threads off the caller's processor, as far as others are allowed; what the system refuses is left as it is.
    pub(crate) fn keep_off_caller(&self) {
        #[cfg(target_os = "linux")]
        self.0.keep_off(rustix::thread::sched_getcpu());
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::thread::{gettid, sched_getaffinity, sched_setaffinity, CpuSet, Pid};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};

    /// No processor.
    const NONE: usize = usize::MAX;

    #[derive(Debug)]
    pub(super) struct Threads {
        threads: Mutex<Vec<Thread>>,
        /// The processor that all of them are kept off.
        kept_off: AtomicUsize,
    }

    impl Default for Threads {
        fn default() -> Self {
            Self { threads: Mutex::default(), kept_off: AtomicUsize::new(NONE) }
        }
    }

    #[derive(Debug)]
    struct Thread {
        id: Pid,
        /// What the thread may use by the will of others, and what was made of it here.
        allowed: CpuSet,
        placed: CpuSet,
    }

    impl Threads {
        pub(super) fn join(&self) {
            if let Ok(allowed) = sched_getaffinity(None) {
                let thread = Thread { id: gettid(), allowed, placed: allowed };
                let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
                threads.push(thread);
                self.kept_off.store(NONE, Ordering::Relaxed);
            }
        }

        pub(super) fn keep_off(&self, processor: usize) {
            if self.kept_off.load(Ordering::Relaxed) == processor {
                return;
            }
            // who comes second need not wait: threads are off one caller's processor
            let Ok(mut threads) = self.threads.try_lock() else { return };
            threads.iter_mut().for_each(|thread| thread.keep_off(processor));
            self.kept_off.store(processor, Ordering::Relaxed);
        }
    }

    impl Thread {
        fn keep_off(&mut self, processor: usize) {
            let Ok(current) = sched_getaffinity(Some(self.id)) else { return };
            if current != self.placed {
                self.allowed = current; // somebody has decided anew, `taskset` say
            }
            let mut wanted = self.allowed;
            if processor < CpuSet::MAX_CPU {
                wanted.unset(processor);
            }
            if wanted.count() == 0 {
                wanted = self.allowed;
            }
            self.placed =
                if wanted == current || sched_setaffinity(Some(self.id), &wanted).is_ok() { wanted } else { current };
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn processors(set: &CpuSet) -> Vec<usize> {
            (0..CpuSet::MAX_CPU).filter(|i| set.is_set(*i)).collect()
        }

        /// What this thread may use after it was kept off `processor`.
        fn after(threads: &Threads, processor: usize) -> CpuSet {
            threads.keep_off(processor);
            sched_getaffinity(None).expect("the mask of the own thread")
        }

        #[test]
        fn threads_are_kept_off_one_processor_at_a_time_and_keep_at_least_one() {
            let allowed = sched_getaffinity(None).expect("the mask of the own thread");
            let threads = Threads::default();
            threads.join();
            let processors = processors(&allowed);
            for &processor in processors.iter().take(3) {
                let mut expected = allowed;
                if processors.len() > 1 {
                    expected.unset(processor);
                }
                assert_eq!(after(&threads, processor), expected, "off {processor}");
            }
            assert_eq!(after(&threads, NONE - 1), allowed, "a processor beyond the mask");
        }

        #[test]
        fn masks_that_others_set_are_kept() {
            let threads = Threads::default();
            threads.join();
            let allowed = sched_getaffinity(None).expect("the mask of the own thread");
            let processors = processors(&allowed);
            after(&threads, processors[0]);
            let mut one = CpuSet::new();
            one.set(processors[0]);
            sched_setaffinity(None, &one).expect("a part of what is allowed");
            assert_eq!(after(&threads, NONE - 1), one);
            assert_eq!(after(&threads, processors[0]), one, "no other processor is allowed");
        }
    }
}
