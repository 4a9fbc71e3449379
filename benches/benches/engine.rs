//! The exact engine on every path of this processor: mbt2018's latent loop (32 x 48 places of 192 channels) on one and on two
//! threads, and single layers. `cargo bench -p lcrs-benches --bench engine -- latent_loop/avx512`

#![allow(missing_docs)] // criterion's macros write functions

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use lcrs_benches::LatentLoop;
use lcrs_core::exact::{Conv2d, Gdn, GdnKind, Tensor, Unary};
use lcrs_core::{Limits, Runtime, Simd};

fn latent_loop(c: &mut Criterion) {
    for simd in Simd::available() {
        // the emulated fused multiply-add needs seconds for a whole picture
        let (height, width) = if simd == Simd::Scalar { (8, 12) } else { (32, 48) };
        let work = LatentLoop::new(simd, height, width).expect("legal sizes");
        let mut group = c.benchmark_group(format!("latent_loop/{}", simd.name()));
        group.throughput(Throughput::Elements((height * width * 192) as u64)).sample_size(10);
        for threads in [1, 2] {
            let rt = Runtime::new(simd, threads).expect("threads start");
            let data = work.encode(&rt).expect("legal latent");
            group.bench_function(BenchmarkId::new("encode", threads), |b| b.iter(|| work.encode(black_box(&rt))));
            group
                .bench_function(BenchmarkId::new("decode", threads), |b| b.iter(|| work.decode(&rt, black_box(&data))));
        }
    }
}

fn layers(c: &mut Criterion) {
    let (channels, limits) = (192, Limits::default());
    let weight = vec![0.01; channels * channels * 9];
    for simd in Simd::available() {
        let (height, width) = if simd == Simd::Scalar { (8, 12) } else { (64, 96) };
        let rt = Runtime::new(simd, 1).expect("one thread");
        let x = Tensor::from_vec(channels, height, width, vec![0.5; channels * height * width]).expect("fits");
        let conv = Conv2d::new(simd, &weight, [channels, channels, 3, 3], None, [1, 1], [1, 1], 1).expect("legal");
        let gamma = &weight[..channels * channels];
        let gdn = Gdn::new(simd, &vec![1.0; channels], gamma, true, GdnKind::L2).expect("legal");
        let mut group = c.benchmark_group(format!("layers/{}", simd.name()));
        group.throughput(Throughput::Elements((channels * height * width) as u64)).sample_size(10);
        group.bench_function("conv 192 k3", |b| b.iter(|| conv.run(&rt, &limits, black_box(&x))));
        group.bench_function("inverse gdn 192", |b| b.iter(|| gdn.run(&rt, &limits, black_box(&x))));
        let mut y = x.clone();
        group.bench_function("leaky relu", |b| b.iter(|| Unary::LeakyRelu(0.01).apply(&rt, black_box(&mut y))));
        group.bench_function("sigmoid", |b| b.iter(|| Unary::Sigmoid.apply(&rt, black_box(&mut y))));
    }
}

criterion_group!(benches, latent_loop, layers);
criterion_main!(benches);
