//! Attention within windows of a map (Vaswani et al. 2017; Liu et al., "Swin Transformer", 2021).

use super::band::{check_parameters, check_view};
use super::kernel::{product, Grid, Panels, Segment};
use super::placed::Placed;
use super::rows::for_parts;
use super::softmax::weigh;
use super::Tensor;
use crate::wide::wide;
use crate::{Error, Limits, Result, Runtime, Simd};
use std::ops::Range;

/// Geometry of attention within windows.
///
/// Boundaries of windows lie at `shift` and every `window` rows and columns before and after it; a window at a side of the map has only what lies
/// inside. So shifted windows need no rolling of the map and no mask.
///
/// Each head takes its share of the channels of query, key and value. For place i of a window and its places j in raster order:
/// `s[j] = chain(+0; q[i][c], k[j][c])` over the channels of the head, ascending; `l[j] = s[j] * scale + b`, both operations rounded to binary32,
/// with `b = bias[head][y(i) - y(j) + h - 1][x(i) - x(j) + w - 1]` for windows of h x w, or without `+ b` if there is no bias; `e` and `r` of `l` as
/// in [`super::Softmax`]; and the result is `chain(+0; e[j], v[j][c]) * r`, the chain over j ascending. Query, key and value must be finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Rows and columns of a window.
    pub window: [usize; 2],
    /// Where windows begin, below their sides.
    pub shift: [usize; 2],
    /// Number of heads.
    pub heads: usize,
    /// What products of queries and keys are multiplied by.
    pub scale: f32,
}

/// Attention within windows with its bias.
#[derive(Debug)]
pub struct WindowAttention {
    geometry: Attention,
    /// (heads, 2 h - 1, 2 w - 1), columns in reverse, so that those of the keys of a row ascend.
    bias: Option<Vec<f32>>,
}

/// Products that are held at a time, about.
const MAX_PRODUCTS: usize = 1 << 16;

/// Queries at a time at least: as many as the widest kernel takes.
const MIN_QUERIES: usize = 12;

impl Attention {
    /// Numbers of a bias.
    #[must_use]
    pub fn bias_shape(&self) -> [usize; 3] {
        [self.heads, 2 * self.window[0] - 1, 2 * self.window[1] - 1]
    }

    /// The shape (channels, height, width) of the result for query, key and value of these shapes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if they do not fit.
    pub fn output(&self, inputs: [(usize, usize, usize); 3]) -> Result<(usize, usize, usize)> {
        let [query, key, value] = inputs;
        let is_divided = |channels: usize| channels > 0 && channels.is_multiple_of(self.heads);
        let sides = |shape: (usize, usize, usize)| (shape.1, shape.2);
        if query != key || sides(query) != sides(value) || !is_divided(query.0) || !is_divided(value.0) {
            return Err(Error::invalid(format!(
                "query {query:?}, key {key:?} and value {value:?} (channels, height, width) do not fit {} heads",
                self.heads
            )));
        }
        Ok(value)
    }

    /// The window that has row or column `o`.
    fn window(&self, o: usize, side: usize, axis: usize) -> Range<usize> {
        let (window, shift) = (self.window[axis], self.shift[axis]);
        // counted from the boundary before the first place
        let start = (o + window - shift) / window * window;
        (start + shift).saturating_sub(window)..(start + shift).min(side)
    }

    /// The rows of inputs that `rows` of the result need.
    #[must_use]
    pub fn input_rows(&self, rows: &Range<usize>, height: usize) -> Range<usize> {
        self.window(rows.start, height, 0).start..self.window(rows.end - 1, height, 0).end
    }

    /// Multiply-accumulates for a result of these positions from query and value of these channels.
    #[must_use]
    pub fn macs(&self, positions: u64, [query, value]: [usize; 2]) -> u64 {
        let area = self.window[0] as u64 * self.window[1] as u64;
        positions.saturating_mul(area).saturating_mul((query + value) as u64)
    }

    /// Bytes that a run works with beside its inputs and its result, about.
    #[must_use]
    pub fn work_bytes(&self, [query, value]: [usize; 2], threads: usize) -> u64 {
        let area = self.window[0] * self.window[1];
        let products = MAX_PRODUCTS.max(MIN_QUERIES * area).min(area * area);
        let panels = 2 * (area + 16) * ((query + value) / self.heads + 16);
        4 * (products + panels) as u64 * threads as u64
    }

    fn check(&self) -> Result<()> {
        let is_legal = (0..2).all(|axis| self.window[axis] > 0 && self.shift[axis] < self.window[axis]);
        let area = self.window[0].checked_mul(self.window[1]);
        if !is_legal || self.heads == 0 || !self.scale.is_finite() || area.is_none_or(|area| area > 1 << 16) {
            return Err(Error::invalid(format!("attention of {self:?} is none")));
        }
        Ok(())
    }
}

impl WindowAttention {
    /// Attention with a bias of [`Attention::bias_shape`], row-major.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if sizes contradict each other or a number is not finite.
    pub fn new(simd: Simd, geometry: Attention, bias: Option<&[f32]>) -> Result<Self> {
        geometry.check()?;
        let [heads, rows, columns] = geometry.bias_shape();
        let Some(bias) = bias else { return Ok(Self { geometry, bias: None }) };
        if heads.checked_mul(rows * columns) != Some(bias.len()) {
            let message = format!("bias has {} elements for {heads} heads of {rows} x {columns}", bias.len());
            return Err(Error::invalid(message));
        }
        check_parameters(simd, bias, "bias")?;
        let mut reversed = bias.to_vec();
        reversed.chunks_exact_mut(columns).for_each(<[f32]>::reverse);
        Ok(Self { geometry, bias: Some(reversed) })
    }

    /// `rows` of the result for query, key and value, of which the same rows are there.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if shapes do not fit or a number that is needed is not finite, [`crate::ErrorKind::Corrupt`] if rows
    /// are missing, [`crate::ErrorKind::Limit`] beyond the limits.
    pub fn run(&self, rt: &Runtime, limits: &Limits, inputs: [Placed<'_>; 3], rows: &Range<usize>) -> Result<Tensor> {
        let shape = |x: Placed<'_>| (x.rows.channels(), x.height, x.rows.width());
        let (channels, height, width) = self.geometry.output(inputs.map(shape))?;
        if rows.is_empty() || rows.end > height || width == 0 {
            return Err(Error::invalid(format!("rows {rows:?} of a result of {height} x {width}")));
        }
        let needed = self.geometry.input_rows(rows, height);
        let [query, key, value] = inputs.map(|x| x.cut(&needed));
        let inputs = [query?, key?, value?];
        for (x, name) in inputs.iter().zip(["query", "key", "value"]) {
            check_view(rt.simd, x.rows).map_err(|e| e.at(name))?;
        }
        let mut out = Tensor::output(rt, limits, (channels, rows.len(), width))?;
        let mut bands: Vec<Range<usize>> = Vec::new();
        let mut next = rows.start;
        while next < rows.end {
            let end = self.geometry.window(next, height, 0).end.min(rows.end);
            bands.push(next..end);
            next = end;
        }
        let mut rest = out.data_mut();
        let parts = bands.iter().map(|band| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(band.len() * width * channels);
            rest = after;
            part
        });
        for_parts(&rt.pool, bands.len(), parts, |i, out| self.band(rt.simd, limits, inputs, &bands[i], out))?;
        Ok(out)
    }

    /// Some rows of one row of windows.
    fn band(
        &self,
        simd: Simd,
        limits: &Limits,
        inputs: [Placed<'_>; 3],
        rows: &Range<usize>,
        out: &mut [f32],
    ) -> Result<()> {
        let (height, width) = (inputs[0].height, inputs[0].rows.width());
        let among = self.geometry.window(rows.start, height, 0);
        let mut room = Room::default();
        let mut first = 0;
        while first < width {
            let columns = self.geometry.window(first, width, 1);
            for head in 0..self.geometry.heads {
                self.window(simd, limits, inputs, [rows, &among], &columns, head, &mut room, out)?;
            }
            first = columns.end;
        }
        Ok(())
    }

    /// Some rows of a window, of one head.
    #[allow(clippy::too_many_arguments)]
    fn window(
        &self,
        simd: Simd,
        limits: &Limits,
        [query, key, value]: [Placed<'_>; 3],
        [rows, among]: [&Range<usize>; 2],
        columns: &Range<usize>,
        head: usize,
        room: &mut Room,
        out: &mut [f32],
    ) -> Result<()> {
        let heads = self.geometry.heads;
        let (depth, size) = (query.rows.channels() / heads, value.rows.channels() / heads);
        let keys = among.len() * columns.len();
        let Room { queries, others, logits, results, scales } = room;
        gather(key, among, columns, head * depth..(head + 1) * depth, others);
        let keys_packed = Panels::new(simd, depth, keys, None, |c, j| others[j * depth + c])?;
        gather(value, among, columns, head * size..(head + 1) * size, others);
        let values_packed = Panels::new(simd, keys, size, None, |j, c| others[j * size + c])?;
        gather(query, rows, columns, head * depth..(head + 1) * depth, queries);
        let at_once = (MAX_PRODUCTS / keys).max(MIN_QUERIES);
        let count = rows.len() * columns.len();
        for first in (0..count).step_by(at_once) {
            let part = first..(first + at_once).min(count);
            resize(logits, part.len() * keys, limits)?;
            resize(results, part.len() * size, limits)?;
            resize(scales, part.len(), limits)?;
            let segment = |len: usize| [Segment { offset: 0, len }];
            let grid = |input: (usize, usize), output: usize| Grid {
                rows: 1,
                columns: part.len(),
                input: (input.0, 0, input.1),
                output: (0, 0, output),
            };
            product(&keys_packed, &segment(depth), &grid((first * depth, depth), keys), queries, logits);
            for ((i, logits), scale) in part.clone().zip(logits.chunks_exact_mut(keys)).zip(scales.iter_mut()) {
                let place = [rows.start + i / columns.len() - among.start, i % columns.len()];
                *scale = self.weights(simd, head, place, columns.len(), logits);
            }
            product(&values_packed, &segment(keys), &grid((0, keys), size), logits, results);
            for ((i, result), scale) in part.zip(results.chunks_exact(size)).zip(scales.iter()) {
                let (y, x) = (i / columns.len(), columns.start + i % columns.len());
                let start = (y * query.rows.width() + x) * value.rows.channels() + head * size;
                out[start..start + size].iter_mut().zip(result).for_each(|(out, v)| *out = v * scale);
            }
        }
        Ok(())
    }

    /// Makes weights of the products of the query at `place` of its window; returns by what they add up to one.
    fn weights(&self, simd: Simd, head: usize, [y, x]: [usize; 2], width: usize, logits: &mut [f32]) -> f32 {
        let [_, height, columns] = self.geometry.bias_shape();
        let [rows, last] = self.geometry.window.map(|side| side - 1);
        for (j, logits) in logits.chunks_exact_mut(width).enumerate() {
            let bias = self.bias.as_ref().map(|bias| {
                let row = (head * height + y + rows - j) * columns;
                &bias[row + last - x..][..width]
            });
            scale(simd, self.geometry.scale, bias.unwrap_or(&[]), logits);
        }
        weigh_all(simd, logits)
    }
}

/// Buffers of one job.
#[derive(Default)]
struct Room {
    queries: Vec<f32>,
    others: Vec<f32>,
    logits: Vec<f32>,
    results: Vec<f32>,
    scales: Vec<f32>,
}

fn resize(buffer: &mut Vec<f32>, len: usize, limits: &Limits) -> Result<()> {
    if buffer.capacity() < len {
        *buffer = limits.zeroed(len, "attention")?;
    }
    buffer.resize(len, 0.0);
    Ok(())
}

/// Some channels of some places, one place after another.
fn gather(x: Placed<'_>, rows: &Range<usize>, columns: &Range<usize>, channels: Range<usize>, to: &mut Vec<f32>) {
    to.clear();
    for y in rows.clone() {
        let row = &x.row(y)[columns.start * x.rows.channels()..columns.end * x.rows.channels()];
        row.chunks_exact(x.rows.channels()).for_each(|pixel| to.extend_from_slice(&pixel[channels.clone()]));
    }
}

wide! {
/// `l * by`, and then `+ bias` if there is one.
fn scale(simd: Simd, by: f32, bias: &[f32], logits: &mut [f32]) {
    if bias.is_empty() {
        logits.iter_mut().for_each(|l| *l *= by);
    } else {
        logits.iter_mut().zip(bias).for_each(|(l, b)| *l = *l * by + b);
    }
}
}

wide! {
fn weigh_all(simd: Simd, logits: &mut [f32]) -> f32 {
    weigh(logits)
}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wide::testing::{bits, compare};
    use proptest::prelude::*;

    #[test]
    fn windows_share_out_every_side() {
        for window in 1..9 {
            for shift in 0..window {
                let geometry = Attention { window: [window; 2], shift: [shift; 2], heads: 1, scale: 1.0 };
                for side in 1..30 {
                    let mut next = 0;
                    while next < side {
                        let found = geometry.window(next, side, 0);
                        assert!(found.clone().all(|o| geometry.window(o, side, 0) == found), "{found:?}");
                        assert_eq!(found.start, next);
                        assert!(found.end == side || found.end % window == shift, "{found:?} {window} {shift}");
                        next = found.end;
                    }
                    assert_eq!(next, side);
                }
            }
        }
    }

    /// The definition, in binary64.
    fn defined(geometry: Attention, bias: &[f32], [q, k, v]: [&Tensor; 3], [y, x]: [usize; 2]) -> Vec<f64> {
        let (rows, columns) = (geometry.window(y, q.height(), 0), geometry.window(x, q.width(), 1));
        let (depth, size) = (q.channels() / geometry.heads, v.channels() / geometry.heads);
        let [_, height, width] = geometry.bias_shape();
        let mut out = Vec::new();
        for head in 0..geometry.heads {
            let (mut sum, mut mean) = (0.0, vec![0.0; size]);
            for (j, i) in rows.clone().flat_map(|j| columns.clone().map(move |i| (j, i))) {
                let of = |t: &Tensor, at: (usize, usize), c: usize| f64::from(t.pixel(at.0, at.1)[c]);
                let dot: f64 = (head * depth..(head + 1) * depth).map(|c| of(q, (y, x), c) * of(k, (j, i), c)).sum();
                let (dy, dx) = (y + geometry.window[0] - 1 - j, x + geometry.window[1] - 1 - i);
                let b = f64::from(bias[(head * height + dy) * width + dx]);
                let weight = (dot * f64::from(geometry.scale) + b).exp();
                sum += weight;
                mean.iter_mut().enumerate().for_each(|(c, m)| *m += weight * of(v, (j, i), head * size + c));
            }
            out.extend(mean.into_iter().map(|m| m / sum));
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn every_path_strip_and_thread_gives_the_same_and_what_is_defined(
            window in (1_usize..6, 1_usize..6),
            shift in (0_usize..6, 0_usize..6),
            size in (1_usize..14, 1_usize..14),
            heads in 1_usize..4,
            depth in 1_usize..9,
            cut in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            seed in 0_usize..1000,
        ) {
            let geometry = Attention {
                window: [window.0, window.1],
                shift: [shift.0 % window.0, shift.1 % window.1],
                heads,
                scale: 0.4,
            };
            let number = |i: usize| ((i * 7919 + seed * 131) % 2003) as f32 / 700.0 - 1.4;
            let tensor = |channels: usize, first: usize| {
                let data = (0..channels * size.0 * size.1).map(|i| number(first + i)).collect();
                Tensor::from_vec(channels, size.0, size.1, data).unwrap()
            };
            let (q, k, v) = (tensor(heads * depth, 1), tensor(heads * depth, 5000), tensor(heads * 3, 9000));
            let bias: Vec<f32> = (0..geometry.bias_shape().iter().product()).map(|i| number(i + 77)).collect();
            let limits = Limits::default();
            let inputs = [&q, &k, &v].map(Placed::whole);
            let whole = compare_all(geometry, &bias, inputs, 0..size.0);
            for (y, x) in (0..size.0).flat_map(|y| (0..size.1).map(move |x| (y, x))) {
                for (found, wanted) in whole.pixel(y, x).iter().zip(defined(geometry, &bias, [&q, &k, &v], [y, x])) {
                    prop_assert!((f64::from(*found) - wanted).abs() < 2e-5, "{found} {wanted}");
                }
            }
            let (a, b) = (cut.0.index(size.0), cut.1.index(size.0));
            let rows = a.min(b)..a.max(b) + 1;
            let rt = Runtime::serial();
            let part = WindowAttention::new(rt.simd, geometry, Some(&bias)).unwrap().run(&rt, &limits, inputs, &rows).unwrap();
            prop_assert_eq!(part.data(), whole.view().rows(rows).unwrap().data());
        }
    }

    fn compare_all(geometry: Attention, bias: &[f32], inputs: [Placed<'_>; 3], rows: Range<usize>) -> Tensor {
        let run = |simd: Simd, threads: usize| {
            let layer = WindowAttention::new(simd, geometry, Some(bias)).unwrap();
            layer.run(&Runtime::new(simd, threads).unwrap(), &Limits::default(), inputs, &rows).unwrap()
        };
        let plain = run(Simd::Scalar, 1);
        for threads in [1, 2, 5] {
            compare(|simd| bits(run(simd, threads).data()));
        }
        assert_eq!(bits(run(Simd::Scalar, 2).data()), bits(plain.data()));
        plain
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        let geometry = Attention { window: [2, 2], shift: [0, 0], heads: 1, scale: 1.0 };
        let x = Tensor::from_vec(1, 2, 2, vec![1.0; 4]).unwrap();
        let bad = Tensor::from_vec(1, 2, 2, vec![1.0, f32::INFINITY, 1.0, 1.0]).unwrap();
        let rt = Runtime::serial();
        let layer = WindowAttention::new(rt.simd, geometry, None).unwrap();
        let inputs = [&x, &x, &bad].map(Placed::whole);
        let error = layer.run(&rt, &Limits::default(), inputs, &(0..2)).unwrap_err();
        assert_eq!(error.message(), "value: input is inf at channel 0, row 0, column 1: it must be finite");
        assert!(WindowAttention::new(rt.simd, Attention { shift: [2, 0], ..geometry }, None).is_err());
        assert!(WindowAttention::new(rt.simd, geometry, Some(&[0.0; 8])).is_err());
    }
}
