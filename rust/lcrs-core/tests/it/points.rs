//! Kernels of point clouds against their definitions: comparisons with all points, on every path and number of threads.

use lcrs_core::points::{farthest, normal, voxelize, BallCoordinate, FarthestCoordinate, NearestCoordinate, Tree};
use lcrs_core::{ErrorKind, Pool, Runtime, Simd};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Clouds with and without many equal points and distances, of all sizes and orders of magnitude.
fn cloud() -> impl Strategy<Value = Vec<[f32; 3]>> {
    let grid = |steps: i32| (0..steps).prop_map(|v| v as f32);
    let scale = prop_oneof![Just(1.0_f32), Just(1e9), Just(1e-9), Just(3e38)];
    let count = prop_oneof![1_usize..4, 1_usize..400];
    let points = (count, prop_oneof![Just(1), Just(3), Just(40)]).prop_flat_map(move |(count, steps)| {
        prop_oneof![
            prop::collection::vec([grid(steps), grid(steps), grid(steps)], count),
            prop::collection::vec([-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0], count),
        ]
    });
    (points, scale).prop_map(|(points, scale)| {
        let finite = |v: f32| if v.is_finite() { v } else { f32::MAX };
        points.into_iter().map(|point| point.map(|v| finite(v * scale))).collect()
    })
}

fn distance<T: NearestCoordinate>(a: [T; 3], b: [T; 3]) -> T {
    let [x, y, z] = [0, 1, 2].map(|i| a[i] - b[i]);
    x * x + y * y + z * z
}

/// All points, nearest first.
fn ranked<T: NearestCoordinate>(points: &[[T; 3]], query: [T; 3]) -> Vec<(T, i64)> {
    let mut all: Vec<(T, i64)> = points.iter().zip(0..).map(|(point, i)| (distance(query, *point), i)).collect();
    all.sort_by(|a, b| a.0.total_cmp(b.0).then(a.1.cmp(&b.1)));
    all
}

fn runtimes() -> impl Iterator<Item = Runtime> {
    let of = |simd| [1, 2, 3].map(|threads| Runtime::new(simd, threads).expect("threads"));
    Simd::available().into_iter().flat_map(of)
}

fn check_searches<T: NearestCoordinate + BallCoordinate>(points: &[[T; 3]], queries: &[[T; 3]], k: usize, radius: f64) {
    let within = T::from_f64(radius * radius);
    for rt in runtimes() {
        let tree = Tree::new(points, "points", &rt.pool).expect("finite points");
        let (mut distances, mut indexes) = (vec![T::default(); queries.len() * k], vec![-1; queries.len() * k]);
        tree.nearest(&rt, queries, k, &mut distances, &mut indexes).expect("enough points");
        let (mut balls, mut counts) = (vec![-1; queries.len() * k], vec![-1; queries.len()]);
        tree.ball(&rt, queries, radius, k, &mut balls, &mut counts).expect("a radius");
        for (i, query) in queries.iter().enumerate() {
            let all = ranked(points, *query);
            let place = i * k..(i + 1) * k;
            let found = distances[place.clone()].iter().copied().zip(indexes[place.clone()].iter().copied());
            assert!(found.eq(all[..k].iter().copied()), "nearest to query {i}");
            let mut inside: Vec<i64> = all.iter().filter(|(d, _)| *d <= within).map(|(_, index)| *index).collect();
            inside.sort_unstable();
            inside.truncate(k);
            assert_eq!(counts[i], inside.len() as i64);
            let rest = inside.first().copied().unwrap_or(all[0].1);
            inside.resize(k, rest);
            assert_eq!(balls[place], inside, "ball around query {i}");
        }
    }
}

fn slow_samples<T: NearestCoordinate + FarthestCoordinate>(points: &[[T; 3]], start: usize, count: usize) -> Vec<i64> {
    let mut nearest = vec![T::INFINITY; points.len()];
    let mut next = start;
    (0..count)
        .map(|_| {
            let sample = next;
            for (nearest, point) in nearest.iter_mut().zip(points) {
                let new = distance(points[sample], *point);
                *nearest = if new < *nearest { new } else { *nearest };
            }
            next = (0..points.len()).fold(0, |best, i| if nearest[i] > nearest[best] { i } else { best });
            sample as i64
        })
        .collect()
}

/// Of more points than are looked at one by one, many of them equal or equally far.
#[test]
fn samples_of_large_clouds_are_the_farthest() {
    for (count, scale) in [(4097, 1.0_f32), (9000, 1e9), (9000, 3e38)] {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) % 23) as f32 / 23.0 * scale
        };
        let points: Vec<[f32; 3]> = (0..count).map(|_| [next(), next(), next()]).collect();
        let expected = slow_samples(&points, 5, 400);
        let queries = &points[..60];
        let nearest: Vec<i64> =
            queries.iter().flat_map(|query| ranked(&points, *query).into_iter().take(3)).map(|(_, i)| i).collect();
        let mut first_at = BTreeMap::new();
        let bits = points.iter().map(|point| point.map(f32::to_bits));
        let firsts: Vec<i64> = bits.zip(0..).map(|(point, i)| *first_at.entry(point).or_insert(i)).collect();
        for rt in runtimes() {
            let mut samples = vec![-1; 400];
            farthest(&rt, &points, 5, &mut samples).expect("there is a start");
            assert_eq!(samples, expected, "{count} points");
            let tree = Tree::new(&points, "points", &rt.pool).expect("finite");
            let (mut distances, mut indexes) = (vec![0.0; 3 * queries.len()], vec![0; 3 * queries.len()]);
            tree.nearest(&rt, queries, 3, &mut distances, &mut indexes).expect("enough points");
            assert_eq!(indexes, nearest, "{count} points");
            // so many that they are looked at in another order
            let (mut distances, mut indexes) = (vec![1.0; points.len()], vec![-1; points.len()]);
            tree.nearest(&rt, &points, 1, &mut distances, &mut indexes).expect("enough points");
            assert_eq!(indexes, firsts, "{count} points");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn searches_find_what_a_comparison_with_all_points_finds(
        points in cloud(), others in cloud(), k in 1_usize..130, radius in prop_oneof![Just(0.0), Just(1.0), 0.0_f64..1.0],
    ) {
        let k = k.min(points.len());
        let queries: Vec<[f32; 3]> = others.into_iter().chain(points.iter().copied()).take(300).collect();
        check_searches(&points, &queries, k, radius);
        let wide = |points: &[[f32; 3]]| points.iter().map(|p| p.map(f64::from)).collect::<Vec<_>>();
        check_searches(&wide(&points), &wide(&queries[..queries.len().min(20)]), k, radius);
    }

    #[test]
    fn samples_are_the_farthest(points in cloud(), count in 1_usize..300, start: prop::sample::Index) {
        let start = start.index(points.len());
        let expected = slow_samples(&points, start, count);
        for rt in runtimes() {
            let mut samples = vec![-1; count];
            farthest(&rt, &points, start, &mut samples).expect("there is a start");
            prop_assert_eq!(&samples, &expected);
        }
    }

    #[test]
    fn voxels_have_all_points_once(points in cloud(), size in prop_oneof![Just(1.0), 0.01_f64..10.0]) {
        prop_assume!(points.iter().flatten().all(|v| f64::from(v.abs()) / size < 2e9));
        let cell = |point: &[f32; 3]| point.map(|v| ((f64::from(v) - 0.25) / size).floor() as i32);
        let mut expected = BTreeMap::new();
        points.iter().for_each(|point| *expected.entry(cell(point)).or_insert(0) += 1);
        for threads in [1, 2] {
            let voxels = voxelize(&points, size, [0.25; 3], &Pool::new(threads).expect("threads")).expect("in range");
            for (point, voxel) in points.iter().zip(&voxels.voxel_of) {
                prop_assert_eq!(voxels.coordinates[*voxel as usize], cell(point));
            }
            let found: BTreeMap<_, _> = voxels.coordinates.iter().copied().zip(voxels.counts).collect();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(voxels.coordinates.len(), expected.len());
        }
    }

    #[test]
    fn normals_are_across_planes(a in -1.0_f64..1.0, b in -1.0_f64..1.0, scale in prop_oneof![Just(1.0), Just(1e9), Just(1e-9)]) {
        // points of z = a x + b y, of which (-a, -b, 1) is a normal
        let grid = (0..25).map(|i| (f64::from(i % 5), f64::from(i / 5)));
        let plane: Vec<[f64; 3]> = grid.map(|(x, y)| [x, y, a * x + b * y].map(|v| v * scale)).collect();
        let [x, y, z] = normal(&plane);
        let length = (a * a + b * b + 1.0).sqrt();
        let sign = z.signum();
        let expected = [-a / length, -b / length, 1.0 / length];
        for (found, expected) in [x, y, z].into_iter().zip(expected) {
            prop_assert!((sign * found - expected).abs() < 1e-6, "{:?}", [x, y, z]);
        }
    }
}

#[test]
fn a_heap_of_equal_points_is_searched_quickly() {
    let points = vec![[0.5_f32; 3]; 50_000];
    let rt = Runtime::serial();
    let tree = Tree::new(&points, "points", &rt.pool).expect("finite");
    let (mut distances, mut indexes) = (vec![1.0; 5 * points.len()], vec![0; 5 * points.len()]);
    tree.nearest(&rt, &points, 5, &mut distances, &mut indexes).expect("enough");
    assert!(distances.iter().all(|d| *d == 0.0));
    assert!(indexes.chunks(5).all(|found| found == [0, 1, 2, 3, 4]));
    let (mut balls, mut counts) = (vec![0; 3 * points.len()], vec![0; points.len()]);
    tree.ball(&rt, &points, 0.0, 3, &mut balls, &mut counts).expect("a radius");
    assert!(balls.chunks(3).all(|found| found == [0, 1, 2]));
    let mut samples = vec![9; 1000];
    farthest(&rt, &points, 7, &mut samples).expect("a start");
    assert_eq!((samples[0], &samples[1..]), (7, &[0; 999][..]));
}

#[test]
fn degenerate_points_have_normals() {
    assert_eq!(normal::<f32>(&[]), [0.0, 0.0, 1.0]);
    assert_eq!(normal(&[[4.0_f32, 5.0, 6.0]; 3]), [0.0, 0.0, 1.0]);
    assert_eq!(normal(&[[f32::MAX; 3], [-f32::MAX; 3]]).map(f64::is_finite), [true; 3]);
    let line = normal(&[0.0_f64, 1.0, 2.0].map(|x| [x, 0.0, 0.0]));
    assert_eq!((line[0], line[1] * line[1] + line[2] * line[2]), (0.0, 1.0));
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let rt = Runtime::serial();
    let none = Tree::<f32>::new(&[], "points", &rt.pool).expect("no points");
    let one = Tree::new(&[[0.0_f32; 3]], "points", &rt.pool).expect("a point");
    let refused = |result: lcrs_core::Result<()>, words: &str| {
        let error = result.expect_err(words);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(words), "{error}");
    };
    let origin = [[0.0; 3]];
    refused(none.nearest(&rt, &origin, 1, &mut [0.0], &mut [0]), "k=1 neighbours are asked for, there are 0 points");
    refused(one.nearest(&rt, &origin, 2, &mut [0.0; 2], &mut [0; 2]), "k=2 neighbours");
    refused(one.nearest(&rt, &origin, 1, &mut [], &mut [0]), "outputs do not have 1 places a query");
    refused(one.nearest(&rt, &[[f32::NAN; 3]], 1, &mut [0.0], &mut [0]), "queries[0] is (NaN");
    refused(none.ball(&rt, &origin, 1.0, 1, &mut [0], &mut [0]), "no points");
    refused(one.ball(&rt, &origin, -1.0, 1, &mut [0], &mut [0]), "radius=-1");
    refused(one.ball(&rt, &origin, f64::NAN, 1, &mut [0], &mut [0]), "radius=NaN");
    refused(farthest(&rt, &origin, 1, &mut [0]), "start=1 is not the index of one of 1 points");
    refused(farthest::<f32>(&rt, &[], 0, &mut [0]), "start=0");
    refused(farthest(&rt, &[[f64::NAN; 3]], 0, &mut []), "points[0] is (NaN");
    refused(Tree::new(&[[f64::INFINITY; 3]], "points", &rt.pool).map(drop), "points[0] is (inf");
    refused(voxelize(&[[1e9_f64; 3]], 1e-9, [0.0; 3], &rt.pool).map(drop), "points[0] is in voxel 1e18");
    refused(voxelize(&[[1e9_f64; 3]], 0.0, [0.0; 3], &rt.pool).map(drop), "size=0");
    refused(voxelize(&[[1e9_f64; 3]], 1.0, [f64::NAN; 3], &rt.pool).map(drop), "origin[0] is (NaN");
    assert_eq!(none.nearest(&rt, &[], 3, &mut [], &mut []), Ok(()));
    assert_eq!(farthest::<f64>(&rt, &[], 0, &mut []), Ok(()));
    assert!(voxelize::<f32>(&[], 1.0, [0.0; 3], &rt.pool).expect("no points").coordinates.is_empty());
}
