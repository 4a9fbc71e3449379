//! Some pixels of one latent at a time.

use super::field::Field;
use super::transpose::transpose;
use crate::exact::{is_legal, round_half_even};
use crate::wide::wide;
use crate::Simd;

/// Symbols of a block, about: few enough for the second-level cache.
const SYMBOLS: usize = 16384;
/// Pixels of a block are a multiple of this, a line of the cache.
const LINE: usize = 16;

/// A run of pixels of one item that moves on from block to block.
pub(super) struct Block<'a> {
    simd: Simd,
    indexes: Field<'a, i32>,
    means: Option<Field<'a, f32>>,
    channels: usize,
    /// Pixels of the item.
    pixels: usize,
    /// Pixels of the next block at most.
    size: usize,
    /// The present block: its first pixel and the number of pixels.
    start: usize,
    len: usize,
    /// Symbols channel by channel.
    planes: Vec<i32>,
    /// Symbols and table indexes pixel by pixel, the order of the stream.
    symbols: Vec<i32>,
    stream_indexes: Vec<i32>,
}

impl<'a> Block<'a> {
    /// Before the first block of an item.
    pub(super) fn new(
        simd: Simd,
        [channels, pixels]: [usize; 2],
        (indexes, means): (Field<'a, i32>, Option<Field<'a, f32>>),
        item: usize,
    ) -> Self {
        let size = (SYMBOLS / channels.max(1) / LINE * LINE).max(LINE).min(pixels);
        let whole = channels * pixels;
        let mut stream_indexes = vec![0; channels * size];
        let indexes = indexes.item(item, whole);
        if let Field::Channel(indexes) = indexes {
            stream_indexes.chunks_exact_mut(channels.max(1)).for_each(|pixel| pixel.copy_from_slice(indexes));
        }
        Self {
            simd,
            indexes,
            means: means.map(|means| means.item(item, whole)),
            channels,
            pixels,
            size,
            start: 0,
            len: 0,
            planes: vec![0; channels * size],
            symbols: vec![0; channels * size],
            stream_indexes,
        }
    }

    /// Moves on to the next block, and says whether there is one.
    pub(super) fn advance(&mut self) -> bool {
        self.start += self.len;
        self.len = self.size.min(self.pixels - self.start);
        if let Field::Value(indexes) = self.indexes {
            let from = &indexes[self.start.min(indexes.len())..];
            transpose(self.simd, from, self.pixels, &mut self.stream_indexes, self.channels, [self.channels, self.len]);
        }
        self.len > 0 && self.channels > 0
    }

    /// Rows of the block, in the order of the stream.
    pub(super) fn indexes(&self) -> &[i32] {
        &self.stream_indexes[..self.channels * self.len]
    }

    /// Symbols of the block, in the order of the stream.
    pub(super) fn symbols(&self) -> &[i32] {
        &self.symbols[..self.channels * self.len]
    }

    /// Rows of the block, and its symbols to be written.
    pub(super) fn indexes_and_symbols(&mut self) -> (&[i32], &mut [i32]) {
        let count = self.channels * self.len;
        (&self.stream_indexes[..count], &mut self.symbols[..count])
    }

    /// Makes symbols of the item's `values`; false if one is illegal.
    pub(super) fn quantize(&mut self, values: &[f32]) -> bool {
        let shape = [self.channels, self.len];
        let legal =
            quantize(self.simd, &values[self.start..], self.pixels, self.means, self.start, shape, &mut self.planes);
        transpose(self.simd, &self.planes, self.len, &mut self.symbols, self.channels, shape);
        legal
    }

    /// Makes values of the symbols and puts them into the item `out`.
    pub(super) fn dequantize(&mut self, out: &mut [f32]) {
        let shape = [self.len, self.channels];
        transpose(self.simd, &self.symbols, self.channels, &mut self.planes, self.len, shape);
        let shape = [self.channels, self.len];
        dequantize(self.simd, &self.planes, self.means, self.start, shape, &mut out[self.start..], self.pixels);
    }
}

wide! {
/// Rounds rows of `shape` (rows, columns), `stride` apart in `values`, into `planes`; false if one is illegal.
fn quantize(
    simd: Simd,
    values: &[f32],
    stride: usize,
    means: Option<Field<'_, f32>>,
    start: usize,
    shape: [usize; 2],
    planes: &mut [i32],
) -> bool {
    let mut legal = true;
    for row in 0..shape[0] {
        let values = &values[row * stride..][..shape[1]];
        let out = &mut planes[row * shape[1]..][..shape[1]];
        let mut round = |value: f32, out: &mut i32| {
            legal &= is_legal(value);
            *out = round_half_even(value);
        };
        match means {
            None => values.iter().zip(out).for_each(|(v, out)| round(*v, out)),
            Some(Field::Channel(means)) => values.iter().zip(out).for_each(|(v, out)| round(v - means[row], out)),
            Some(Field::Value(means)) => {
                let means = &means[row * stride + start..][..shape[1]];
                values.iter().zip(means).zip(out).for_each(|((v, m), out)| round(v - m, out));
            }
        }
    }
    legal
}
}

wide! {
/// The inverse of `quantize`: rows of `planes` plus means, into rows `stride` apart in `out`.
fn dequantize(
    simd: Simd,
    planes: &[i32],
    means: Option<Field<'_, f32>>,
    start: usize,
    shape: [usize; 2],
    out: &mut [f32],
    stride: usize,
) {
    for row in 0..shape[0] {
        let symbols = &planes[row * shape[1]..][..shape[1]];
        let out = &mut out[row * stride..][..shape[1]];
        match means {
            None => symbols.iter().zip(out).for_each(|(s, out)| *out = *s as f32),
            Some(Field::Channel(means)) => symbols.iter().zip(out).for_each(|(s, out)| *out = *s as f32 + means[row]),
            Some(Field::Value(means)) => {
                let means = &means[row * stride + start..][..shape[1]];
                symbols.iter().zip(means).zip(out).for_each(|((s, m), out)| *out = *s as f32 + m);
            }
        }
    }
}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::testing::{bits, compare};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_plain_symbols_and_values(
            values in prop::collection::vec((-1e6_f32..1e6, -9.0_f32..9.0), 240),
            columns in 1_usize..60,
            start in 0_usize..20,
            odd in prop::option::of(prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(3e7_f32)]),
        ) {
            let (mut values, means): (Vec<f32>, Vec<f32>) = values.into_iter().unzip();
            if let Some(odd) = odd {
                values[100] = odd;
            }
            let (stride, shape) = (80, [3, columns]);
            for means in [None, Some(Field::Channel(&means[..3])), Some(Field::Value(&means[..]))] {
                compare(|simd| {
                    let mut planes = vec![0; 3 * columns];
                    let legal = quantize(simd, &values[start..], stride, means, start, shape, &mut planes);
                    let mut out = vec![0.0; 3 * stride];
                    dequantize(simd, &planes, means, start, shape, &mut out[start..], stride);
                    legal.then(|| (planes, bits(&out)))
                });
            }
        }
    }
}
