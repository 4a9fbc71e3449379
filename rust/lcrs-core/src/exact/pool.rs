//! Averages or largest numbers of windows.

use super::placed::Placed;
use super::rows::Look;
use crate::wide::wide;
use crate::{Error, Limits, Result, Simd};
use std::ops::Range;

/// What is taken of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest number; minus infinity if there is none. A NaN is none.
    Max,
    /// The average: in binary64 each row of the window has a sum over its columns ascending from +0, of those there is a sum over rows ascending
    /// from +0, and the quotient by their number is rounded to binary64 and then to binary32.
    Average {
        /// Whether the number counts the places in the padding.
        counts_padding: bool,
    },
}

/// Where windows lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Windows {
    /// Window o takes inputs `o * stride - padding .. o * stride - padding + kernel`, as far as there are any.
    Sliding {
        /// Sides of a window.
        kernel: [usize; 2],
        /// Distances of windows.
        stride: [usize; 2],
        /// At most half of the kernel.
        padding: [usize; 2],
        /// Whether there is one more window at the end for inputs that are left, if it begins before the padding there.
        ceil: bool,
    },
    /// So many windows that together cover all n inputs: window o of m takes `floor(o * n / m) .. ceil((o + 1) * n / m)`. As many as inputs
    /// if the number is zero.
    Adaptive([usize; 2]),
}

/// A pooling layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// What is taken.
    pub kind: PoolKind,
    /// Of what.
    pub windows: Windows,
}

impl Pool {
    /// Outputs along an axis for a side of `input`.
    pub(super) fn side(&self, input: usize, axis: usize) -> Result<usize> {
        match self.windows {
            Windows::Adaptive(size) if size[axis] == 0 => Ok(input),
            Windows::Adaptive(size) => Ok(size[axis]),
            Windows::Sliding { kernel, stride, padding, ceil } => {
                let (kernel, stride, padding) = (kernel[axis], stride[axis], padding[axis]);
                let room = input.checked_add(2 * padding).and_then(|side| side.checked_sub(kernel));
                let room = room.filter(|_| stride > 0 && kernel > 0 && 2 * padding <= kernel).ok_or_else(|| {
                    let window = format!("a window of {kernel} in steps of {stride} with padding {padding}");
                    Error::invalid(format!("{input} inputs leave nothing for {window}"))
                })?;
                let more = usize::from(ceil && !room.is_multiple_of(stride));
                let side = room / stride + more;
                Ok(if more == 1 && side * stride >= input + padding { side } else { side + 1 })
            }
        }
    }

    /// The inputs of window `o` of a side of `input`.
    pub(super) fn window(&self, o: usize, input: usize, axis: usize) -> Range<usize> {
        match self.windows {
            Windows::Adaptive(size) if size[axis] == 0 => o..o + 1,
            Windows::Adaptive(size) => {
                let size = size[axis];
                let place = |o: usize| o as u64 * input as u64;
                let end = place(o + 1).div_ceil(size as u64) as usize;
                (place(o) / size as u64) as usize..end.min(input)
            }
            Windows::Sliding { kernel, stride, padding, .. } => {
                let start = o * stride[axis];
                let end = (start + kernel[axis]).saturating_sub(padding[axis]).min(input);
                start.saturating_sub(padding[axis]).min(end)..end
            }
        }
    }

    /// Inputs of a window at most, for a side of `input`.
    pub(super) fn widest(&self, input: usize, axis: usize) -> usize {
        match self.windows {
            Windows::Adaptive(size) if size[axis] == 0 => 1,
            Windows::Adaptive(size) => input.div_ceil(size[axis]) + 1,
            Windows::Sliding { kernel, .. } => kernel[axis],
        }
        .min(input)
    }

    /// How many places window `o` has.
    fn places(&self, o: usize, input: usize, axis: usize) -> usize {
        match (self.kind, self.windows) {
            (PoolKind::Average { counts_padding: true }, Windows::Sliding { kernel, stride, padding, .. }) => {
                let start = o * stride[axis];
                (start + kernel[axis]).min(input + 2 * padding[axis]) - start
            }
            _ => self.window(o, input, axis).len(),
        }
    }

    /// For each output of a side of `input` its inputs, and how many places it has.
    pub(super) fn outputs(&self, side: usize, input: usize, axis: usize) -> Vec<(Range<usize>, usize)> {
        (0..side).map(|o| (self.window(o, input, axis), self.places(o, input, axis))).collect()
    }

    /// Row `y` of the result; `columns` are the [`Pool::outputs`] along a row.
    pub(super) fn fill(
        &self,
        (simd, limits): (Simd, &Limits),
        x: Placed<'_>,
        columns: &[(Range<usize>, usize)],
        y: usize,
        out: &mut [f32],
        look: &mut Look<'_>,
    ) -> Result<()> {
        let channels = x.rows.channels();
        let mut sums = [limits.zeroed(channels, "sums")?, limits.zeroed(channels, "sums")?];
        let (inputs, places) = (self.window(y, x.height, 0), self.places(y, x.height, 0));
        for ((columns, wide), pixel) in columns.iter().zip(out.chunks_exact_mut(channels)) {
            let mut runs = inputs.clone().map(|y| &x.row(y)[columns.start * channels..columns.end * channels]);
            match self.kind {
                PoolKind::Max => {
                    pixel.fill(f32::NEG_INFINITY);
                    runs.try_for_each(|run| {
                        raise(simd, run, pixel);
                        look.after(run.len())
                    })?;
                }
                PoolKind::Average { .. } => {
                    let [sum, total] = &mut sums;
                    total.fill(0.0);
                    runs.try_for_each(|run| {
                        add(simd, run, sum, total);
                        look.after(run.len())
                    })?;
                    divide(simd, total, places as f64 * *wide as f64, pixel);
                }
            }
        }
        Ok(())
    }
}

wide! {
fn raise(simd: Simd, run: &[f32], pixel: &mut [f32]) {
    for values in run.chunks_exact(pixel.len()) {
        pixel.iter_mut().zip(values).for_each(|(m, v)| *m = if *v > *m { *v } else { *m });
    }
}
}

wide! {
fn add(simd: Simd, run: &[f32], sum: &mut [f64], total: &mut [f64]) {
    sum.fill(0.0);
    for values in run.chunks_exact(sum.len()) {
        sum.iter_mut().zip(values).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    total.iter_mut().zip(sum).for_each(|(total, sum)| *total += *sum);
}
}

wide! {
fn divide(simd: Simd, total: &[f64], count: f64, pixel: &mut [f32]) {
    pixel.iter_mut().zip(total).for_each(|(v, total)| *v = (total / count) as f32);
}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wide::testing::{bits, compare, numbers};
    use proptest::prelude::*;

    fn sliding(kernel: usize, stride: usize, padding: usize, ceil: bool) -> Windows {
        Windows::Sliding { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], ceil }
    }

    proptest! {
        #[test]
        fn every_path_gives_the_same_sums(values in numbers(), channels in 1_usize..20) {
            compare(|simd| {
                let (mut sum, mut total, mut pixel) = (vec![0.0; channels], vec![0.0; channels], vec![0.0; channels]);
                add(simd, &values, &mut sum, &mut total);
                divide(simd, &total, 3.0, &mut pixel);
                let averages = bits(&pixel);
                pixel.fill(f32::NEG_INFINITY);
                raise(simd, &values, &mut pixel);
                (averages, bits(&pixel))
            });
        }

        /// Every window has an input, the last one too, and adaptive ones cover all inputs.
        #[test]
        fn windows_lie_inside(input in 1_usize..60, kernel in 1_usize..9, stride in 1_usize..9, padding in 0_usize..5, ceil: bool) {
            let pool = Pool { kind: PoolKind::Average { counts_padding: true }, windows: sliding(kernel, stride, padding, ceil) };
            if let Ok(side) = pool.side(input, 0) {
                for o in 0..side {
                    let (window, places) = (pool.window(o, input, 0), pool.places(o, input, 0));
                    prop_assert!(!window.is_empty() && window.end <= input && places >= window.len() && places <= kernel);
                }
            }
            let pool = Pool { windows: Windows::Adaptive([kernel, 0]), ..pool };
            let windows: Vec<_> = (0..kernel).map(|o| pool.window(o, input, 0)).collect();
            prop_assert!(windows[0].start == 0 && windows[kernel - 1].end == input);
            prop_assert!(windows.iter().all(|w| !w.is_empty()) && windows.windows(2).all(|w| w[1].start <= w[0].end));
            prop_assert_eq!(pool.window(input - 1, input, 1), input - 1..input);
        }
    }
}
