//! The entropy coder: both kinds on every path of this processor. `cargo bench -p lcrs-benches --bench coder --
//! lcrs/avx512`

#![allow(missing_docs)] // criterion's macros write functions

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use lcrs_benches::{gaussian_table, scales, Workload};
use lcrs_core::rans::{self, Decoder, StreamKind};
use lcrs_core::{Runtime, Simd};

fn whole_streams(c: &mut Criterion) {
    let table = gaussian_table(&scales());
    for work in [
        Workload::uniform64(4_000_000),
        Workload::skewed(4_000_000),
        Workload::uniform64(300_000),
        Workload::skewed(300_000),
    ] {
        let (symbols, indexes) = (&work.symbols, &work.indexes);
        let mut out = vec![0; symbols.len()];
        for kind in StreamKind::ALL {
            for simd in Simd::available() {
                let rt = Runtime::new(simd, 1).expect("one thread");
                let mut group = c.benchmark_group(format!("{}/{}", kind.name(), simd.name()));
                group.throughput(Throughput::Elements(symbols.len() as u64)).sample_size(20);
                let data = rans::encode(kind, &rt, symbols, indexes, &table).expect("valid");
                group.bench_function(format!("encode/{}/{}", work.name, symbols.len()), |b| {
                    b.iter(|| rans::encode(kind, &rt, black_box(symbols), indexes, &table));
                });
                group.bench_function(format!("decode/{}/{}", work.name, symbols.len()), |b| {
                    b.iter(|| rans::decode(kind, &rt, black_box(&data), indexes, &table, &mut out));
                });
            }
        }
    }
}

fn small_calls(c: &mut Criterion) {
    let (table, work, rt) = (gaussian_table(&scales()), Workload::skewed(16), Runtime::serial());
    for kind in StreamKind::ALL {
        let data = rans::encode(kind, &rt, &work.symbols, &work.indexes, &table).expect("valid");
        let mut out = [0; 16];
        c.bench_function(&format!("{}/16 symbols/encode", kind.name()), |b| {
            b.iter(|| rans::encode(kind, &rt, black_box(&work.symbols), &work.indexes, &table));
        });
        c.bench_function(&format!("{}/16 symbols/decode", kind.name()), |b| {
            b.iter(|| rans::decode(kind, &rt, black_box(&data), &work.indexes, &table, &mut out));
        });
    }
}

fn pulls(c: &mut Criterion) {
    let (table, work) = (gaussian_table(&scales()), Workload::skewed(300_000));
    let mut out = vec![0; work.symbols.len()];
    for simd in Simd::available() {
        let rt = Runtime::new(simd, 1).expect("one thread");
        let data = rans::encode(StreamKind::Lcrs, &rt, &work.symbols, &work.indexes, &table).expect("valid");
        let mut group = c.benchmark_group(format!("pulls/{}", simd.name()));
        group.throughput(Throughput::Elements(out.len() as u64)).sample_size(20);
        for size in [1, 33, 192, 1000] {
            group.bench_function(size.to_string(), |b| {
                b.iter(|| {
                    let mut decoder = Decoder::new(StreamKind::Lcrs, simd, black_box(&data)).expect("valid");
                    for (indexes, out) in work.indexes.chunks(size).zip(out.chunks_mut(size)) {
                        decoder.pull(indexes, &table, out).expect("valid");
                    }
                });
            });
        }
    }
}

criterion_group!(benches, whole_streams, small_calls, pulls);
criterion_main!(benches);
