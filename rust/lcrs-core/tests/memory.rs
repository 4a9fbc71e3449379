//! Memory that is refused: the coder and the tables end with an error, and the next job works.
//!
//! The tests have an allocator of their own, which refuses a job one of its blocks.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use lcrs_core::cdf::{default_scale_table, gaussian_table, CdfTable};
use lcrs_core::rans::{decode, encode, Encoder, StreamKind};
use lcrs_core::{ErrorKind, Result, Runtime, Simd};

/// Blocks from this size on may be refused.
const LEAST: usize = 1 << 10;

struct Refusing;

static BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// The block that is refused, counted from 0.
static REFUSED: AtomicUsize = AtomicUsize::new(usize::MAX);
static IS_ON: AtomicBool = AtomicBool::new(false);

fn refuses(size: usize) -> bool {
    IS_ON.load(SeqCst) && size >= LEAST && BLOCKS.fetch_add(1, SeqCst) == REFUSED.load(SeqCst)
}

// SAFETY: all memory comes from the system's allocator, with the layouts that callers give; a null pointer is what an
// allocator without memory returns.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() && refuses(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's block and layout.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's block and layout.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Calls `job` again and again, each time with another block refused, until it needs no more; how many it needs. Where it
/// fails it does so for want of memory.
fn refusing_each<T>(mut job: impl FnMut() -> Result<T>, mut check: impl FnMut(T)) -> usize {
    for refused in 0.. {
        BLOCKS.store(0, SeqCst);
        REFUSED.store(refused, SeqCst);
        IS_ON.store(true, SeqCst);
        let done = job();
        IS_ON.store(false, SeqCst);
        match done {
            Ok(result) => check(result),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Limit, "block {refused}: {error}"),
        }
        if BLOCKS.load(SeqCst) <= refused {
            return refused;
        }
    }
    unreachable!("jobs need a finite number of blocks")
}

/// Symbols of which every `every`th is outside its row, and their indexes.
fn symbols(len: usize, every: usize) -> (Vec<i32>, Vec<i32>) {
    let symbol = |i: usize| if i.is_multiple_of(every) { 100_000 + i as i32 } else { (i * i % 3) as i32 - 1 };
    ((0..len).map(symbol).collect(), (0..len).map(|i| (i % 64) as i32).collect())
}

fn streams_with_few_or_many_escapes() {
    let new_table = || gaussian_table(default_scale_table(), 1e-9).unwrap();
    let table = new_table();
    for kind in [StreamKind::Ans, StreamKind::Lcrs] {
        for simd in Simd::available() {
            for every in [1, 40] {
                let rt = Runtime::new(simd, 1).unwrap();
                let (symbols, indexes) = symbols(40_000, every);
                let whole = encode(kind, &rt, &symbols, &indexes, &table).unwrap();
                let job = || encode(kind, &Runtime::new(simd, 1)?, &symbols, &indexes, &table);
                assert!(refusing_each(job, |data| assert_eq!(data, whole)) > 3, "{kind:?}, {simd:?}");
                let in_pieces = || {
                    let mut encoder = Encoder::on(kind, &rt, symbols.len());
                    for (symbols, indexes) in symbols.chunks(3000).zip(indexes.chunks(3000)) {
                        // what failed has changed nothing
                        encoder.push(symbols, indexes, &table).or_else(|_| encoder.push(symbols, indexes, &table))?;
                    }
                    encoder.finish()
                };
                assert!(refusing_each(in_pieces, |data| assert_eq!(data, whole)) > 3, "{kind:?}, {simd:?}");
                let mut out = vec![0; symbols.len()];
                let mut table = new_table();
                let job = || decode(kind, &rt, &whole, &indexes, &table, &mut out);
                refusing_each(job, |()| ());
                assert_eq!(out, symbols);
                table = new_table();
                decode(kind, &rt, &whole, &indexes, &table, &mut out).unwrap();
            }
        }
    }
}

fn tables() {
    let (rows, width) = (300, 129);
    let row = || (0..width as i32).map(|k| if k == width as i32 - 1 { 1 << 16 } else { 3 * k });
    let cdfs: Vec<i32> = (0..rows).flat_map(|_| row()).collect();
    let (lengths, offsets) = (vec![width as i32; rows], vec![-7; rows]);
    let asked = refusing_each(
        || CdfTable::new(&cdfs, width, &lengths, &offsets, 16),
        |table| assert_eq!(table.num_rows(), rows),
    );
    assert!(asked > 3);
    let error = gaussian_table(&[1.0; 65_537], 1e-9).unwrap_err();
    assert!(error.to_string().contains("table has more than 65536 rows or 134217728 entries"), "{error}");
}

fn packed_escapes() {
    let table = gaussian_table(default_scale_table(), 1e-9).unwrap().with_heavy_tails();
    let rt = Runtime::new(Simd::detect(), 1).unwrap();
    let (symbols, indexes) = symbols(10_000, 3);
    let whole = encode(StreamKind::Lcrs, &rt, &symbols, &indexes, &table).unwrap();
    assert_eq!(whole[0] >> 7, 1, "the escapes are not packed");
    let job = || encode(StreamKind::Lcrs, &Runtime::new(Simd::detect(), 1)?, &symbols, &indexes, &table);
    assert!(refusing_each(job, |data| assert_eq!(data, whole)) > 3);
}

/// One test for all: a second one's thread would take memory of its own meanwhile, and be refused it.
#[test]
fn memory_that_is_refused_is_an_error() {
    streams_with_few_or_many_escapes();
    packed_escapes();
    tables();
}
