//! Waiting for other threads: for microseconds by spinning, then by offering the processor to others, at last asleep.
//!
//! Who sleeps leaves a processor idle, to which the system can move a thread that it had interrupted, perhaps the
//! very one that is waited for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where threads wait for something that another one does.
#[derive(Debug, Default)]
pub(super) struct Wakeup {
    asleep: AtomicUsize,
    lock: Mutex<()>,
    condvar: Condvar,
}

/// How long a wait is only that.
const SPIN: Duration = Duration::from_micros(10);
/// After how long a thread falls asleep.
const AWAKE: Duration = Duration::from_micros(60);

impl Wakeup {
    /// Returns when `is_pending` is false, which it will stay. Who makes it so rings, or those who sleep sleep on; it must read
    /// with [`Ordering::SeqCst`] what they have written with that.
    pub(super) fn wait_while(&self, is_pending: impl Fn() -> bool) {
        if Self::is_short(&is_pending) {
            return;
        }
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while is_pending() {
            lock = self.condvar.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    /// Waits, but not for long; whether that was enough.
    fn is_short(is_pending: &impl Fn() -> bool) -> bool {
        const LOOKS: usize = 16;
        let mut began = None;
        loop {
            for _ in 0..LOOKS {
                if !is_pending() {
                    return true;
                }
                std::hint::spin_loop();
            }
            let waited = began.get_or_insert_with(Instant::now).elapsed();
            if waited > AWAKE {
                return false;
            }
            if waited > SPIN {
                std::thread::yield_now();
            }
        }
    }

    /// Whether somebody sleeps here.
    pub(super) fn has_sleepers(&self) -> bool {
        self.asleep.load(Ordering::SeqCst) > 0
    }

    /// Wakes all who sleep here.
    pub(super) fn ring(&self) {
        if self.has_sleepers() {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.condvar.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn sleepers_wake_when_what_they_wait_for_has_come() {
        let (condvar, is_pending) = (Wakeup::default(), AtomicBool::new(true));
        std::thread::scope(|scope| {
            let waiting: Vec<_> =
                (0..3).map(|_| scope.spawn(|| condvar.wait_while(|| is_pending.load(Ordering::SeqCst)))).collect();
            while condvar.asleep.load(Ordering::SeqCst) < waiting.len() {
                std::thread::yield_now();
            }
            condvar.ring();
            assert!(waiting.iter().all(|thread| !thread.is_finished()), "nothing has come yet");
            is_pending.store(false, Ordering::SeqCst);
            condvar.ring();
        });
        assert!(!condvar.has_sleepers());
    }
}
