//! Memory: what a job holds stays within its limits, and where there is none the job ends with an error.
//!
//! The tests have an allocator of their own, which counts what a job holds, or refuses it one large block.
#![allow(clippy::unwrap_used, unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::SeqCst};

use common::{factorized, hyperprior, picture, scanned, variable_rate, Model};
use lcrs_codec::{compress, decompress, CompressOptions, DecompressOptions, Package, Picture};
use lcrs_core::{ErrorKind, Limits, Result, Runtime, Simd};

/// Blocks from this size on are large: the size of the input decides how large they are.
const LARGE: usize = 1 << 13;

struct Watched;

static HELD: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);
static LARGE_BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The large block that is refused, counted from 0.
static REFUSED: AtomicUsize = AtomicUsize::new(usize::MAX);
static IS_ON: AtomicBool = AtomicBool::new(false);

impl Watched {
    fn refuses(size: usize) -> bool {
        IS_ON.load(SeqCst) && size >= LARGE && LARGE_BLOCKS.fetch_add(1, SeqCst) == REFUSED.load(SeqCst)
    }

    fn count(change: isize) {
        let held = HELD.fetch_add(change, SeqCst) + change;
        MOST.fetch_max(held, SeqCst);
    }
}

// SAFETY: all memory comes from the system's allocator, with the layouts that callers give; a null pointer is what an
// allocator without memory returns.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        Self::count(layout.size() as isize);
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if Self::refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        Self::count(layout.size() as isize);
        // SAFETY: the caller's layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() && Self::refuses(size) {
            return std::ptr::null_mut();
        }
        Self::count(size as isize - layout.size() as isize);
        // SAFETY: the caller's block and layout.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::count(-(layout.size() as isize));
        // SAFETY: the caller's block and layout.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// Refuses large block `refused` to `job`; how many it asked for.
fn refusing<T>(refused: usize, job: impl FnOnce() -> T) -> (T, usize) {
    LARGE_BLOCKS.store(0, SeqCst);
    REFUSED.store(refused, SeqCst);
    IS_ON.store(true, SeqCst);
    let result = job();
    IS_ON.store(false, SeqCst);
    (result, LARGE_BLOCKS.load(SeqCst))
}

/// The most bytes that `job` holds beyond what there was.
fn most_held<T>(job: impl FnOnce() -> T) -> (T, u64) {
    let before = HELD.load(SeqCst);
    MOST.store(before, SeqCst);
    let result = job();
    (result, (MOST.load(SeqCst) - before).max(0) as u64)
}

const SCANS: [&str; 3] = ["checkerboard", "channel_groups", "raster"];

fn models() -> Vec<Model> {
    [factorized(), hyperprior(), variable_rate()].into_iter().chain(SCANS.map(scanned)).collect()
}

fn encode(package: &Package, picture: &Picture, rt: &Runtime, limits: &Limits) -> Result<Vec<u8>> {
    let quality = package.levels().map(|_| 60.0);
    compress(package, picture, &CompressOptions { quality, ..Default::default() }, rt, limits)
}

fn decode(package: &Package, file: &[u8], rt: &Runtime, limits: &Limits) -> Result<Picture> {
    decompress(package, file, &DecompressOptions::default(), rt, limits)
}

fn memory_that_is_refused_is_an_error_and_the_next_job_works() {
    let (picture, limits) = (picture(500, 330, 3), Limits::default());
    for model in models() {
        // Scans take long; where two threads work, one does, too.
        let is_scan = SCANS.iter().any(|kind| model.package().name().ends_with(kind));
        for threads in if is_scan { 2..=2 } else { 1..=2 } {
            let new_runtime = || Runtime::new(Simd::detect(), threads).unwrap();
            let package = model.package();
            let file = encode(&package, &picture, &new_runtime(), &limits).unwrap();
            let pixels = decode(&package, &file, &new_runtime(), &limits).unwrap();
            for direction in [true, false] {
                let mut refused = 0;
                loop {
                    // a package and a runtime that have kept nothing
                    let (package, rt) = (model.package(), new_runtime());
                    let job = || match direction {
                        true => encode(&package, &picture, &rt, &limits).map(|again| assert_eq!(again, file)),
                        false => decode(&package, &file, &rt, &limits).map(|again| assert_eq!(again, pixels)),
                    };
                    let (done, asked) = refusing(refused, job);
                    if let Err(error) = done {
                        assert_eq!(error.kind(), ErrorKind::Limit, "{}, block {refused}: {error}", package.name());
                    }
                    job().unwrap();
                    if asked <= refused {
                        break;
                    }
                    refused += 1;
                }
                assert!(refused > 3, "{} asks for {refused} large blocks", package.name());
            }
        }
    }
}

fn jobs_hold_no_more_than_their_limits_say() {
    let picture = picture(1400, 1000, 4);
    for model in models() {
        let package = model.package();
        let rt = Runtime::new(Simd::detect(), 2).unwrap();
        let (file, most) = most_held(|| encode(&package, &picture, &rt, &Limits::default()).unwrap());
        decode(&package, &file, &rt, &Limits::default()).unwrap();
        let mut refused = [false; 2];
        for share in [1.0, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05] {
            let mut limits = Limits::default();
            limits.max_bytes = (most as f64 * share) as u64;
            let (encoded, held) = most_held(|| encode(&package, &picture, &rt, &limits));
            assert!(held <= limits.max_bytes + SLACK, "{} encoding: {held} of {}", package.name(), limits.max_bytes);
            let (decoded, held) = most_held(|| decode(&package, &file, &rt, &limits));
            assert!(held <= limits.max_bytes + SLACK, "{} decoding: {held} of {}", package.name(), limits.max_bytes);
            for (refused, error) in refused.iter_mut().zip([encoded.err(), decoded.err()]) {
                assert!(error.as_ref().is_none_or(|error| error.kind() == ErrorKind::Limit), "{error:?}");
                *refused |= error.is_some();
            }
        }
        assert_eq!(refused, [true; 2], "{}: the least is too little", package.name());
    }
}

/// Lists of jobs, tables of a run, messages, a tile's buffers that wait for the next one: small things that nobody counts.
const SLACK: u64 = 1 << 20;

/// One test for all: a second one's thread would take memory of its own meanwhile, and be refused it.
#[test]
fn memory_has_limits() {
    memory_that_is_refused_is_an_error_and_the_next_job_works();
    jobs_hold_no_more_than_their_limits_say();
}
