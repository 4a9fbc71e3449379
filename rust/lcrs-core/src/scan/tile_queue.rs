//! Who does which tile of a phase: every thread begins with a range of its own, so that it sees the same weights in every step,
//! and then takes what others have not got to.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// The tiles of one phase after another that nobody has begun.
#[derive(Debug)]
pub(super) struct TileQueue {
    /// For each thread what is left of its own range.
    left: Vec<Left>,
}

/// The phase (32 bits, so that late threads find nothing), the first tile and the end (16 bits each); on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Left(AtomicU64);

/// The most tiles that a phase may have.
pub(super) const MAX_TILES: usize = u16::MAX as usize;

/// A tile that a thread has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) tile: usize,
    /// Whether the thread's own range has a next tile.
    pub(super) more: bool,
}

impl TileQueue {
    /// Nothing to claim for `threads` threads.
    pub(super) fn new(threads: usize) -> Self {
        Self { left: (0..threads).map(|_| Left::default()).collect() }
    }

    /// The range of tiles that a thread begins with.
    pub(super) fn own(&self, tiles: usize, thread: usize) -> Range<usize> {
        tiles * thread / self.left.len()..tiles * (thread + 1) / self.left.len()
    }

    /// Offers the tiles of `phase`, at most [`MAX_TILES`]; what was left of another phase is gone.
    pub(super) fn offer(&self, phase: u32, tiles: usize) {
        for (thread, left) in self.left.iter().enumerate() {
            left.0.store(pack(phase, self.own(tiles, thread)), Ordering::Relaxed);
        }
    }

    /// A tile of `phase` that no other thread gets: the first of the thread's own, or the last of another's.
    pub(super) fn claim(&self, phase: u32, thread: usize) -> Option<Claim> {
        let take = |victim: usize| {
            let left = &self.left[victim].0;
            let mut seen = left.load(Ordering::Relaxed);
            loop {
                let (Range { start, end }, current) = unpack(seen);
                if current != phase || start >= end {
                    return None;
                }
                let (tile, rest) = if victim == thread { (start, start + 1..end) } else { (end - 1, start..end - 1) };
                let more = victim == thread && !rest.is_empty();
                let claimed = pack(phase, rest);
                match left.compare_exchange_weak(seen, claimed, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return Some(Claim { tile, more }),
                    Err(now) => seen = now,
                }
            }
        };
        let threads = self.left.len();
        (0..threads).find_map(|i| take((thread + i) % threads))
    }
}

fn pack(phase: u32, tiles: Range<usize>) -> u64 {
    u64::from(phase) << 32 | (tiles.start as u64) << 16 | tiles.end as u64
}

fn unpack(word: u64) -> (Range<usize>, u32) {
    ((word >> 16 & 0xffff) as usize..(word & 0xffff) as usize, (word >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_goes_through_its_own_tiles_and_then_takes_others_last_ones() {
        let queue = TileQueue::new(2);
        queue.offer(7, 5);
        let tiles = |thread: usize, count: usize| -> Vec<(usize, bool)> {
            (0..count).map_while(|_| queue.claim(7, thread)).map(|c| (c.tile, c.more)).collect()
        };
        assert_eq!(tiles(0, 1), [(0, true)]);
        assert_eq!(tiles(1, 4), [(2, true), (3, true), (4, false), (1, false)]);
        assert_eq!((tiles(0, 9), tiles(1, 9)), (vec![], vec![]));
    }

    #[test]
    fn other_phases_have_nothing_to_claim() {
        let queue = TileQueue::new(3);
        assert_eq!(queue.claim(0, 0), None);
        queue.offer(1, 4);
        assert_eq!((queue.claim(0, 1), queue.claim(2, 1)), (None, None));
        queue.offer(2, 0);
        assert_eq!((queue.claim(1, 1), queue.claim(2, 1)), (None, None));
        queue.offer(3, MAX_TILES);
        assert_eq!(queue.claim(3, 2), Some(Claim { tile: MAX_TILES / 3 * 2, more: true }));
    }

    /// More threads than tiles, and more than processors: every tile of every phase is claimed once.
    #[test]
    fn threads_that_race_share_out_every_tile() {
        for (threads, tiles) in [(2, 64), (4, 3), (7, 100)] {
            let queue = TileQueue::new(threads);
            for phase in 1..30 {
                queue.offer(phase, tiles);
                let mut all: Vec<usize> = std::thread::scope(|scope| {
                    let queue = &queue;
                    let claim_all = move |thread| -> Vec<usize> {
                        std::iter::from_fn(|| queue.claim(phase, thread)).map(|claim| claim.tile).collect()
                    };
                    let running: Vec<_> = (0..threads).map(|i| scope.spawn(move || claim_all(i))).collect();
                    running.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
                });
                all.sort_unstable();
                assert_eq!(all, (0..tiles).collect::<Vec<_>>(), "{threads} threads");
            }
        }
    }
}
