//! Threads that work through the steps of a scan together.
//!
//! A step takes tens of microseconds, so threads wait for each other by spinning, and give their processor away when the
//! wait is long. They are started for one scan and end with it: unlike jobs of a pool they are certain to run together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Where all threads of a team meet.
#[derive(Debug)]
pub(super) struct Gate {
    threads: usize,
    arrived: AtomicUsize,
    passed: AtomicUsize,
    stopped: AtomicBool,
}

impl Gate {
    /// Returns when all threads have come here, or one has stopped the team: then false, for ever.
    pub(super) fn meet(&self) -> bool {
        const SPINS: usize = 4096;
        if self.threads > 1 {
            let round = self.passed.load(Ordering::Acquire);
            if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
                self.arrived.store(0, Ordering::Relaxed);
                self.passed.store(round + 1, Ordering::Release);
            } else {
                let mut spins = 0;
                while self.passed.load(Ordering::Acquire) == round && !self.stopped.load(Ordering::Acquire) {
                    spins += 1;
                    if spins < SPINS {
                        std::hint::spin_loop();
                    } else {
                        std::thread::yield_now();
                    }
                }
            }
        }
        !self.stopped.load(Ordering::Acquire)
    }

    /// Lets all others leave their gates.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }
}

/// Stops the team when a thread leaves early, be it by a panic.
struct StopOnDrop<'a>(&'a Gate);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Runs `leader` on this thread and `worker(i)` on `threads - 1` others, i from 1 on; returns what the leader returns.
/// Whoever ends stops the team, so all must pass the same gates until the work is done.
pub(super) fn run<T>(threads: usize, leader: impl FnOnce(&Gate) -> T, worker: impl Fn(&Gate, usize) + Sync) -> T {
    let gate =
        Gate { threads, arrived: AtomicUsize::new(0), passed: AtomicUsize::new(0), stopped: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        for i in 1..threads {
            let (gate, worker) = (&gate, &worker);
            scope.spawn(move || {
                let _stop = StopOnDrop(gate);
                worker(gate, i);
            });
        }
        let _stop = StopOnDrop(&gate);
        leader(&gate)
    })
}
