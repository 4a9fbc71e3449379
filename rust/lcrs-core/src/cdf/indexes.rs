//! From scales to rows of a table.

use crate::exact::with_ieee;
use crate::wide::wide;
use crate::{Error, Result};

/// Scales that are compared with all thresholds before the next ones: they and their counts stay in the first-level cache.
const BLOCK: usize = 1024;

/// `out[i]` = how many thresholds are below `scales[i]`: the row of the smallest table scale that is not below it, when the
/// thresholds are all table scales but the last. Comparisons only, so nothing is rounded.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if lengths differ, or a scale or a threshold is NaN; the message has its position.
pub fn indexes(scales: &[f32], thresholds: &[f32], out: &mut [i32]) -> Result<()> {
    if scales.len() != out.len() {
        return Err(Error::invalid(format!("{} scales and room for {} indexes do not fit", scales.len(), out.len())));
    }
    for (name, values) in [("scale", scales), ("threshold", thresholds)] {
        if any_nan(values) {
            let i = values.iter().position(|v| v.is_nan()).unwrap_or(0);
            return Err(Error::invalid(format!("{name} is NaN at position {i}")));
        }
    }
    // a thread that takes subnormals for zeros would compare them wrongly
    with_ieee(|| count_below(scales, thresholds, out));
    Ok(())
}

wide! {
fn any_nan(values: &[f32]) -> bool {
    values.iter().fold(false, |bad, v| bad | v.is_nan())
}
}

wide! {
fn count_below(scales: &[f32], thresholds: &[f32], out: &mut [i32]) {
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

    #[test]
    fn counts_thresholds_below() {
        let thresholds: Vec<f32> = (1..64).map(|i| i as f32 * 0.5).collect();
        let scales: Vec<f32> =
            (0..301).map(|i| i as f32 * 0.125 - 1.0).chain([f32::INFINITY, f32::NEG_INFINITY, -0.0]).collect();
        let mut out = vec![0; scales.len()];
        indexes(&scales, &thresholds, &mut out).expect("legal");
        for (scale, index) in scales.iter().zip(&out) {
            assert_eq!(*index as usize, thresholds.iter().filter(|t| *t < scale).count(), "{scale}");
        }
    }

    #[test]
    fn not_a_number_is_refused_with_its_position() {
        let mut scales = vec![1.0; 40];
        scales[37] = f32::NAN;
        let error = indexes(&scales, &[0.5], &mut [0; 40]).expect_err("must be refused");
        assert_eq!(error.message(), "scale is NaN at position 37");
        assert!(indexes(&[1.0], &[f32::NAN], &mut [0]).is_err());
        assert!(indexes(&[1.0], &[0.5], &mut []).is_err());
    }
}
