//! Latents coded in one pass against symbols that are quantised, put in order and coded one step after another.

use lcrs_core::cdf::{default_scale_table, gaussian_table, CdfTable};
use lcrs_core::latent::Latents;
use lcrs_core::rans::{self, StreamKind};
use lcrs_core::{exact, Error, Runtime, Simd};
use proptest::prelude::*;

fn table() -> CdfTable {
    gaussian_table(default_scale_table(), 1e-9).expect("the default table")
}

/// Numbers that look random, in -1..1.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn rows(seed: u64, len: usize) -> Vec<i32> {
    noise(seed, len).into_iter().map(|v| ((v + 1.0) * 31.9) as i32).collect()
}

/// The entries of (items, channels, pixels) in the order of a stream.
fn in_order<T: Copy>(kind: StreamKind, [items, channels, pixels]: [usize; 3], values: &[T]) -> Vec<T> {
    if kind == StreamKind::Ans {
        return values.to_vec();
    }
    let place = |n, p, c| values[(n * channels + c) * pixels + p];
    (0..items)
        .flat_map(|n| (0..pixels).flat_map(move |p| (0..channels).map(move |c| (n, p, c))))
        .map(|(n, p, c)| place(n, p, c))
        .collect()
}

/// What is given for each channel, for each value.
fn spread<T: Copy>([items, _, pixels]: [usize; 3], values: &[T]) -> Vec<T> {
    (0..items).flat_map(|_| values.iter().flat_map(move |value| vec![*value; pixels])).collect()
}

/// Checks one batch on a runtime.
fn check(rt: &Runtime, kind: StreamKind, shape: [usize; 3], seed: u64, by_channel: bool, has_means: bool) {
    let (table, len) = (table(), shape.iter().product());
    let given = if by_channel { shape[1] } else { len };
    let (values, indexes, means) = (noise(seed, len), rows(seed + 1, given), noise(seed + 2, given));
    let values: Vec<f32> = values.iter().map(|v| v * v * v * 900.0).collect();
    let means = has_means.then_some(&means[..]);
    let latents = Latents::new(shape, &indexes, means).expect("shapes fit");
    let streams = latents.encode(kind, rt, &values, &table).expect("legal");

    let (all_rows, all_means) = if by_channel {
        (spread(shape, &indexes), means.map(|means| spread(shape, means)))
    } else {
        (indexes.clone(), means.map(<[f32]>::to_vec))
    };
    let mut symbols = vec![0; len];
    exact::quantize(rt.simd, &values, all_means.as_deref(), &mut symbols).expect("legal");
    let (ordered, ordered_rows) = (in_order(kind, shape, &symbols), in_order(kind, shape, &all_rows));
    let plain = Runtime::new(Simd::Scalar, 1).expect("a runtime");
    let expected = rans::encode_batch(kind, &plain, shape[0], &ordered, &ordered_rows, &table).expect("legal");
    assert!(streams.iter().map(|stream| &**stream).eq(expected.iter().map(|stream| &**stream)));

    let mut restored = vec![0.0; len];
    exact::dequantize(&symbols, all_means.as_deref(), &mut restored).expect("fits");
    let streams: Vec<&[u8]> = streams.iter().map(|stream| &**stream).collect();
    let mut out = vec![f32::NAN; len];
    latents.decode(kind, rt, &streams, &table, &mut out).expect("a whole stream");
    assert_eq!(out, restored);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn as_step_by_step(
        items in 0_usize..4,
        channels in prop_oneof![0_usize..4, 4_usize..40, Just(192), Just(320)],
        pixels in prop_oneof![0_usize..4, 4_usize..100],
        seed in 0_u64..1000,
        by_channel: bool,
        has_means: bool,
        kind in prop_oneof![Just(StreamKind::Ans), Just(StreamKind::Lcrs)],
    ) {
        for simd in Simd::available() {
            for threads in [1, 3] {
                let rt = Runtime::new(simd, threads).expect("a runtime");
                check(&rt, kind, [items, channels, pixels], seed, by_channel, has_means);
            }
        }
    }
}

fn message<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "no error".to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_illegal_is_named_with_its_place() {
    let (rt, table, shape) = (Runtime::serial(), table(), [2, 3, 20]);
    let (mut values, mut indexes) = (vec![0.0; 120], vec![0; 120]);
    let encode = |values: &[f32], indexes: &[i32], kind| {
        message(Latents::new(shape, indexes, None).and_then(|latents| latents.encode(kind, &rt, values, &table)))
    };
    for kind in StreamKind::ALL {
        values[77] = f32::INFINITY;
        assert!(
            encode(&values, &indexes, kind).contains("is inf at position 77"),
            "{}",
            encode(&values, &indexes, kind)
        );
        values[77] = 0.0;
        indexes[101] = 64;
        assert!(encode(&values, &indexes, kind).contains("index 64 at position 101 is outside"));
        indexes[101] = 0;
        assert!(encode(&values[..119], &indexes, kind).contains("119 values are given for 2 x 3 x 20 latents"));
        assert!(encode(&values, &indexes[..7], kind).contains("7 indexes are given for 2 x 3 x 20 latents"));
    }
    assert!(Latents::new([usize::MAX, 2, usize::MAX], &[0; 2], None).is_err());
}

#[test]
fn a_damaged_stream_is_refused_with_its_number() {
    let (rt, table, shape) = (Runtime::serial(), table(), [2, 48, 70]);
    let (values, indexes) = (noise(1, 2 * 48 * 70), rows(2, 2 * 48 * 70));
    let latents = Latents::new(shape, &indexes, None).expect("shapes fit");
    let mut out = vec![0.0; values.len()];
    for kind in StreamKind::ALL {
        let streams = latents.encode(kind, &rt, &values, &table).expect("legal");
        let short = [&streams[0][..], &streams[1][..streams[1].len() / 2]];
        assert!(message(latents.decode(kind, &rt, &short, &table, &mut out)).contains("stream 1"));
        assert!(latents.decode(kind, &rt, &short[..1], &table, &mut out).is_err());
        assert!(latents.decode(kind, &rt, &short, &table, &mut out[1..]).is_err());
    }
}
