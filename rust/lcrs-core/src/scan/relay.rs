//! Work in two halves: the first on any thread and in any order, the second in order on the thread that calls.
//!
//! So a stream, which is one chain of dependences, is coded while others compute what its next symbols need. The caller
//! takes part in the first half whenever the next item is not ready; so much is begun beforehand that it seldom has to wait.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::exact::with_ieee;
use crate::{Error, Pool, Result};

/// Calls `make(i, item)` and then `take(i, item)` for every `i < count`, `take` on the calling thread and in ascending order.
/// Items are used again: `make` finds what is left of an earlier one.
///
/// # Errors
/// That of the first item whose `make` or `take` failed; those after it are not taken.
///
/// # Panics
/// If `make` or `take` does.
pub(super) fn relay<T: Default + Send>(
    pool: &Pool,
    count: usize,
    make: impl Fn(usize, &mut T) -> Result<()> + Sync,
    mut take: impl FnMut(usize, &mut T) -> Result<()>,
) -> Result<()> {
    let threads = pool.threads().min(count);
    if threads < 2 {
        let mut item = T::default();
        return (0..count).try_for_each(|i| {
            with_ieee(|| make(i, &mut item))?;
            take(i, &mut item)
        });
    }
    let window = 2 * threads + 2;
    let relay =
        Relay { state: Mutex::new(State::new(window)), made: Condvar::new(), room: Condvar::new(), count, make };
    let help = |_| {
        let _stop = StopOnDrop(&relay);
        relay.help();
    };
    pool.lead(threads, help, || {
        let _stop = StopOnDrop(&relay);
        relay.lead(&mut take)
    })
}

struct Relay<T, F> {
    state: Mutex<State<T>>,
    /// An item has been made.
    made: Condvar,
    /// An item has been taken.
    room: Condvar,
    count: usize,
    make: F,
}

#[derive(Debug)]
struct State<T> {
    /// The first item that nobody has begun.
    next: usize,
    /// The first item that has not been taken, and what has been made from there on.
    first: usize,
    ready: VecDeque<Option<(Result<()>, T)>>,
    /// Items to use again.
    spare: Vec<T>,
    has_stopped: bool,
}

impl<T> State<T> {
    fn new(window: usize) -> Self {
        let ready = (0..window).map(|_| None).collect();
        Self { next: 0, first: 0, ready, spare: Vec::new(), has_stopped: false }
    }
}

impl<T: Default, F: Fn(usize, &mut T) -> Result<()>> Relay<T, F> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn help(&self) {
        let mut state = self.lock();
        while !state.has_stopped && state.next < self.count {
            state = match self.has_room(&state) {
                true => self.make_next(state),
                false => self.room.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn has_room(&self, state: &State<T>) -> bool {
        state.next < self.count && state.next < state.first + state.ready.len()
    }

    /// Makes the next item; the lock is not held meanwhile.
    fn make_next<'a>(&'a self, mut state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        let i = state.next;
        state.next += 1;
        let mut item = state.spare.pop().unwrap_or_default();
        drop(state);
        let result = with_ieee(|| (self.make)(i, &mut item));
        let mut state = self.lock();
        // nothing before item i is taken away while it is not there
        let place = i - state.first;
        state.ready[place] = Some((result, item));
        if place == 0 {
            self.made.notify_one();
        }
        state
    }

    fn lead(&self, take: &mut impl FnMut(usize, &mut T) -> Result<()>) -> Result<()> {
        for i in 0..self.count {
            let (result, mut item) = self.wait_for_first()?;
            result?;
            take(i, &mut item)?;
            self.lock().spare.push(item);
        }
        Ok(())
    }

    /// The first item that has not been taken, once it is there; makes others until then.
    fn wait_for_first(&self) -> Result<(Result<()>, T)> {
        let mut state = self.lock();
        loop {
            if let Some(done) = state.ready[0].take() {
                state.ready.rotate_left(1);
                state.first += 1;
                drop(state);
                self.room.notify_one();
                return Ok(done);
            }
            if state.has_stopped {
                return Err(Error::invalid("a thread of the scan has failed"));
            }
            state = match self.has_room(&state) {
                true => self.make_next(state),
                false => self.made.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Stops the others when a thread leaves early, be it by a panic; one that has come to the end has nothing left to stop.
struct StopOnDrop<'a, T, F>(&'a Relay<T, F>);

impl<T, F> Drop for StopOnDrop<'_, T, F> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let all_begun = state.next == self.0.count;
        state.has_stopped |= std::thread::panicking() || !all_begun;
        drop(state);
        self.0.made.notify_all();
        self.0.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn pool(threads: usize) -> Pool {
        Pool::new(threads).expect("threads start")
    }

    /// Takes pseudo-random but reproducible time.
    fn dawdle(i: usize) {
        for _ in 0..i * 7919 % 13 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn items_are_taken_in_order_as_they_were_made() {
        for threads in [1, 2, 3, 8] {
            for count in [0, 1, 2, 5, 100] {
                let mut taken = Vec::new();
                let make = |i: usize, item: &mut Vec<usize>| {
                    dawdle(i);
                    item.clear();
                    item.extend([i, i * i]);
                    Ok(())
                };
                let take = |i: usize, item: &mut Vec<usize>| {
                    dawdle(i + 5);
                    taken.push((i, item.clone()));
                    Ok(())
                };
                relay(&pool(threads), count, make, take).expect("nothing fails");
                let wanted: Vec<_> = (0..count).map(|i| (i, vec![i, i * i])).collect();
                assert_eq!(taken, wanted, "{threads} threads");
            }
        }
    }

    #[test]
    fn what_is_taken_is_not_far_behind_what_is_begun() {
        for threads in [2, 4] {
            let begun = AtomicUsize::new(0);
            let make = |_: usize, (): &mut ()| {
                begun.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            let take = |i: usize, (): &mut ()| {
                std::thread::yield_now();
                // the window of the relay, one that is being taken, and one that a thread has counted but not begun
                assert!(begun.load(Ordering::SeqCst) <= i + 2 * threads + 4);
                Ok(())
            };
            relay(&pool(threads), 500, make, take).expect("nothing fails");
        }
    }

    /// Helpers wait in all items but the first until that has been taken.
    #[test]
    fn the_caller_takes_while_others_make() {
        let (caller, taken) = (std::thread::current().id(), AtomicUsize::new(0));
        let make = |i: usize, (): &mut ()| {
            while i > 0 && std::thread::current().id() != caller && taken.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            Ok(())
        };
        let take = |_, (): &mut ()| {
            taken.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        relay(&pool(3), 50, make, take).expect("nothing fails");
        assert_eq!(taken.load(Ordering::SeqCst), 50);
    }

    #[test]
    fn the_first_error_in_order_wins_and_ends_the_work() {
        for threads in [1, 2, 5] {
            for bad in [0, 3, 29] {
                let mut taken = 0;
                let make = |i: usize, (): &mut ()| match i >= bad {
                    true => Err(Error::corrupt(format!("item {i}"))),
                    false => Ok(()),
                };
                let error = relay(&pool(threads), 30, make, |_, ()| {
                    taken += 1;
                    Ok(())
                });
                assert_eq!(error.expect_err("items fail").message(), format!("item {bad}"));
                assert_eq!(taken, bad);
                let take = |i: usize, (): &mut ()| match i == bad {
                    true => Err(Error::corrupt("taken")),
                    false => Ok(()),
                };
                let error = relay(&pool(threads), 30, |_, ()| Ok(()), take).expect_err("one fails");
                assert_eq!(error.message(), "taken");
            }
        }
    }

    #[test]
    fn panics_reach_the_caller() {
        for threads in [1, 2, 5] {
            for bad in [0, 7, 29] {
                let make = |i: usize, (): &mut ()| {
                    assert_ne!(i, bad, "on purpose");
                    Ok(())
                };
                let run = || relay(&pool(threads), 30, make, |_, ()| Ok(()));
                assert!(std::panic::catch_unwind(run).is_err());
                let take = |i: usize, (): &mut ()| {
                    assert_ne!(i, bad, "on purpose");
                    Ok(())
                };
                let run = || relay(&pool(threads), 30, |_, ()| Ok(()), take);
                assert!(std::panic::catch_unwind(run).is_err());
            }
        }
    }
}
