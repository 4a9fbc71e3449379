//! Memory: what a job holds stays within its limits, and where there is none the job ends with an error.
//!
//! The tests have an allocator of their own, which counts what a job holds, or refuses it one large block.
#![allow(clippy::unwrap_used, unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::sync::Barrier;

use common::{factorized, hyperprior, is_slow, picture, scanned, variable_rate, Model, Random};
use lcrs_codec::{
    compress, compress_lossless, decompress, decompress_lossless, lossless_if_no_larger, CompressOptions,
    DecompressOptions, Package, Picture, PictureMetadata,
};
use lcrs_core::{ErrorKind, Limits, Result, Runtime, Simd};
use serde_json::json;

/// Blocks from this size on are large: the size of the input decides how large they are. Tables and lists of fixed size
/// are smaller.
const LARGE: usize = 1 << 12;

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

fn is_scan(name: &str) -> bool {
    SCANS.iter().any(|kind| name.ends_with(kind))
}

fn encode(package: &Package, picture: &Picture, rt: &Runtime, limits: &Limits) -> Result<Vec<u8>> {
    let quality = package.levels().map(|_| 60.0);
    compress(package, picture, &CompressOptions { quality, ..Default::default() }, rt, limits)
}

fn decode(package: &Package, file: &[u8], rt: &Runtime, limits: &Limits) -> Result<Picture> {
    decompress(package, file, &DecompressOptions::default(), rt, limits)
}

/// A runtime that has kept nothing, whose threads run: what they are made of is not the job's.
fn new_runtime(threads: usize) -> Runtime {
    let rt = Runtime::new(Simd::detect(), threads).unwrap();
    let meeting = Barrier::new(rt.pool.threads());
    rt.pool.for_each(rt.pool.threads(), |_| {
        meeting.wait();
    });
    rt
}

/// A picture, its file, and what that decodes to.
struct Job {
    picture: Picture,
    file: Vec<u8>,
    pixels: Picture,
}

impl Job {
    fn new(package: &Package, width: u32, height: u32) -> Self {
        let (picture, rt, limits) = (picture(width, height, 3), new_runtime(1), Limits::default());
        let file = encode(package, &picture, &rt, &limits).unwrap();
        let pixels = decode(package, &file, &rt, &limits).unwrap();
        Self { picture, file, pixels }
    }

    fn run(&self, is_encoder: bool, package: &Package, rt: &Runtime) -> Result<()> {
        let limits = Limits::default();
        match is_encoder {
            true => encode(package, &self.picture, rt, &limits).map(|again| assert_eq!(again, self.file)),
            false => decode(package, &self.file, rt, &limits).map(|again| assert_eq!(again, self.pixels)),
        }
    }
}

fn memory_that_is_refused_is_an_error_and_the_next_job_works() {
    for model in models().into_iter().chain([deep(300)]) {
        let bytes = model.to_bytes();
        let new_package = || Package::from_bytes(&bytes, &Limits::default()).unwrap();
        let name = new_package().name().to_owned();
        // the hyperlatent's blocks are large, but where another scan has shown those and all else is much larger
        let sizes = match name.as_str() {
            _ if is_slow() => [[500, 330]; 2],
            "tiny-channel_groups" | "tiny-raster" => [[240, 160], [150, 83]],
            "tiny-deep" => [[90, 70], [50, 40]], // its lists are large whatever the picture
            _ => [[310, 205], [150, 83]],
        };
        let [job, next] = sizes.map(|[width, height]| Job::new(&new_package(), width, height));
        // Scans take long; where two threads work, one does, too.
        for threads in if is_scan(&name) { 2..=2 } else { 1..=2 } {
            for is_encoder in [true, false] {
                let mut refused = 0;
                loop {
                    // a package and a runtime that have kept nothing
                    let (package, rt) = (new_package(), new_runtime(threads));
                    let (done, asked) = refusing(refused, || job.run(is_encoder, &package, &rt));
                    if let Err(error) = done {
                        assert_eq!(error.kind(), ErrorKind::Limit, "{name}, block {refused}: {error}");
                    }
                    next.run(is_encoder, &package, &rt).unwrap();
                    if asked <= refused {
                        break;
                    }
                    refused += 1;
                }
                assert!(refused > 3, "{name} asks for {refused} large blocks");
            }
        }
    }
}

/// [`factorized`] with so many layers more in each transform, which change little: its lists of layers are large blocks.
fn deep(layers: usize) -> Model {
    let mut model = factorized();
    model.description["name"] = "tiny-deep".into();
    for name in ["g_a", "g_s"] {
        let graph = &mut model.description["graphs"][name];
        let first = graph["outputs"][0][1].as_u64().unwrap() as usize;
        let nodes = graph["nodes"].as_array_mut().unwrap();
        nodes.extend((0..layers).map(|i| json!({"op": "abs", "in": [first + i], "place": format!("deep {i}")})));
        graph["outputs"][0][1] = (first + layers).into();
    }
    model
}

fn jobs_hold_no_more_than_their_limits_say() {
    for model in models() {
        let package = model.package();
        // scans hold several times as much for each pixel
        let [width, height] = match (is_slow(), is_scan(package.name())) {
            (true, _) => [1400, 1000],
            (false, false) => [1000, 700],
            (false, true) => [700, 500],
        };
        let picture = picture(width, height, 4);
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

/// A picture of long lines and of noise.
fn half_noise(width: u32, height: u32) -> Picture {
    let (mut random, row) = (Random(7), 3 * width as usize);
    let data = (0..row * height as usize).map(|i| match i / row % 8 {
        0..4 => (i / 300 % 7) as u8,
        _ => random.bits() as u8,
    });
    Picture::new(width, height, data.collect()).unwrap()
}

fn encode_lossless(picture: &Picture, rt: &Runtime, limits: &Limits) -> Result<Vec<u8>> {
    compress_lossless(picture, &PictureMetadata::default(), rt, limits)
}

/// Whether what it gave was whole.
type LosslessJob<'a> = &'a dyn Fn(&Runtime) -> Result<bool>;

fn lossless_memory_that_is_refused_is_an_error_and_the_next_job_works() {
    // rows are large blocks; the stream grows several times
    let picture = half_noise(LARGE as u32 + 9, 9);
    let (none, limits) = (PictureMetadata::default(), Limits::default());
    let file = encode_lossless(&picture, &new_runtime(1), &limits).unwrap();
    // a trial without memory is none
    let jobs: [LosslessJob<'_>; 3] = [
        &|rt| encode_lossless(&picture, rt, &limits).map(|again| again == file),
        &|rt| decompress_lossless(&file, rt, &limits).map(|again| again == picture),
        &|rt| {
            lossless_if_no_larger(&picture, &none, file.len(), rt, &limits).map(|again| again.as_ref() == Some(&file))
        },
    ];
    for (job, is_trial) in jobs.into_iter().zip([false, false, true]) {
        let mut refused = 0;
        loop {
            let rt = new_runtime(1);
            let (done, asked) = refusing(refused, || job(&rt));
            match done {
                _ if asked <= refused => assert!(done.unwrap()),
                Ok(is_whole) => assert!(is_whole || is_trial, "block {refused}"),
                Err(error) => assert!(error.kind() == ErrorKind::Limit && !is_trial, "block {refused}: {error}"),
            }
            if asked <= refused {
                break;
            }
            refused += 1;
        }
        assert!(refused > 10, "{refused} large blocks");
    }
}

fn lossless_jobs_hold_no_more_than_their_limits_say() {
    let picture = half_noise(500, 400);
    let rt = Runtime::new(Simd::detect(), 2).unwrap();
    let (file, most) = most_held(|| encode_lossless(&picture, &rt, &Limits::default()).unwrap());
    let mut refused = [0; 2];
    for percent in [400, 200, 120, 100, 80, 60, 40, 20, 10] {
        let mut limits = Limits::default();
        limits.max_bytes = most / 100 * percent;
        let (encoded, held) = most_held(|| encode_lossless(&picture, &rt, &limits));
        assert!(held <= limits.max_bytes, "encoding: {held} of {}", limits.max_bytes);
        let (decoded, held) = most_held(|| decompress_lossless(&file, &rt, &limits));
        assert!(held <= limits.max_bytes, "decoding: {held} of {}", limits.max_bytes);
        for (refused, error) in refused.iter_mut().zip([encoded.err(), decoded.err()]) {
            assert!(error.as_ref().is_none_or(|error| error.kind() == ErrorKind::Limit), "{error:?}");
            *refused += usize::from(error.is_some());
        }
    }
    assert!(refused.iter().all(|count| (2..9).contains(count)), "{refused:?}");
}

/// Lists of jobs, tables of a run, messages, a tile's buffers that wait for the next one: small things that nobody counts.
const SLACK: u64 = 1 << 20;

/// One test for all: a second one's thread would take memory of its own meanwhile, and be refused it.
#[test]
fn memory_has_limits() {
    lossless_memory_that_is_refused_is_an_error_and_the_next_job_works();
    lossless_jobs_hold_no_more_than_their_limits_say();
    memory_that_is_refused_is_an_error_and_the_next_job_works();
    jobs_hold_no_more_than_their_limits_say();
}
