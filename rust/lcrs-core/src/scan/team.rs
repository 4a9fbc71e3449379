//! Threads that work through the steps of a scan together.
//!
//! A step is a row of *stages*, each a matrix (positions x outputs) that is computed from the one before; the first from
//! the values that are known. Threads share a stage by tiles of columns, as [`TileQueue`] says: a thread so needs only its part
//! of the weights, which may stay in its cache from step to step, and nobody waits for a thread that the system has
//! interrupted, but for one that has begun a tile. After the last stage it is the turn of the leader alone, to learn new values.
#![allow(unsafe_code)]

use super::tile_queue::{TileQueue, MAX_TILES};
use super::wakeup::Wakeup;
use crate::exact::{with_ieee, Tile};
use crate::{Error, Pool, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A matrix that is computed anew in every step.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) data: Vec<f32>,
    /// Elements of a row, and how many of them make a tile.
    pub(super) row_len: usize,
    pub(super) tile: usize,
}

/// A tile of a stage in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) step: usize,
    pub(super) stage: usize,
    pub(super) tile: usize,
}

/// A buffer that is borrowed for as long as the team works.
#[derive(Debug, Clone, Copy)]
struct Shared {
    first: *mut f32,
    len: usize,
    row_len: usize,
    tile: usize,
}

impl Shared {
    fn tiles(&self) -> usize {
        self.row_len.div_ceil(self.tile)
    }
}

/// What all threads share. Phases are numbered: those of a step are its stages, then the leader's turn.
struct Team<'a, F> {
    /// The values, then the stages.
    matrices: Vec<Shared>,
    compute: F,
    tiles_left: TileQueue,
    phase: AtomicUsize,
    /// Phases until the end.
    phases: usize,
    /// Tiles of the phase that are not done.
    left: AtomicUsize,
    has_stopped: AtomicBool,
    leader: Wakeup,
    helpers: Wakeup,
    _borrowed: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: threads touch what pointers point to only in `Team::work` and `Team::lead`, which say why they may.
unsafe impl<F: Sync> Sync for Team<'_, F> {}

/// Works through `steps` steps with the calling thread, the leader, and `threads - 1` helpers of the pool, all under IEEE-754
/// defaults. The leader does not wait for helpers to come.
///
/// `compute(task, next, input, tile)` fills a tile from the whole stage before, or from `values`; `next` is what the thread will
/// probably do after that. After the last stage, `turn(step, last, values)` may change the values.
///
/// # Errors
/// What `turn` returns.
///
/// # Panics
/// If `compute` or `turn` does.
pub(super) fn run<F>(
    pool: &Pool,
    threads: usize,
    steps: usize,
    values: &mut [f32],
    stages: &mut [Stage],
    compute: F,
    turn: impl FnMut(usize, &[f32], &mut [f32]) -> Result<()>,
) -> Result<()>
where
    F: Fn(Task, Option<Task>, &[f32], &mut Tile) + Sync,
{
    let team = Team::new(threads, steps, values, stages, compute);
    if team.phases == 0 {
        return Ok(());
    }
    team.begin(0);
    let help = |thread| {
        let _stop = StopOnDrop(&team);
        with_ieee(|| team.help(thread));
    };
    pool.lead(threads, help, || {
        let _stop = StopOnDrop(&team);
        with_ieee(|| team.lead(turn))
    })
}

impl<'a, F> Team<'a, F>
where
    F: Fn(Task, Option<Task>, &[f32], &mut Tile) + Sync,
{
    fn new(threads: usize, steps: usize, values: &'a mut [f32], stages: &'a mut [Stage], compute: F) -> Self {
        let values = Shared { first: values.as_mut_ptr(), len: values.len(), row_len: 0, tile: 1 };
        let shared = stages.iter_mut().map(|stage| {
            let Stage { data, row_len, tile } = stage;
            assert!((1..=MAX_TILES).contains(&row_len.div_ceil(*tile)), "{row_len} elements in tiles of {tile}");
            Shared { first: data.as_mut_ptr(), len: data.len(), row_len: *row_len, tile: *tile }
        });
        let matrices: Vec<Shared> = std::iter::once(values).chain(shared).collect();
        Self {
            tiles_left: TileQueue::new(threads),
            phase: AtomicUsize::new(0),
            phases: steps * matrices.len(),
            left: AtomicUsize::new(0),
            has_stopped: AtomicBool::new(false),
            leader: Wakeup::default(),
            helpers: Wakeup::default(),
            _borrowed: std::marker::PhantomData,
            matrices,
            compute,
        }
    }

    /// The number of stages.
    fn stages(&self) -> usize {
        self.matrices.len() - 1
    }

    /// Begins a phase; all tiles of the one before are done.
    fn begin(&self, phase: usize) {
        let tiles = self.matrices.get(phase % self.matrices.len() + 1).map_or(0, Shared::tiles);
        self.left.store(tiles, Ordering::Relaxed);
        self.tiles_left.offer(phase as u32, tiles);
        // what was written before is seen by who sees the new phase
        self.phase.store(phase, Ordering::SeqCst);
    }

    fn is_in(&self, phase: usize) -> bool {
        self.phase.load(Ordering::SeqCst) == phase && !self.has_stopped.load(Ordering::SeqCst)
    }

    /// What a helper does.
    fn help(&self, thread: usize) {
        loop {
            let phase = self.phase.load(Ordering::SeqCst);
            if phase >= self.phases || self.has_stopped.load(Ordering::SeqCst) {
                return;
            }
            self.work(phase, thread);
            self.helpers.wait_while(|| self.is_in(phase));
        }
    }

    /// Does tiles of a phase until there are none left, and begins the next phase if these were the last to be done.
    fn work(&self, phase: usize, thread: usize) {
        let (step, stage) = (phase / self.matrices.len(), phase % self.matrices.len());
        let mut done = 0;
        while let Some(claim) = self.tiles_left.claim(phase as u32, thread) {
            let task = Task { step, stage, tile: claim.tile };
            let next =
                if claim.more { Some(Task { tile: claim.tile + 1, ..task }) } else { self.first(phase + 1, thread) };
            let (from, to) = (self.matrices[stage], self.matrices[stage + 1]);
            let columns = claim.tile * to.tile..((claim.tile + 1) * to.tile).min(to.row_len);
            // SAFETY: the buffers are borrowed for 'a and lie apart. While a tile of this phase is claimed and not done, the
            // phase lasts, and in it nobody writes `from`, and nobody else has these columns of `to`. What earlier phases
            // wrote is seen, since `phase` was read after it was stored after that.
            let (input, mut tile) = unsafe {
                (std::slice::from_raw_parts(from.first, from.len), Tile::shared(to.first, to.len, to.row_len, columns))
            };
            (self.compute)(task, next, input, &mut tile);
            done += 1;
        }
        if done > 0 && self.left.fetch_sub(done, Ordering::AcqRel) == done {
            self.begin(phase + 1);
            if thread > 0 {
                self.leader.ring();
            }
        }
    }

    /// What a thread will do first in `phase`, or in the one that follows if that is the leader's turn.
    fn first(&self, phase: usize, thread: usize) -> Option<Task> {
        let phase = phase + usize::from(phase % self.matrices.len() == self.stages());
        let (step, stage) = (phase / self.matrices.len(), phase % self.matrices.len());
        let own = self.tiles_left.own(self.matrices[stage + 1].tiles(), thread);
        (phase < self.phases && !own.is_empty()).then_some(Task { step, stage, tile: own.start })
    }

    /// What the leader does.
    fn lead(&self, mut turn: impl FnMut(usize, &[f32], &mut [f32]) -> Result<()>) -> Result<()> {
        /// A call may cost as much as a tile: seldom enough not to matter where helpers have no processor of their own.
        const CALL_EVERY: Duration = Duration::from_micros(500);
        let mut called = Instant::now();
        for phase in 0..self.phases {
            let (step, stage) = (phase / self.matrices.len(), phase % self.matrices.len());
            if stage < self.stages() {
                self.work(phase, 0);
                self.leader.wait_while(|| self.is_in(phase));
                if self.has_stopped.load(Ordering::SeqCst) {
                    return Err(Error::invalid("a thread of the scan has failed"));
                }
                continue;
            }
            let (values, last) = (self.matrices[0], self.matrices[stage]);
            // SAFETY: the buffers are borrowed for 'a and lie apart. In this phase there is nothing to claim, so nobody
            // touches them until it ends; what earlier phases wrote is seen, as in `work`.
            let (values, last) = unsafe {
                (
                    std::slice::from_raw_parts_mut(values.first, values.len),
                    std::slice::from_raw_parts(last.first, last.len),
                )
            };
            turn(step, last, values)?;
            self.begin(phase + 1);
            if self.helpers.has_sleepers() && called.elapsed() > CALL_EVERY {
                self.helpers.ring();
                called = Instant::now();
            }
        }
        Ok(())
    }
}

/// Stops the team when a thread leaves, be it by a panic.
struct StopOnDrop<'a, 'b, F>(&'a Team<'b, F>);

impl<F> Drop for StopOnDrop<'_, '_, F> {
    fn drop(&mut self) {
        self.0.has_stopped.store(true, Ordering::SeqCst);
        self.0.leader.ring();
        self.0.helpers.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn pool(threads: usize) -> Pool {
        Pool::new(threads).expect("threads start")
    }

    /// Two stages of `widths` outputs over a matrix of two rows, and a turn that feeds the last one back: all numbers stay small.
    fn stages(widths: [usize; 2], tile: usize) -> Vec<Stage> {
        widths.map(|row_len| Stage { data: vec![0.0; 2 * row_len], row_len, tile }).into()
    }

    /// Each output depends on all inputs, and on its place.
    fn compute(task: Task, input: &[f32], out: &mut Tile, width: usize) {
        let sum = input.iter().enumerate().fold(0, |sum, (i, v)| (sum * 31 + *v as usize + i) % 1009);
        for row in 0..2 {
            for (j, v) in out.row_mut(row).iter_mut().enumerate() {
                *v = ((sum + task.step + (task.tile * width + j) * 7 + row) % 997) as f32;
            }
        }
    }

    fn feed(step: usize, last: &[f32], values: &mut [f32]) -> Result<()> {
        let len = values.len();
        values[step % len] = last.iter().sum::<f32>() % 1013.0;
        Ok(())
    }

    #[test]
    fn any_number_of_threads_computes_the_same() {
        let run_on = |threads, widths, tile| {
            let (mut values, mut stages) = (vec![1.0; 5], stages(widths, tile));
            let work = |task, _: Option<Task>, input: &[f32], out: &mut Tile| compute(task, input, out, tile);
            run(&pool(threads), threads, 50, &mut values, &mut stages, work, feed).expect("no turn fails");
            (values, stages.pop().map(|stage| stage.data))
        };
        for (widths, tile) in [([1, 1], 1), ([9, 30], 4), ([64, 3], 1), ([5, 5], 8)] {
            let alone = run_on(1, widths, tile);
            assert!(alone.0.iter().any(|v| *v != 1.0));
            for threads in [2, 3, 4, 9] {
                assert_eq!(run_on(threads, widths, tile), alone, "{threads} threads, {widths:?} in tiles of {tile}");
            }
        }
    }

    /// Whoever has the first tile of the helper's range holds it until all others are done: by the other thread, then.
    #[test]
    fn tiles_of_a_thread_that_is_held_up_are_done_by_others() {
        let done: Vec<AtomicU32> = (0..20).map(|_| AtomicU32::new(0)).collect();
        let mut stages = stages([8, 1], 1);
        let work = |task: Task, _: Option<Task>, _: &[f32], out: &mut Tile| {
            if task.stage == 0 {
                while task.tile == 4 && done[task.step].load(Ordering::SeqCst) < 7 {
                    std::thread::yield_now();
                }
                done[task.step].fetch_add(1, Ordering::SeqCst);
            }
            (0..2).for_each(|row| out.row_mut(row).fill(task.tile as f32));
        };
        run(&pool(2), 2, done.len(), &mut [0.0], &mut stages, work, |_, _, _| Ok(())).expect("no turn fails");
        assert!(done.iter().all(|done| done.load(Ordering::SeqCst) == 8));
        assert_eq!(stages[0].data[..8], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn what_comes_next_is_where_the_thread_goes_on() {
        let mut stages = stages([4, 2], 1);
        let expected = std::sync::Mutex::new(None);
        let work = |task: Task, next: Option<Task>, _: &[f32], _: &mut Tile| {
            let mut expected = expected.lock().expect("no panic");
            assert!(expected.is_none_or(|e| e == task), "{task:?} instead of {expected:?}");
            *expected = next;
        };
        run(&Pool::serial(), 1, 3, &mut [0.0], &mut stages, work, |_, _, _| Ok(())).expect("no turn fails");
        assert_eq!(*expected.lock().expect("no panic"), None, "nothing comes after the end");
    }

    #[test]
    fn errors_and_panics_end_the_work() {
        for threads in [1, 2, 5] {
            let run_until = |failing: usize, turn_fails: bool| {
                let work = move |task: Task, _: Option<Task>, _: &[f32], _: &mut Tile| {
                    assert!(turn_fails || task.step < failing, "on purpose");
                };
                let turn = |step, _: &[f32], _: &mut [f32]| match step == failing {
                    true => Err(Error::corrupt("a turn")),
                    false => Ok(()),
                };
                run(&pool(threads), threads, 9, &mut [0.0], &mut stages([16, 4], 1), work, turn)
            };
            let error = run_until(3, true).expect_err("the turn fails");
            assert_eq!(error.to_string(), Error::corrupt("a turn").to_string());
            assert!(std::panic::catch_unwind(|| run_until(4, false)).is_err());
        }
    }
}
