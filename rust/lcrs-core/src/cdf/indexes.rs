//! From scales to rows of a table.

use super::buckets::Buckets;
use crate::exact::with_ieee;
use crate::wide::wide;
use crate::{Error, Result, Simd};

/// Scales that are compared with all thresholds before the next ones: they and their counts stay in the first-level cache.
const BLOCK: usize = 1024;
/// Below this many scales buckets cost more than they save.
const MIN_BUCKETED: usize = 1024;

/// `out[i]` = how many thresholds are below `scales[i]`: the row of the smallest table scale that is not below it, when the
/// thresholds are all table scales but the last. Comparisons only, so nothing is rounded.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if lengths differ, or a scale or a threshold is NaN; the message has its position.
pub fn indexes(simd: Simd, scales: &[f32], thresholds: &[f32], out: &mut [i32]) -> Result<()> {
    if scales.len() != out.len() {
        return Err(Error::invalid(format!("{} scales and room for {} indexes do not fit", scales.len(), out.len())));
    }
    check_numbers(simd, "threshold", thresholds)?;
    let buckets = if scales.len() < MIN_BUCKETED { None } else { Buckets::new(thresholds) };
    if buckets.is_some_and(|buckets| buckets.count_below(simd, scales, out)) {
        return Ok(());
    }
    check_numbers(simd, "scale", scales)?;
    // a thread that takes subnormals for zeros would compare them wrongly
    with_ieee(|| count_below(simd, scales, thresholds, out));
    Ok(())
}

fn check_numbers(simd: Simd, name: &str, values: &[f32]) -> Result<()> {
    if any_nan(simd, values) {
        let i = values.iter().position(|v| v.is_nan()).unwrap_or(0);
        return Err(Error::invalid(format!("{name} is NaN at position {i}")));
    }
    Ok(())
}

wide! {
fn any_nan(simd: Simd, values: &[f32]) -> bool {
    values.iter().fold(false, |bad, v| bad | v.is_nan())
}
}

wide! {
fn count_below(simd: Simd, scales: &[f32], thresholds: &[f32], out: &mut [i32]) {
    for (scales, out) in scales.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        out.fill(0);
        let (groups, rest) = thresholds.as_chunks::<4>();
        for [a, b, c, d] in groups {
            for (count, s) in out.iter_mut().zip(scales) {
                *count += i32::from(s > a) + i32::from(s > b) + i32::from(s > c) + i32::from(s > d);
            }
        }
        for threshold in rest {
            for (count, s) in out.iter_mut().zip(scales) {
                *count += i32::from(s > threshold);
            }
        }
    }
}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdf::default_scale_table;
    use crate::wide::testing::{compare, numbers};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_plain_counts(scales in numbers(), thresholds in numbers()) {
            compare(|simd| (any_nan(simd, &scales), any_nan(simd, &thresholds)));
            compare(|simd| {
                let mut out = vec![0; scales.len()];
                count_below(simd, &scales, &thresholds, &mut out);
                out
            });
            let few = &thresholds[..thresholds.len().min(3)];
            for thresholds in [few, &[-1.0, 0.25, 3.0, 70.0]] {
                if let Some(buckets) = Buckets::new(thresholds) {
                    compare(|simd| {
                        let mut out = vec![0; scales.len()];
                        buckets.count_below(simd, &scales, &mut out).then_some(out)
                    });
                }
            }
        }
    }

    /// Checks many scales, those beside the thresholds included, against plain counting.
    fn check(thresholds: &[f32], scales: impl Iterator<Item = f32>) {
        let near = thresholds.iter().flat_map(|t| [t.next_down(), *t, t.next_up()]);
        let extremes = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.0, -0.0, 1e-45, -1e-45];
        let some: Vec<f32> = scales.chain(near).chain(extremes).filter(|s| !s.is_nan()).collect();
        let scales: Vec<f32> = some.iter().copied().cycle().take(3 * MIN_BUCKETED).collect();
        for scales in [&scales[..], &scales[..300]] {
            for simd in Simd::available() {
                let mut out = vec![-1; scales.len()];
                indexes(simd, scales, thresholds, &mut out).expect("legal");
                for (scale, index) in scales.iter().zip(&out) {
                    assert_eq!(*index as usize, thresholds.iter().filter(|t| *t < scale).count(), "{simd:?} {scale}");
                }
            }
        }
    }

    #[test]
    fn counts_thresholds_below() {
        let linear: Vec<f32> = (1..64).map(|i| i as f32 * 0.5).collect();
        check(&linear, (0..301).map(|i| i as f32 * 0.125 - 1.0));
        check(&default_scale_table()[..63], (0..2000).map(|i| 1.005_f32.powi(i - 1000)));
        let logarithms: Vec<f32> = (0..63).map(|i| i as f32 * 0.123 - 2.2).collect();
        check(&logarithms, (0..1000).map(|i| i as f32 * 0.01 - 4.0));
        check(&[], [1.0].into_iter());
    }

    #[test]
    fn unusual_thresholds_count_as_well() {
        let some = || (0..200).map(|i| i as f32 * 0.03 - 3.0);
        let infinity = f32::INFINITY;
        for thresholds in [
            vec![-infinity, -infinity, 0.11, 0.5],
            vec![-infinity],
            vec![infinity],
            vec![0.5, infinity, infinity],
            vec![1.0, 1.0, 1.0],
            vec![2.0, 1.0, -1.0],
            vec![-0.0],
            vec![0.0, 1e-45, 1.0],
            vec![f32::MIN, f32::MAX],
            vec![1.0, 1.000_000_1, 1.000_000_2],
        ] {
            check(&thresholds, some());
        }
    }

    #[test]
    fn not_a_number_is_refused_with_its_position() {
        for len in [40, 4 * MIN_BUCKETED] {
            for bad in [f32::NAN, -f32::NAN] {
                let mut scales = vec![1.0; len];
                scales[37] = bad;
                for simd in Simd::available() {
                    let error = indexes(simd, &scales, &[0.5], &mut vec![0; len]).expect_err("must be refused");
                    assert_eq!(error.message(), "scale is NaN at position 37");
                }
            }
        }
        assert!(indexes(Simd::Scalar, &[1.0], &[f32::NAN], &mut [0]).is_err());
        assert!(indexes(Simd::Scalar, &[1.0], &[0.5], &mut []).is_err());
    }
}
