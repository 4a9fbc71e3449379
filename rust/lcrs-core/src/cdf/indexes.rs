//! From scales to rows of a table.

use crate::{Error, Result};

/// Scales that are counted together: their counters stay in registers.
const BLOCK: usize = 32;

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
        if let Some(i) = values.iter().position(|v| v.is_nan()) {
            return Err(Error::invalid(format!("{name} is NaN at position {i}")));
        }
    }
    let (blocks, rest) = scales.as_chunks::<BLOCK>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<BLOCK>();
    for (scales, out) in blocks.iter().zip(out_blocks) {
        let mut counts = [0; BLOCK];
        for &threshold in thresholds {
            for (count, &scale) in counts.iter_mut().zip(scales) {
                *count += i32::from(scale > threshold);
            }
        }
        *out = counts;
    }
    for (out, &scale) in out_rest.iter_mut().zip(rest) {
        *out = thresholds.iter().map(|&threshold| i32::from(scale > threshold)).sum();
    }
    Ok(())
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
