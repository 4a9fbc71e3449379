//! Where one row of a Gaussian table ends and the next one begins.

use crate::exact::{math, with_ieee};

/// Which row a scale picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// That of the smallest table scale that is not below it, as CompressAI does it.
    Above,
    /// That whose scale is nearest in ratio, which costs a quarter of the excess rate.
    Nearest,
}

/// What scales are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// As they are.
    Linear,
    /// By their natural logarithms.
    Log,
}

/// The thresholds between the rows of these ascending scales, one less than rows, for [`super::indexes`].
///
/// Above: the scales but the last. Nearest: `sqrt(a b)` of neighbours, in binary64. The logarithm is taken in binary64, by
/// [`math::ln`]. The result is rounded to binary32 once, at the end.
#[must_use]
pub fn thresholds(scales: &[f32], choice: Choice, domain: Domain) -> Vec<f32> {
    let threshold = |pair: &[f32]| {
        let [a, b] = [f64::from(pair[0]), f64::from(pair[1])];
        let limit = match choice {
            Choice::Above => a,
            Choice::Nearest => (a * b).sqrt(),
        };
        match domain {
            Domain::Linear => limit as f32,
            Domain::Log => math::ln(limit) as f32,
        }
    };
    with_ieee(|| scales.windows(2).map(threshold).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdf::{default_scale_table, indexes};
    use crate::Simd;

    #[test]
    fn a_scale_picks_its_row() {
        let scales = default_scale_table();
        for (choice, domain) in
            [(Choice::Above, Domain::Linear), (Choice::Nearest, Domain::Linear), (Choice::Nearest, Domain::Log)]
        {
            let limits = thresholds(scales, choice, domain);
            assert_eq!(limits.len(), 63);
            for (row, scale) in scales.iter().enumerate() {
                for (factor, by_above) in [(0.95, 0), (1.0, 0), (1.05, 1)] {
                    let given = scale * factor;
                    let given = if domain == Domain::Log { math::ln(f64::from(given)) as f32 } else { given };
                    let mut index = [0];
                    indexes(Simd::Scalar, &[given], &limits, &mut index).expect("a number");
                    let expected = if choice == Choice::Above { (row + by_above).min(63) } else { row };
                    assert_eq!(index[0] as usize, expected, "{choice:?} {domain:?} {given}");
                }
            }
        }
        assert!(thresholds(&[1.0], Choice::Above, Domain::Linear).is_empty());
        assert!(thresholds(&[], Choice::Above, Domain::Linear).is_empty());
    }
}
