//! Maps enlarged by whole factors.

use super::placed::Placed;
use crate::wide::wide;
use crate::{Error, Result, Simd};
use std::ops::Range;

/// What lies between the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// Output o is input `floor(o / factor)`.
    Nearest,
    /// A weighted mean of two neighbours along each axis: of inputs i and `min(i + 1, n - 1)` with weights `1 - w` and `w`. In binary32,
    /// every operation rounded: columns first, `t = a * (1 - w) + b * w` in the upper and in the lower row, then
    /// `t * (1 - v) + u * v`.
    Bilinear {
        /// Whether first and last outputs are the first and last inputs: then `i + w` is `o (n - 1) / (n factor - 1)`. Else it is
        /// `(2 o + 1 - factor) / (2 factor)`, at least 0. w is the quotient of the remainder, rounded to binary64 and then to binary32.
        align_corners: bool,
    },
}

/// A layer that enlarges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upsample {
    /// What lies between the inputs.
    pub between: Between,
    /// Outputs for one input.
    pub factor: [usize; 2],
}

impl Upsample {
    pub(super) fn side(&self, input: usize, axis: usize) -> Result<usize> {
        // products of two sides are computed, and fit
        let side = input.checked_mul(self.factor[axis]).filter(|side| (1..1 << 31).contains(side));
        side.ok_or_else(|| Error::invalid(format!("{input} inputs cannot be enlarged by {}", self.factor[axis])))
    }

    /// The inputs that output `o` is made of, and the weight of the second one.
    fn place(&self, o: usize, input: usize, axis: usize) -> (usize, usize, f32) {
        let factor = self.factor[axis];
        let (above, below) = match self.between {
            Between::Nearest => return (o / factor, o / factor, 0.0),
            Between::Bilinear { align_corners: true } => {
                (o as u64 * (input as u64 - 1), (input as u64 * factor as u64 - 1).max(1))
            }
            Between::Bilinear { align_corners: false } => {
                ((2 * o as u64 + 1).saturating_sub(factor as u64), 2 * factor as u64)
            }
        };
        let first = (above / below) as usize;
        (first, (first + 1).min(input - 1), ((above % below) as f64 / below as f64) as f32)
    }

    pub(super) fn input_rows(&self, rows: &Range<usize>, height: usize) -> Range<usize> {
        self.place(rows.start, height, 0).0..self.place(rows.end - 1, height, 0).1 + 1
    }

    /// Row `y` of the result.
    pub(super) fn fill(&self, simd: Simd, x: Placed<'_>, y: usize, out: &mut [f32]) {
        let channels = x.rows.channels();
        let (upper, lower, v) = self.place(y, x.height, 0);
        let (upper, lower) = (x.row(upper), x.row(lower));
        for (o, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let (left, right, w) = self.place(o, x.rows.width(), 1);
            let (left, right) = (left * channels..(left + 1) * channels, right * channels..(right + 1) * channels);
            match self.between {
                Between::Nearest => pixel.copy_from_slice(&upper[left]),
                Between::Bilinear { .. } => {
                    let corners = [&upper[left.clone()], &upper[right.clone()], &lower[left], &lower[right]];
                    blend(simd, corners, [w, v], pixel);
                }
            }
        }
    }
}

wide! {
fn blend(simd: Simd, corners: [&[f32]; 4], weights: [f32; 2], pixel: &mut [f32]) {
    let ([a, b, c, d], [w, v]) = (corners, weights);
    let (w0, v0) = (1.0 - w, 1.0 - v);
    let each = pixel.iter_mut().zip(a.iter().zip(b)).zip(c.iter().zip(d));
    each.for_each(|((out, (a, b)), (c, d))| {
        let (t, u) = (a * w0 + b * w, c * w0 + d * w);
        *out = t * v0 + u * v;
    });
}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::testing::{bits, compare, numbers};
    use proptest::prelude::*;

    #[test]
    fn the_largest_sides_do_not_overflow() {
        let up = Upsample { between: Between::Bilinear { align_corners: true }, factor: [256; 2] };
        let input = (1 << 23) - 1;
        let side = up.side(input, 0).unwrap_or(0);
        assert_eq!(up.input_rows(&(side - 1..side), input), input - 1..input);
        assert!(up.side(1 << 23, 0).is_err() && up.side(usize::MAX, 0).is_err() && up.side(0, 0).is_err());
    }

    proptest! {
        #[test]
        fn every_path_gives_the_same_means(values in numbers(), w in 0.0_f32..1.0, v in 0.0_f32..1.0) {
            let (a, b) = values.split_at(values.len() / 2);
            compare(|simd| {
                let mut out = vec![0.0; a.len()];
                blend(simd, [a, &b[..a.len()], &b[..a.len()], a], [w, v], &mut out);
                bits(&out)
            });
        }

        #[test]
        fn places_lie_inside_and_ascend(input in 1_usize..40, factor in 1_usize..9, align_corners: bool) {
            let up = Upsample { between: Between::Bilinear { align_corners }, factor: [factor; 2] };
            let at = |o: usize| {
                let (first, second, w) = up.place(o, input, 0);
                assert!(first <= second && second < input && second <= first + 1 && (0.0..1.0).contains(&w), "{o}");
                first as f64 + f64::from(w)
            };
            let places: Vec<f64> = (0..input * factor).map(at).collect();
            prop_assert!(places.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert_eq!(places[0], 0.0);
            if align_corners && input * factor > 1 {
                prop_assert_eq!(places[input * factor - 1], input as f64 - 1.0);
            }
        }
    }
}
