//! Operations without parameters that look at neighbours, at whole maps, or at all channels of a position.
//!
//! They are told where rows lie in the whole value, so that strips of it give the bits of the whole.

use super::normalise::Normalise;
use super::pad::{Crop, Pad};
use super::placed::Placed;
use super::pool::Pool;
use super::rows::{for_long_chunks, Look};
use super::softmax::Softmax;
use super::upsample::Upsample;
use super::Tensor;
use crate::{Error, Limits, Result, Runtime};
use std::ops::Range;

/// One of these operations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spatial {
    /// Weights over channels.
    Softmax(Softmax),
    /// Numbers of mean zero and variance one.
    Normalise(Normalise),
    /// Averages or largest numbers.
    Pool(Pool),
    /// Larger maps.
    Upsample(Upsample),
    /// Maps with margins.
    Pad(Pad),
    /// Maps without margins.
    Crop(Crop),
}

/// Makes a row of a result.
type Fill<'a> = dyn Fn(usize, &mut [f32], &mut Look<'_>) -> Result<()> + Send + Sync + 'a;

impl Spatial {
    /// The shape (channels, height, width) of the result for an input of this shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the input does not fit.
    pub fn output(&self, (channels, height, width): (usize, usize, usize)) -> Result<(usize, usize, usize)> {
        if channels == 0 || height == 0 || width == 0 {
            return Err(Error::invalid(format!("input of {channels} x {height} x {width} is empty")));
        }
        match self {
            Self::Softmax(Softmax { groups }) | Self::Normalise(Normalise { groups, .. }) => {
                if *groups == 0 || !channels.is_multiple_of(*groups) {
                    return Err(Error::invalid(format!("{channels} channels do not divide into {groups} groups")));
                }
                Ok((channels, height, width))
            }
            Self::Pool(pool) => Ok((channels, pool.side(height, 0)?, pool.side(width, 1)?)),
            Self::Upsample(upsample) => Ok((channels, upsample.side(height, 0)?, upsample.side(width, 1)?)),
            Self::Pad(pad) => Ok((channels, pad.side(height, 0)?, pad.side(width, 1)?)),
            Self::Crop(crop) => Ok((channels, crop.side(height, 0)?, crop.side(width, 1)?)),
        }
    }

    /// The rows of an input of `height` rows that `rows` of the result need.
    #[must_use]
    pub fn input_rows(&self, rows: &Range<usize>, height: usize) -> Range<usize> {
        match self {
            _ if self.is_global() => 0..height,
            Self::Softmax(_) | Self::Normalise(_) => rows.clone(),
            Self::Pool(pool) => pool.window(rows.start, height, 0).start..pool.window(rows.end - 1, height, 0).end,
            Self::Upsample(upsample) => upsample.input_rows(rows, height),
            Self::Pad(pad) => pad.input_rows(rows, height),
            Self::Crop(crop) => rows.start + crop.before[0]..rows.end + crop.before[0],
        }
    }

    /// Whether every row of the result needs all rows of the input: then it is computed at once.
    #[must_use]
    pub fn is_global(&self) -> bool {
        match self {
            Self::Softmax(_) | Self::Pool(_) | Self::Upsample(_) | Self::Crop(_) => false,
            Self::Normalise(normalise) => normalise.spatial,
            Self::Pad(pad) => pad.is_global(),
        }
    }

    /// Numbers that a run looks at, for an input of this shape and a result of so many elements.
    #[must_use]
    pub fn looks(&self, (channels, height, width): (usize, usize, usize), result: u64) -> u64 {
        match self {
            Self::Pool(pool) => {
                let area = pool.widest(height, 0) as u64 * pool.widest(width, 1) as u64;
                result.saturating_mul(area)
            }
            // sums and functions of each element
            Self::Softmax(_) | Self::Normalise(_) => result.saturating_mul(4),
            Self::Upsample(_) | Self::Pad(_) | Self::Crop(_) => result,
        }
        .saturating_add((channels as u64).saturating_mul(height as u64).saturating_mul(width as u64))
    }

    /// Bytes that a run works with beside its input and its result, for an input of this shape.
    #[must_use]
    pub fn work_bytes(&self, (channels, height, _): (usize, usize, usize), threads: usize) -> u64 {
        let doubles = |count: usize| 8 * count as u64;
        match self {
            Self::Normalise(normalise) if normalise.spatial => doubles(channels).saturating_mul(height as u64 + 2),
            Self::Pool(_) => doubles(channels).saturating_mul(2 * threads as u64),
            _ => 0,
        }
    }

    /// `rows` of the result.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the input does not fit, [`crate::ErrorKind::Corrupt`] if rows are missing,
    /// [`crate::ErrorKind::Limit`] beyond the limits.
    pub fn run(&self, rt: &Runtime, limits: &Limits, x: Placed<'_>, rows: &Range<usize>) -> Result<Tensor> {
        let (channels, height, width) = self.output((x.rows.channels(), x.height, x.rows.width()))?;
        if rows.is_empty() || rows.end > height {
            return Err(Error::invalid(format!("rows {rows:?} of a result of {height}")));
        }
        let x = x.cut(&self.input_rows(rows, x.height))?;
        let by_rows = |fill: &Fill<'_>| {
            let mut out = Tensor::output(rt, limits, (channels, rows.len(), width))?;
            for_long_chunks(&rt.pool, out.data_mut(), width * channels, |i, out, look| {
                fill(rows.start + i, out, look)
            })?;
            Ok(out)
        };
        match self {
            Self::Softmax(softmax) => softmax.run(rt, limits, x),
            Self::Normalise(normalise) => normalise.run(rt, limits, x, rows),
            Self::Pool(pool) => {
                let columns = pool.outputs(width, x.rows.width(), 1);
                by_rows(&|y, out, look| pool.fill((rt.simd, limits), x, &columns, y, out, look))
            }
            Self::Upsample(upsample) => by_rows(&|y, out, _| {
                upsample.fill(rt.simd, x, y, out);
                Ok(())
            }),
            Self::Pad(pad) => by_rows(&|y, out, _| {
                pad.fill(x, y, out);
                Ok(())
            }),
            Self::Crop(crop) => by_rows(&|y, out, _| {
                crop.fill(x, y, out);
                Ok(())
            }),
        }
    }
}
