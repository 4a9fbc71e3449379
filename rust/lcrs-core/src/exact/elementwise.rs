//! Functions of single elements, and sums, differences, products and quotients of two tensors.

use super::math;
use super::rows::{elementwise_chunk, for_chunks};
use super::{Tensor, Tile};
use crate::wide::{wide, wider};
use crate::{Error, Limits, Result, Runtime, Simd};
use std::ops::Range;

/// A function of one number. Transcendental ones are computed in binary64 by [`math`] and rounded to binary32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unary {
    /// `x` where it is above zero, else +0.
    Relu,
    /// `x`, or `x * slope` where `x` is below zero.
    LeakyRelu(f32),
    /// The absolute value.
    Abs,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// The exponential function.
    Exp,
    /// The hyperbolic tangent.
    Tanh,
    /// `x` times the normal distribution function of `x` (Hendrycks and Gimpel 2016).
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x * tanh(softplus(x))` (Misra 2019).
    Mish,
    /// `x` where it is above zero, else `exp(x) - 1` times this number (Clevert et al. 2015).
    Elu(f32),
    /// `min(max(x + 3, 0), 6) / 6` (Howard et al. 2019).
    HardSigmoid,
    /// `x * min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// At least `min`, then at most `max`.
    Clamp {
        /// The lower bound, if any.
        min: Option<f32>,
        /// The upper bound, if any.
        max: Option<f32>,
    },
    /// `x + value`.
    AddScalar(f32),
    /// `x * value`.
    MulScalar(f32),
}

impl Unary {
    /// Replaces every element of `x`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`] if the caller is; then some elements are replaced and others not.
    pub fn apply(self, rt: &Runtime, x: &mut Tensor) -> Result<()> {
        let data = x.data_mut();
        let chunk = elementwise_chunk(&rt.pool, data.len(), 1);
        for_chunks(&rt.pool, data, chunk, |_, part| {
            self.apply_slice(rt.simd, part);
            Ok(())
        })
    }

    /// Replaces every element of a slice. The caller has set the float control register.
    pub(crate) fn apply_slice(self, simd: Simd, part: &mut [f32]) {
        apply(simd, self, part);
    }

    /// Replaces every element of some rows of a tile. The caller has set the float control register.
    pub(crate) fn apply_tile(self, simd: Simd, tile: &mut Tile, rows: Range<usize>) {
        apply_tile(simd, self, tile, rows);
    }
}

wider! {
fn apply(simd: Simd, op: Unary, part: &mut [f32]) {
    replace(op, part);
}
}

wider! {
fn apply_tile(simd: Simd, op: Unary, tile: &mut Tile, rows: Range<usize>) {
    for row in rows {
        replace(op, tile.row_mut(row));
    }
}
}

#[inline(always)]
fn replace(op: Unary, part: &mut [f32]) {
    match op {
        Unary::Relu => each(part, |v| if v > 0.0 { v } else { 0.0 }),
        Unary::LeakyRelu(slope) => each(part, |v| if v < 0.0 { v * slope } else { v }),
        Unary::Abs => each(part, f32::abs),
        Unary::Sigmoid => each(part, |v| math::sigmoid(f64::from(v)) as f32),
        Unary::Softplus => each(part, |v| math::softplus(f64::from(v)) as f32),
        Unary::Exp => each(part, |v| math::exp(f64::from(v)) as f32),
        Unary::Tanh => each(part, |v| math::tanh(f64::from(v)) as f32),
        Unary::Gelu => {
            // as a closure it is too long for compilers to make it a part of the loop
            for v in part {
                *v = math::gelu(f64::from(*v)) as f32;
            }
        }
        Unary::GeluTanh => each(part, |v| math::gelu_tanh(f64::from(v)) as f32),
        Unary::Silu => each(part, |v| math::silu(f64::from(v)) as f32),
        Unary::Mish => each(part, |v| math::mish(f64::from(v)) as f32),
        Unary::Elu(alpha) => each(part, |v| math::elu(f64::from(v), f64::from(alpha)) as f32),
        Unary::HardSigmoid => each(part, |v| ramp(v) / 6.0),
        Unary::HardSwish => each(part, |v| v * ramp(v) / 6.0),
        Unary::Clamp { min, max } => {
            let (min, max) = (min.unwrap_or(f32::NEG_INFINITY), max.unwrap_or(f32::INFINITY));
            each(part, |v| {
                let v = if v < min { min } else { v };
                if v > max {
                    max
                } else {
                    v
                }
            });
        }
        Unary::AddScalar(value) => each(part, |v| v + value),
        Unary::MulScalar(value) => each(part, |v| v * value),
    }
}

/// `x + 3`, at least 0 and at most 6.
#[inline(always)]
fn ramp(v: f32) -> f32 {
    let v = v + 3.0;
    let v = if v < 0.0 { 0.0 } else { v };
    if v > 6.0 {
        6.0
    } else {
        v
    }
}

#[inline(always)]
fn each(part: &mut [f32], f: impl Fn(f32) -> f32) {
    for v in part {
        *v = f(*v);
    }
}

/// A function of two numbers, rounded once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
    /// `a / b`.
    Div,
    /// `a`, or `a * b` where `a` is below zero: a leaky ReLU with a slope for each channel (He et al. 2015).
    Prelu,
}

impl Binary {
    /// Replaces every element of `values` by itself `op` that of `other`, or the other way round if `is_left`. The caller has set
    /// the float control register.
    pub(super) fn apply_slice(self, simd: Simd, values: &mut [f32], other: &[f32], is_left: bool) {
        join(simd, self, values, other, is_left);
    }

    /// `a op b` for two tensors of one shape, or where either is (C, 1, 1) against (C, H, W).
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the shapes do not fit; [`crate::ErrorKind::Limit`] beyond the limits.
    pub fn run(self, rt: &Runtime, limits: &Limits, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let shape = if is_vector_for(b, a) {
            a.shape()
        } else if is_vector_for(a, b) {
            b.shape()
        } else {
            return Err(Error::invalid(format!(
                "shapes {:?} and {:?} (channels, height, width) do not fit",
                a.shape(),
                b.shape()
            )));
        };
        let mut out = Tensor::output(rt, limits, shape)?;
        let chunk = elementwise_chunk(&rt.pool, out.data().len(), shape.0);
        for_chunks(&rt.pool, out.data_mut(), chunk, |i, part| {
            let (start, len) = (i * chunk, part.len());
            let side = |t: &Tensor| (t.shape() == shape).then_some(start..start + len);
            match (side(a), side(b)) {
                (Some(ra), Some(rb)) => zip(rt.simd, self, part, &a.data()[ra], &b.data()[rb]),
                (ra, rb) => {
                    for p in (0..len).step_by(shape.0) {
                        let pick = |t: &'_ Tensor, whole: bool| {
                            if whole {
                                start + p..start + p + shape.0
                            } else {
                                0..t.channels()
                            }
                        };
                        let (ra, rb) = (pick(a, ra.is_some()), pick(b, rb.is_some()));
                        zip(rt.simd, self, &mut part[p..p + shape.0], &a.data()[ra], &b.data()[rb]);
                    }
                }
            }
            Ok(())
        })?;
        Ok(out)
    }
}

wide! {
fn zip(simd: Simd, op: Binary, out: &mut [f32], a: &[f32], b: &[f32]) {
    let each = out.iter_mut().zip(a).zip(b);
    match op {
        Binary::Add => each.for_each(|((o, a), b)| *o = a + b),
        Binary::Sub => each.for_each(|((o, a), b)| *o = a - b),
        Binary::Mul => each.for_each(|((o, a), b)| *o = a * b),
        Binary::Div => each.for_each(|((o, a), b)| *o = a / b),
        Binary::Prelu => each.for_each(|((o, a), b)| *o = prelu(*a, *b)),
    }
}
}

wide! {
fn join(simd: Simd, op: Binary, values: &mut [f32], other: &[f32], is_left: bool) {
    let each = values.iter_mut().zip(other);
    match (op, is_left) {
        (Binary::Add, _) => each.for_each(|(v, o)| *v += o),
        (Binary::Mul, _) => each.for_each(|(v, o)| *v *= o),
        (Binary::Sub, false) => each.for_each(|(v, o)| *v -= o),
        (Binary::Sub, true) => each.for_each(|(v, o)| *v = o - *v),
        (Binary::Div, false) => each.for_each(|(v, o)| *v /= o),
        (Binary::Div, true) => each.for_each(|(v, o)| *v = o / *v),
        (Binary::Prelu, false) => each.for_each(|(v, o)| *v = prelu(*v, *o)),
        (Binary::Prelu, true) => each.for_each(|(v, o)| *v = prelu(*o, *v)),
    }
}
}

#[inline(always)]
fn prelu(x: f32, slope: f32) -> f32 {
    if x < 0.0 {
        x * slope
    } else {
        x
    }
}

/// Whether `v` has the shape of `t` or is one pixel of it.
fn is_vector_for(v: &Tensor, t: &Tensor) -> bool {
    v.shape() == t.shape() || v.shape() == (t.channels(), 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::testing::{bits, compare, number, numbers};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_bits_of_the_plain_functions(values in numbers(), scalar in number()) {
            let (min, max) = (Some(-scalar.abs()), Some(scalar.abs()));
            for op in [
                Unary::Relu,
                Unary::LeakyRelu(scalar),
                Unary::Abs,
                Unary::Sigmoid,
                Unary::Softplus,
                Unary::Exp,
                Unary::Tanh,
                Unary::Gelu,
                Unary::GeluTanh,
                Unary::Silu,
                Unary::Mish,
                Unary::Elu(scalar),
                Unary::HardSigmoid,
                Unary::HardSwish,
                Unary::Clamp { min, max },
                Unary::Clamp { min: None, max },
                Unary::AddScalar(scalar),
                Unary::MulScalar(scalar),
            ] {
                compare(|simd| {
                    let mut values = values.clone();
                    op.apply_slice(simd, &mut values);
                    bits(&values)
                });
            }
        }

        #[test]
        fn every_path_gives_the_bits_of_the_plain_sums(pairs in prop::collection::vec((number(), number()), 0..150)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            for op in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Prelu] {
                let mut out = vec![0.0; a.len()];
                zip(Simd::Scalar, op, &mut out, &a, &b);
                compare(|simd| {
                    let mut zipped = vec![0.0; a.len()];
                    zip(simd, op, &mut zipped, &a, &b);
                    let (mut left, mut right) = (a.clone(), b.clone());
                    op.apply_slice(simd, &mut left, &b, false);
                    op.apply_slice(simd, &mut right, &a, true);
                    assert_eq!([bits(&left), bits(&right), bits(&zipped)], [(); 3].map(|()| bits(&out)));
                });
            }
        }
    }
}
