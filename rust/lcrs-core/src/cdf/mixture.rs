//! Tables of Gaussian mixtures, one row a value.

use super::CdfTable;
use crate::exact::{math, with_ieee};
use crate::{Error, Result, Runtime};

/// Bits of the total.
const PRECISION: u32 = 16;
/// Scales are brought into this range.
const SCALES: (f32, f32) = (0.11, 256.0);
/// The largest legal magnitude of a value, plus one.
const MAX_END: u32 = 1 << 14;
/// From here on the standard normal distribution function is 1 in binary64; below the negative of it is 0.
const SATURATION: f64 = 39.0;

/// Mixtures of Gaussians, each array with all values of the first component, then of the second, and so on.
#[derive(Debug, Clone, Copy)]
pub struct MixtureParameters<'a> {
    /// Components of each mixture.
    pub components: usize,
    /// Standard deviations, brought into 0.11..=256.
    pub scales: &'a [f32],
    /// Means.
    pub means: &'a [f32],
    /// Weights, not negative; they need not add up to 1, since rows are normalised.
    pub weights: &'a [f32],
}

/// A row for each mixture with the integers `-max..=max` and an escape that never comes.
///
/// In binary64, with `F(n) = sum over k, ascending, of weight_k Phi((n - 0.5 - mean_k) / scale_k)` from 0 on, `Phi(v) = 0.5
/// erfc(-v / sqrt(2))`, `p(n) = max(F(n + 1) - F(n), 0)` and `P` their sum, ascending, the frequency of n is `1 + floor(p(n) /
/// P * (2^16 - 2 max - 2))`; that of the escape is 1. What is left to 2^16 goes to the first of the largest;
/// so all values can be coded even when the mixture lies outside.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if the arrays differ in length or do not divide into components, a parameter is not
/// finite, a weight is negative, or `max` is not in 1..2^14.
pub fn mixture_table(rt: &Runtime, parameters: &MixtureParameters<'_>, max: u32) -> Result<CdfTable> {
    let rows = parameters.check()?;
    if !(1..MAX_END).contains(&max) {
        return Err(Error::invalid(format!("largest magnitude is {max}, legal are 1..{MAX_END}")));
    }
    let mut table = CdfTable::without_rows(rows, PRECISION)?;
    let entries = rows * (2 * max as usize + 3);
    if entries > CdfTable::MAX_ENTRIES {
        return Err(Error::invalid(format!("table has {entries} entries, legal are {}", CdfTable::MAX_ENTRIES)));
    }
    for (r, cdf) in rt.pool.map(rows, |row| with_ieee(|| parameters.row(row, rows, max))).iter().enumerate() {
        table.add_row(cdf, -(max as i32)).map_err(|e| e.at(format_args!("row {r}")))?;
    }
    Ok(table)
}

impl MixtureParameters<'_> {
    /// The number of mixtures.
    fn check(&self) -> Result<usize> {
        let arrays = [("scale", self.scales), ("mean", self.means), ("weight", self.weights)];
        for (name, values) in arrays {
            if let Some(i) = values.iter().position(|v| !v.is_finite()) {
                return Err(Error::invalid(format!("{name} {i} is {}, it must be finite", values[i])));
            }
        }
        if let Some(i) = self.weights.iter().position(|w| *w < 0.0) {
            return Err(Error::invalid(format!("weight {i} is {}, it must not be negative", self.weights[i])));
        }
        let lengths = arrays.map(|(_, values)| values.len());
        if self.components == 0 || lengths != [lengths[0]; 3] || lengths[0] % self.components != 0 {
            return Err(Error::invalid(format!(
                "{} scales, {} means and {} weights are no mixtures of {} components",
                lengths[0], lengths[1], lengths[2], self.components
            )));
        }
        Ok(lengths[0] / self.components)
    }

    /// Cumulative frequencies of mixture `row` of `rows`.
    fn row(&self, row: usize, rows: usize, max: u32) -> Vec<i32> {
        let num_values = 2 * max as usize + 1;
        let mut below = vec![0.0; num_values + 1];
        for k in (row..rows * self.components).step_by(rows) {
            let (mean, weight) = (f64::from(self.means[k]), f64::from(self.weights[k]));
            let scale = f64::from(self.scales[k].clamp(SCALES.0, SCALES.1));
            for (n, below) in below.iter_mut().enumerate() {
                let edge = n as f64 - f64::from(max) - 0.5;
                *below += weight * standard_normal((edge - mean) / scale);
            }
        }
        let masses: Vec<f64> = below.windows(2).map(|pair| (pair[1] - pair[0]).max(0.0)).collect();
        let total = masses.iter().fold(0.0, |sum, mass| sum + mass);
        cumulative(&masses, total.max(f64::MIN_POSITIVE))
    }
}

/// `Phi`.
fn standard_normal(v: f64) -> f64 {
    match v {
        v if v >= SATURATION => 1.0,
        v if v <= -SATURATION => 0.0,
        v => 0.5 * math::erfc(-v * std::f64::consts::FRAC_1_SQRT_2),
    }
}

/// Cumulative frequencies of `masses`, which sum to `total`, and an escape.
fn cumulative(masses: &[f64], total: f64) -> Vec<i32> {
    let free = (1 << PRECISION) - masses.len() as i32 - 1;
    let mut frequencies: Vec<i32> = masses.iter().map(|mass| 1 + (mass / total * f64::from(free)) as i32).collect();
    frequencies.push(1);
    let rest = (1 << PRECISION) - frequencies.iter().sum::<i32>();
    let likeliest = (0..masses.len()).fold(0, |best, n| if frequencies[n] > frequencies[best] { n } else { best });
    frequencies[likeliest] += rest;
    let sums = frequencies.iter().scan(0, |sum, frequency| {
        *sum += frequency;
        Some(*sum)
    });
    std::iter::once(0).chain(sums).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Simd;

    fn row(scales: &[f32], means: &[f32], weights: &[f32], max: u32) -> Vec<u32> {
        let parameters = MixtureParameters { components: scales.len(), scales, means, weights };
        let table = mixture_table(&Runtime::serial(), &parameters, max).expect("legal");
        table.row(0).cdf.to_vec()
    }

    #[test]
    fn one_component_is_a_gaussian() {
        // of N(0, 1): P(0) = 0.38292, P(1) = 0.24173, P(2) = 0.06060 of 0.98758 within -2..=2, of 65536 - 6 in all
        let cdf = row(&[1.0], &[0.0], &[1.0], 2);
        let frequencies: Vec<u32> = cdf.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(frequencies.iter().sum::<u32>(), 1 << 16);
        for (frequency, mass) in frequencies.iter().zip([0.060_60, 0.241_73, 0.382_92, 0.241_73, 0.060_60]) {
            assert!((f64::from(*frequency) - mass / 0.987_58 * 65530.0).abs() < 7.0, "{frequencies:?}");
        }
        assert_eq!(frequencies[5], 1, "the escape");
        assert_eq!((frequencies[0], frequencies[1]), (frequencies[4], frequencies[3]));
    }

    #[test]
    fn components_share_by_weight() {
        let cdf = row(&[0.11, 0.11, 0.05], &[-3.0, 4.0, 0.0], &[0.25, 0.5, 0.25], 6);
        let frequencies: Vec<u32> = cdf.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let expected = [1, 1, 1, 16381, 1, 1, 16381, 1, 1, 1, 32764, 1, 1, 1];
        assert!(frequencies.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2), "{frequencies:?}");
    }

    #[test]
    fn what_is_outside_can_be_coded_and_what_is_illegal_cannot() {
        let make = |scale, mean, weight, max| {
            let parameters = MixtureParameters { components: 1, scales: &[scale], means: &[mean], weights: &[weight] };
            mixture_table(&Runtime::serial(), &parameters, max)
        };
        for (mean, weight) in [(1e6, 1.0), (0.0, 0.0)] {
            let cdf = make(1.0, mean, weight, 3).expect("legal").row(0).cdf.to_vec();
            assert_eq!(cdf, [0, 65529, 65530, 65531, 65532, 65533, 65534, 65535, 65536], "outside");
        }
        for (scale, mean, weight, max) in [
            (f32::NAN, 0.0, 1.0, 3),
            (1.0, f32::INFINITY, 1.0, 3),
            (1.0, 0.0, -1.0, 3),
            (1.0, 0.0, 1.0, 0),
            (1.0, 0.0, 1.0, 1 << 14),
        ] {
            assert!(make(scale, mean, weight, max).is_err(), "{scale} {mean} {weight} {max}");
        }
        let uneven = MixtureParameters { components: 2, scales: &[1.0; 3], means: &[0.0; 3], weights: &[1.0; 3] };
        assert!(mixture_table(&Runtime::serial(), &uneven, 3).is_err());
    }

    #[test]
    fn threads_change_nothing() {
        let values: Vec<f32> = (0..300).map(|i| (i * 37 % 101) as f32 * 0.07).collect();
        let parameters = MixtureParameters { components: 3, scales: &values, means: &values, weights: &values };
        let tables = [1, 3].map(|threads| {
            let rt = Runtime::new(Simd::Scalar, threads).expect("threads");
            let table = mixture_table(&rt, &parameters, 20).expect("legal");
            (0..100).map(|row| table.row(row).cdf.to_vec()).collect::<Vec<_>>()
        });
        assert_eq!(tables[0], tables[1]);
    }
}
