//! Numbers of mean zero and variance one: layer, group and instance normalisation, without their scales and shifts.

use super::placed::Placed;
use super::rows::{elementwise_chunk, for_chunks};
use super::sums::in_lanes;
use super::Tensor;
use crate::wide::wide;
use crate::{Limits, Result, Runtime};
use std::ops::Range;

/// `(x - mean) / sqrt(variance + epsilon)` over groups of equally many channels that follow each other: at each position (layer
/// normalisation; Ba et al. 2016), or over all positions too (group normalisation, Wu and He 2018; with a group for each channel
/// instance normalisation).
///
/// In binary64: `mean = sum(x) / n`, `variance = sum((x - mean) * (x - mean)) / n`, `r = 1 / sqrt(variance + epsilon)`, and the result is
/// `(x - mean) * r`, rounded to binary32. At one position sums are over the channels in eight lanes. Over all positions, each channel has a
/// sum for each row, over its columns ascending from +0, and of those a sum over rows ascending from +0; and of the sums of the
/// channels of a group there is one in eight lanes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalise {
    /// Number of groups.
    pub groups: usize,
    /// Whether means are over all positions.
    pub spatial: bool,
    /// What is added to variances; above zero.
    pub epsilon: f32,
}

impl Normalise {
    /// `x` holds the rows that are asked for, or all.
    pub(super) fn run(self, rt: &Runtime, limits: &Limits, x: Placed<'_>, rows: &Range<usize>) -> Result<Tensor> {
        let mut out = x.cut(rows)?.rows.to_tensor(rt, limits)?;
        let channels = out.channels();
        let size = channels / self.groups;
        let moments = if self.spatial { self.moments(rt, limits, x)? } else { Vec::new() };
        let chunk = elementwise_chunk(&rt.pool, out.data().len(), channels);
        for_chunks(&rt.pool, out.data_mut(), chunk, |_, part| {
            if self.spatial {
                shift(rt.simd, part, &moments);
            } else {
                layers(rt.simd, part, size, f64::from(self.epsilon));
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// The mean of each channel's group and what to multiply by.
    fn moments(self, rt: &Runtime, limits: &Limits, x: Placed<'_>) -> Result<Vec<[f64; 2]>> {
        let (channels, height, width) = x.rows.shape();
        let size = channels / self.groups;
        let count = size as f64 * height as f64 * width as f64;
        let mut sums = limits.zeroed(channels.saturating_mul(height), "sums of rows")?;
        let mut moments = limits.zeroed(channels, "moments")?;
        for i in 0..2 {
            for_chunks(&rt.pool, &mut sums, channels, |y, sums| {
                row_sums(rt.simd, x.row(x.first + y), &moments, i == 1, sums);
                Ok(())
            })?;
            let mut totals = limits.zeroed(channels, "sums of channels")?;
            for row in sums.chunks_exact(channels) {
                totals.iter_mut().zip(row).for_each(|(total, sum): (&mut f64, &f64)| *total += sum);
            }
            for (moments, totals) in moments.chunks_exact_mut(size).zip(totals.chunks_exact(size)) {
                let mean = in_lanes(totals, |v| v) / count;
                let moment = if i == 0 { mean } else { 1.0 / (mean + f64::from(self.epsilon)).sqrt() };
                moments.iter_mut().for_each(|moments: &mut [f64; 2]| moments[i] = moment);
            }
        }
        Ok(moments)
    }
}

wide! {
/// For each channel the sum of a row, or of the squares of its distances from the mean.
fn row_sums(simd: Simd, row: &[f32], moments: &[[f64; 2]], is_squared: bool, sums: &mut [f64]) {
    sums.fill(0.0);
    for pixel in row.chunks_exact(sums.len()) {
        let each = sums.iter_mut().zip(pixel);
        if is_squared {
            each.zip(moments).for_each(|((sum, x), [mean, _])| {
                let distance = f64::from(*x) - mean;
                *sum += distance * distance;
            });
        } else {
            each.for_each(|(sum, x)| *sum += f64::from(*x));
        }
    }
}
}

wide! {
fn shift(simd: Simd, part: &mut [f32], moments: &[[f64; 2]]) {
    for pixel in part.chunks_exact_mut(moments.len()) {
        for (x, [mean, r]) in pixel.iter_mut().zip(moments) {
            *x = ((f64::from(*x) - mean) * r) as f32;
        }
    }
}
}

wide! {
fn layers(simd: Simd, part: &mut [f32], size: usize, epsilon: f64) {
    let count = size as f64;
    for values in part.chunks_exact_mut(size) {
        let mean = in_lanes(values, f64::from) / count;
        let variance = in_lanes(values, |x| {
            let distance = f64::from(x) - mean;
            distance * distance
        }) / count;
        let r = 1.0 / (variance + epsilon).sqrt();
        values.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * r) as f32);
    }
}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wide::testing::{bits, compare, numbers};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_same_layers(values in numbers(), size in 1_usize..40) {
            compare(|simd| {
                let mut values = values.clone();
                layers(simd, &mut values, size, 1e-5);
                bits(&values)
            });
        }

        #[test]
        fn every_path_and_number_of_threads_gives_the_same_groups(
            values in prop::collection::vec(-100.0_f32..100.0, 6 * 35),
            groups in prop::sample::select(vec![1_usize, 2, 3, 6]),
        ) {
            let x = Tensor::from_vec(6, 5, 7, values.clone()).unwrap();
            let norm = Normalise { groups, spatial: true, epsilon: 1e-5 };
            let (rows, limits) = (0..5, Limits::default());
            for threads in [1, 2, 5] {
                compare(|simd| {
                    let rt = Runtime::new(simd, threads).unwrap();
                    let y = norm.run(&rt, &limits, Placed::whole(&x), &rows).unwrap();
                    let size = 6 / groups;
                    for g in 0..groups {
                        let of_group = || x.data().chunks(6).flat_map(|p| &p[g * size..(g + 1) * size]).map(|v| f64::from(*v));
                        let n = (35 * size) as f64;
                        let mean = of_group().sum::<f64>() / n;
                        let variance = of_group().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                        let wanted = (f64::from(x.data()[g * size]) - mean) / (variance + 1e-5_f32 as f64).sqrt();
                        assert!((f64::from(y.data()[g * size]) - wanted).abs() < 1e-6, "{wanted}");
                    }
                    bits(y.data())
                });
            }
        }
    }
}
