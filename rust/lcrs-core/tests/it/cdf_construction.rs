//! Tables made from parameters, against the peer's and against plain formulas.

use crate::rans::support::{self, Vectors};
use lcrs_core::cdf::{
    default_scale_table, factorized_medians, factorized_table, factorized_table_with_step_size, gaussian_table,
    gaussian_table_of_precision, scale_table, CdfTable, FactorizedParameters,
};
use lcrs_core::ErrorKind;

#[test]
fn default_scales_come_from_the_formula() {
    let made = scale_table(0.11, 256.0, 64).unwrap();
    let bits = |v: &[f32]| v.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&made), bits(default_scale_table()));
    assert_eq!(scale_table(0.5, 8.0, 1).unwrap(), [0.5]);
    assert_eq!(scale_table(1.0, 4.0, 3).unwrap(), [1.0, 2.0, 4.0]);
    assert!(scale_table(1.0, 4.0, 0).unwrap().is_empty());
    for (min, max, levels) in
        [(0.0, 1.0, 5), (-1.0, 1.0, 5), (1.0, f64::INFINITY, 5), (f64::NAN, 1.0, 5), (1.0, 2.0, 65_537)]
    {
        assert_eq!(
            scale_table(min, max, levels).unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{min} {max} {levels}"
        );
    }
}

#[test]
fn default_gaussian_table_is_the_peers() {
    let (ours, peers) = (gaussian_table(default_scale_table(), 1e-9).unwrap(), support::gaussian_table());
    assert_eq!((ours.num_rows(), ours.precision()), (64, 16));
    for r in 0..64 {
        assert_eq!(ours.row(r), peers.row(r), "row {r}");
    }
}

#[test]
fn gaussian_rows_are_symmetric_and_cover_the_tails() {
    let scales = [1e-6, 0.11, 1.0, 37.5, 900.0];
    let table = gaussian_table(&scales, 1e-6).unwrap();
    for (r, scale) in scales.iter().enumerate() {
        let row = table.row(r);
        let values = row.length - 2;
        assert_eq!(values as i32, 1 - 2 * row.offset);
        assert_eq!(-row.offset, (scale * 4.891_638_5_f32).ceil() as i32, "scale {scale}: quantile of 5e-7");
    }
    for (scales, tail) in
        [(vec![], 1e-9), (vec![0.0], 1e-9), (vec![f32::NAN], 1e-9), (vec![1e30], 1e-9), (vec![1.0], 0.0)]
    {
        assert_eq!(gaussian_table(&scales, tail).unwrap_err().kind(), ErrorKind::InvalidArgument, "{scales:?} {tail}");
    }
}

#[test]
fn tables_of_less_precision() {
    let scales = [0.11, 1.0, 37.5];
    let full = gaussian_table(&scales, 1e-9).unwrap();
    for precision in [9, 12, 15, 16] {
        let table = gaussian_table_of_precision(&scales, 1e-9, precision).unwrap();
        assert_eq!(table.precision(), precision);
        for r in 0..scales.len() {
            let (row, wide) = (table.row(r), full.row(r));
            assert_eq!((row.offset, row.length), (wide.offset, wide.length));
            assert_eq!(row.cdf.last(), Some(&(1 << precision)));
            // The middle keeps its share but for rounding and for what empty entries take.
            let middle = row.length / 2 - 1;
            let share = |cdf: &[u32], p: u32| f64::from(cdf[middle + 1] - cdf[middle]) / f64::from(1 << p);
            let bound = row.length as f64 / f64::from(1 << precision);
            assert!((share(row.cdf, precision) - share(wide.cdf, 16)).abs() < bound, "{precision} {r}");
        }
    }
    for (scale, precision) in [(1.0, 0), (1.0, 17), (256.0, 11)] {
        let error = gaussian_table_of_precision(&[scale], 1e-9, precision).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{precision}");
    }
}

/// Subnormal scales and thresholds are told apart, even where the thread flushes them.
#[test]
#[cfg(target_arch = "x86_64")]
fn indexes_of_subnormal_scales() {
    use lcrs_core::{cdf::indexes, Simd};
    let tiny = [0.0, f32::from_bits(1), f32::from_bits(5), 1e-39];
    let mut out = [0; 4];
    crate::reference::with_flushing(|| {
        indexes(Simd::detect(), &tiny, &[0.0, f32::from_bits(2), f32::from_bits(5)], &mut out).unwrap();
    });
    assert_eq!(out, [0, 1, 2, 3]);
}

struct Fixture {
    parameters: Vec<Vec<f32>>,
    table: CdfTable,
}

const CHANNELS: usize = 24;

impl Fixture {
    fn open() -> Self {
        let mut vectors = Vectors::open("../exact/factorized.bin");
        let floats = |v: Vec<i32>| v.into_iter().map(|b| f32::from_bits(b as u32)).collect();
        let parameters = (0..15).map(|_| floats(vectors.array().unwrap())).collect();
        Self { parameters, table: vectors.table() }
    }

    fn parameters<'a>(&'a self, quantiles: Option<&'a [f32]>) -> FactorizedParameters<'a> {
        let refs = |range: std::ops::Range<usize>| self.parameters[range].iter().map(Vec::as_slice).collect();
        FactorizedParameters {
            channels: CHANNELS,
            filters: vec![3; 4],
            matrices: refs(0..5),
            biases: refs(5..10),
            factors: refs(10..14),
            quantiles,
        }
    }

    fn quantiles(&self) -> &[f32] {
        &self.parameters[14]
    }

    fn medians(&self) -> Vec<f32> {
        self.quantiles().chunks(3).map(|q| q[1]).collect()
    }

    /// The logit of the distribution function, by the platform's functions.
    fn logit(&self, c: usize, x: f64) -> f64 {
        let p = |i: usize, k: usize| f64::from(self.parameters[i][k]);
        let mut values = vec![x];
        for (i, width) in [3, 3, 3, 3, 1].into_iter().enumerate() {
            let inputs = values.len();
            values = (0..width)
                .map(|o| {
                    let row = (c * width + o) * inputs;
                    let sum: f64 = (0..inputs).map(|k| p(i, row + k).exp().ln_1p() * values[k]).sum();
                    let sum = sum + p(5 + i, c * width + o);
                    if i < 4 {
                        sum + p(10 + i, c * width + o).tanh() * sum.tanh()
                    } else {
                        sum
                    }
                })
                .collect();
        }
        values[0]
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn factorized_table_has_the_peers_layout_and_nearly_its_numbers() {
    let fixture = Fixture::open();
    let ours = factorized_table(&fixture.parameters(Some(fixture.quantiles())), 1e-9).unwrap();
    for c in 0..CHANNELS {
        let (a, b) = (ours.row(c), fixture.table.row(c));
        assert_eq!((a.offset, a.length), (b.offset, b.length), "channel {c}");
        // its binary32 sums move single units, which add up along a row
        let apart = a.cdf.iter().zip(b.cdf).map(|(x, y)| x.abs_diff(*y)).max();
        assert!(apart <= Some(16), "channel {c}: {apart:?} of 65536 apart");
    }
}

#[test]
fn quantiles_are_counted_in_steps() {
    let fixture = Fixture::open();
    let quantiles = fixture.quantiles();
    for step in [0.5_f32, 0.75, 3.0] {
        let table = factorized_table_with_step_size(&fixture.parameters(Some(quantiles)), step, 1e-9).unwrap();
        for (c, q) in quantiles.chunks(3).enumerate() {
            let (minima, maxima) = (((q[1] - q[0]) / step).ceil(), ((q[2] - q[1]) / step).ceil());
            let row = table.row(c);
            assert_eq!((row.offset as f32, row.length as f32), (-minima, minima + maxima + 3.0), "channel {c}");
        }
    }
}

#[test]
fn factorized_probabilities_follow_the_formula() {
    let fixture = Fixture::open();
    let medians = fixture.medians();
    for (step, (c, &median)) in
        [1.0_f32, 0.37, 2.5].into_iter().flat_map(|s| medians.iter().enumerate().map(move |m| (s, m)))
    {
        let table = factorized_table_with_step_size(&fixture.parameters(Some(&medians)), step, 1e-6).unwrap();
        let (row, step) = (table.row(c), f64::from(step));
        for k in 0..row.length - 2 {
            let x = f64::from(median) + f64::from(row.offset + k as i32) * step;
            let want = sigmoid(fixture.logit(c, x + 0.5 * step)) - sigmoid(fixture.logit(c, x - 0.5 * step));
            let got = f64::from(row.cdf[k + 1] - row.cdf[k]) / 65536.0;
            // rounding, and what rare symbols take from the last entries to have a frequency at all
            assert!(
                (want - got).abs() < 2e-4 + row.length as f64 / 65536.0 * want,
                "channel {c}, value {k}: {got} for {want}"
            );
        }
    }
}

#[test]
fn tails_by_bisection_hold_the_tail_mass() {
    let fixture = Fixture::open();
    let medians = factorized_medians(&fixture.parameters(None)).unwrap();
    for (tail_mass, step) in [(1e-9, 1.0), (1e-3, 1.0), (1e-9, 0.37), (1e-3, 2.5)] {
        let table = factorized_table_with_step_size(&fixture.parameters(Some(&medians)), step, tail_mass).unwrap();
        let without = factorized_table_with_step_size(&fixture.parameters(None), step, tail_mass).unwrap();
        let step = f64::from(step);
        for (c, &median) in medians.iter().enumerate() {
            assert!(fixture.logit(c, f64::from(median)).abs() < 1e-3, "channel {c}");
            let row = table.row(c);
            assert_eq!(row, without.row(c));
            let low = f64::from(median) + f64::from(row.offset) * step;
            let high = low + (row.length - 3) as f64 * step;
            let half = 0.5 * tail_mass;
            assert!(
                sigmoid(fixture.logit(c, low)) <= half && half < sigmoid(fixture.logit(c, low + step)),
                "channel {c}"
            );
            assert!(
                sigmoid(-fixture.logit(c, high)) <= half && half < sigmoid(-fixture.logit(c, high - step)),
                "channel {c}"
            );
        }
    }
}

#[test]
fn contradicting_parameters_are_refused() {
    let fixture = Fixture::open();
    let good = fixture.parameters(Some(fixture.quantiles()));
    let wide = [-1e9, 0.0, 1e9].repeat(CHANNELS);
    let nan = vec![f32::NAN; CHANNELS];
    let mut cases = vec![
        FactorizedParameters { channels: 0, ..good.clone() },
        FactorizedParameters { channels: 25, ..good.clone() },
        FactorizedParameters { filters: vec![3; 3], ..good.clone() },
        FactorizedParameters { quantiles: Some(&nan[..7]), ..good.clone() },
        FactorizedParameters { quantiles: Some(&nan), ..good.clone() },
        FactorizedParameters { quantiles: Some(&wide), ..good.clone() },
    ];
    cases.push(FactorizedParameters { factors: good.factors[1..].to_vec(), ..good.clone() });
    for case in &cases {
        assert_eq!(factorized_table(case, 1e-9).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert!(factorized_table(&good, 1.0).is_err());
    for step in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = factorized_table_with_step_size(&good, step, 1e-9).unwrap_err();
        assert!(error.message().contains("step is"), "{error}");
    }
}
