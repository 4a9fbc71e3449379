//! Whether whoever waits for a job still wants it.

use crate::{Error, Result};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// From one question to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// What the caller of a job answers when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The job goes on.
    GoOn,
    /// The job goes on, and nobody need ask again.
    DoNotAsk,
    /// The job ends with [`crate::ErrorKind::Interrupted`].
    Stop,
}

/// A way to end a job early. By default there is none.
///
/// The job looks at it between pieces of work of some milliseconds, on all its threads; only on the thread that made it is the
/// question asked, and never while the job holds a lock.
#[derive(Clone, Default)]
pub struct Interrupt(Option<Arc<Asked>>);

struct Asked {
    question: Box<dyn Fn() -> Answer + Send + Sync>,
    asker: ThreadId,
    begin: Instant,
    /// Milliseconds after the beginning at which to ask next.
    next: AtomicU64,
    is_over: AtomicBool,
}

impl Interrupt {
    /// Asks `question` on the calling thread, about ten times a second while a job runs on it; the first time after such a pause.
    #[must_use]
    pub fn new(question: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Asked {
            question: Box::new(question),
            asker: std::thread::current().id(),
            begin: Instant::now(),
            next: AtomicU64::new(PAUSE.as_millis() as u64),
            is_over: AtomicBool::new(false),
        })))
    }

    /// Refuses to go on if the job is not wanted any more.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`], from the first refusal on for ever.
    pub fn check(&self) -> Result<()> {
        match &self.0 {
            Some(asked) if asked.is_over() => Err(Error::interrupted("interrupted")),
            _ => Ok(()),
        }
    }
}

impl Asked {
    fn is_over(&self) -> bool {
        if self.is_over.load(Ordering::Relaxed) {
            return true;
        }
        if std::thread::current().id() != self.asker {
            return false;
        }
        let now = || self.begin.elapsed().as_millis() as u64;
        if now() < self.next.load(Ordering::Relaxed) {
            return false;
        }
        // nobody asks again before there is an answer: the question may run a job of its own
        self.next.store(u64::MAX, Ordering::Relaxed);
        let answer = (self.question)();
        if answer == Answer::GoOn {
            self.next.store(now() + PAUSE.as_millis() as u64, Ordering::Relaxed);
        }
        self.is_over.store(answer == Answer::Stop, Ordering::Relaxed);
        answer == Answer::Stop
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::{Chain, Head, Step, Tensor, Unary};
    use crate::{ErrorKind, Limits, Runtime, Simd};
    use std::sync::atomic::AtomicUsize;

    /// An interrupt that stops a job at the given question, and how often it was asked.
    fn stopping_at(stop: usize) -> (Interrupt, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let question = move || match counted.fetch_add(1, Ordering::Relaxed) + 1 {
            n if n == stop => Answer::Stop,
            _ => Answer::GoOn,
        };
        (Interrupt::new(question), count)
    }

    #[test]
    fn the_answer_ends_the_job_on_all_threads_and_is_not_asked_for_again() {
        let (interrupt, count) = stopping_at(2);
        let wait = || {
            while interrupt.check().is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(wait); // ends only since the asker is told
            wait();
        });
        assert_eq!(interrupt.check().expect_err("it is over").kind(), ErrorKind::Interrupted);
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn other_threads_do_not_ask() {
        let (interrupt, count) = stopping_at(1);
        std::thread::sleep(PAUSE * 2);
        std::thread::scope(|scope| scope.spawn(|| assert!(interrupt.check().is_ok())).join()).expect("no panic");
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_question_may_run_a_job_and_callers_may_ask_not_to_be_asked() {
        let inner = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&inner);
        let interrupt = Interrupt::new(move || {
            let rt = Runtime::new(Simd::Scalar, 2).expect("two threads");
            counted.fetch_add(rt.pool.map(3, |i| i).len(), Ordering::Relaxed);
            Answer::DoNotAsk
        });
        for _ in 0..3 {
            std::thread::sleep(PAUSE + Duration::from_millis(10));
            assert!(interrupt.check().is_ok());
        }
        assert_eq!(inner.load(Ordering::Relaxed), 3);
    }

    /// Seconds of work in one piece for one thread, on each way that a chain goes.
    #[test]
    fn long_rows_of_functions_end_when_they_are_interrupted() {
        let limits = Limits::default();
        let mut x = Tensor::zeroed(1, 2, 1 << 13, &limits).expect("little memory");
        let chain = |head| Chain::new(head, vec![Step::Unary(Unary::Tanh); 3000], 1);
        let rt = || Runtime::new(Simd::detect(), 1).expect("one thread").interruptible(stopping_at(1).0);
        let rows = chain(Head::Input).run_rows(&rt(), &limits, x.view(), 0..2, &mut vec![0.0; 1 << 14]);
        let tiles = chain(Head::PixelUnshuffle(2)).run(&rt(), &limits, &x).map(|_| ());
        let in_place = chain(Head::Input).change(&rt(), &mut x);
        for (done, way) in [(rows, "rows"), (tiles, "tiles"), (in_place, "in place")] {
            assert_eq!(done.map_err(|error| error.kind()), Err(ErrorKind::Interrupted), "{way}");
        }
    }

    #[test]
    fn batches_end_when_they_are_interrupted() {
        for threads in [1, 2] {
            let (interrupt, _) = stopping_at(1);
            let rt = Runtime::new(Simd::Scalar, threads).expect("threads").interruptible(interrupt);
            let mut items = [(); 200];
            let done = rt.each(&mut items, |_, (), rt| {
                std::thread::sleep(Duration::from_millis(2));
                rt.pool.check()
            });
            assert_eq!(done.expect_err("it is interrupted").kind(), ErrorKind::Interrupted, "{threads} threads");
        }
    }
}
