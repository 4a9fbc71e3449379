//! Layers that follow each other, run tile by tile: what lies between them never leaves the cache.
//!
//! A chain begins with an operation that may look at neighbours ([`Head`]); all that follow look at one position at a time
//! ([`Step`]); pixels may be shuffled at the end. A tile of outputs goes through all of them before the next one begins.
//! Every number is computed by the same operations in the same order as by one layer after the other.

use super::band::{check_view, positions_per_job, share_is_finite};
use super::conv::{check_channels, Conv2d};
use super::elementwise::{Binary, Unary};
use super::gdn::Gdn;
use super::layout::{gather, scatter, shuffle_area};
use super::rows::{elementwise_chunk, for_long_chunks, Look};
use super::spot::{Spot, Target};
use super::tensor::{View, ROOM};
use super::tiles::Tiles;
use super::{first_not_finite, ConvTranspose2d, Tensor};
use crate::buffer_pool::{make_room, Lent};
use crate::{Error, Limits, Result, Runtime, Simd};
use std::borrow::Cow;
use std::ops::Range;

/// Elements that functions of one number go over at a time: they stay in the first-level cache.
const PIECE: usize = 2048;

/// How a chain begins.
#[derive(Debug, Clone, Copy)]
pub enum Head<'a> {
    /// With its input.
    Input,
    /// With a convolution.
    Conv2d(&'a Conv2d),
    /// With a transposed convolution.
    ConvTranspose2d(&'a ConvTranspose2d),
    /// With the inverse of a pixel shuffle by this factor.
    PixelUnshuffle(usize),
}

/// An operation on one position.
#[derive(Debug, Clone)]
pub enum Step<'a> {
    /// A 1x1 convolution.
    Conv2d(&'a Conv2d),
    /// A normalisation.
    Gdn(&'a Gdn),
    /// A function of each number.
    Unary(Unary),
    /// A function of each number and that of its channel in a vector, which is the left operand if `is_left`.
    Vector {
        /// The function.
        op: Binary,
        /// One number a channel.
        other: Cow<'a, [f32]>,
        /// Whether the vector is the left operand.
        is_left: bool,
    },
    /// A function of each number and that in the same place of `other`, which is the left operand if `is_left`.
    Map {
        /// The function.
        op: Binary,
        /// The rows that the chain runs on.
        other: View<'a>,
        /// Whether `other` is the left operand.
        is_left: bool,
    },
}

/// Layers that follow each other.
#[derive(Debug)]
pub struct Chain<'a> {
    head: Head<'a>,
    stages: Vec<Stage<'a>>,
    shuffle: usize,
}

impl Step<'_> {
    /// Changes whole positions in place; a vector is repeated as often as there are positions.
    fn apply(&self, simd: Simd, part: &mut [f32], other: &[f32]) {
        match self {
            Self::Unary(function) => function.apply_slice(simd, part),
            Self::Vector { op, is_left, .. } | Self::Map { op, is_left, .. } => {
                op.apply_slice(simd, part, &other[..part.len()], *is_left);
            }
            Self::Conv2d(_) | Self::Gdn(_) => {}
        }
    }
}

/// What writes a tile anew, and the functions that change it there.
#[derive(Debug)]
struct Stage<'a> {
    producer: Producer<'a>,
    functions: Vec<Step<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum Producer<'a> {
    Copy,
    Conv2d(&'a Conv2d),
    ConvTranspose2d(&'a ConvTranspose2d),
    PixelUnshuffle(usize),
    Pointwise(&'a Conv2d),
    Gdn(&'a Gdn),
}

/// What a stage reads: rows that lie `pitch` elements apart.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    values: &'a [f32],
    pitch: usize,
    channels: usize,
}

/// What the tiles of one run have in common.
struct Run<'a, 'b> {
    chain: &'b Chain<'a>,
    rt: &'b Runtime,
    limits: &'b Limits,
    /// The input, all of which must be finite if the first layer is one that refuses.
    x: View<'b>,
    /// The input as positions of the grid, if it is read position by position.
    flat: View<'b>,
    /// The rows of the grid, and its width.
    rows: Range<usize>,
    width: usize,
    /// Channels after each stage.
    channels: Vec<usize>,
    /// Vectors of [`Step::Vector`], repeated to the length of a piece, for each stage.
    vectors: Vec<Vec<Vec<f32>>>,
}

impl<'a> Chain<'a> {
    /// A chain of these operations, with pixels shuffled by `shuffle` at the end (1: they are not).
    #[must_use]
    pub fn new(head: Head<'a>, steps: Vec<Step<'a>>, shuffle: usize) -> Self {
        let mut stages: Vec<Stage> = Vec::new();
        let push = |stages: &mut Vec<Stage<'a>>, producer| stages.push(Stage { producer, functions: Vec::new() });
        match head {
            Head::Input => {}
            Head::Conv2d(layer) => push(&mut stages, Producer::Conv2d(layer)),
            Head::ConvTranspose2d(layer) => push(&mut stages, Producer::ConvTranspose2d(layer)),
            Head::PixelUnshuffle(factor) => push(&mut stages, Producer::PixelUnshuffle(factor)),
        }
        for step in steps {
            match step {
                Step::Conv2d(layer) => push(&mut stages, Producer::Pointwise(layer)),
                Step::Gdn(layer) => push(&mut stages, Producer::Gdn(layer)),
                function => {
                    if stages.is_empty() {
                        push(&mut stages, Producer::Copy);
                    }
                    if let Some(stage) = stages.last_mut() {
                        stage.functions.push(function);
                    }
                }
            }
        }
        if stages.is_empty() {
            push(&mut stages, Producer::Copy);
        }
        Self { head, stages, shuffle }
    }

    /// Height and width after the head, for an input of this height and width.
    fn grid(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        match self.head {
            Head::Input => Ok((height, width)),
            Head::Conv2d(layer) => layer.output_size(height, width),
            Head::ConvTranspose2d(layer) => layer.output_size(height, width),
            Head::PixelUnshuffle(factor) => {
                shuffle_area(factor)?;
                if !height.is_multiple_of(factor) || !width.is_multiple_of(factor) {
                    let message = format!("{height} x {width} is not a multiple of {factor} for pixel unshuffle");
                    return Err(Error::invalid(message));
                }
                Ok((height / factor, width / factor))
            }
        }
    }

    /// Channels after each stage, for an input of `channels`.
    fn channels(&self, mut channels: usize) -> Result<Vec<usize>> {
        let mut after = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            channels = match stage.producer {
                Producer::Copy => channels,
                Producer::Conv2d(layer) => check_channels(channels, layer.in_channels(), layer.out_channels())?,
                Producer::ConvTranspose2d(layer) => {
                    check_channels(channels, layer.in_channels(), layer.out_channels())?
                }
                Producer::Pointwise(layer) => {
                    if !layer.is_pointwise() {
                        return Err(Error::invalid("a convolution that looks at neighbours inside a chain"));
                    }
                    check_channels(channels, layer.in_channels(), layer.out_channels())?
                }
                Producer::Gdn(layer) => check_channels(channels, layer.channels(), layer.channels())?,
                Producer::PixelUnshuffle(factor) => channels
                    .checked_mul(shuffle_area(factor)?)
                    .ok_or_else(|| Error::invalid("pixel unshuffle makes too many channels"))?,
            };
            after.push(channels);
        }
        let area = shuffle_area(self.shuffle)?;
        if !channels.is_multiple_of(area) {
            return Err(Error::invalid(format!(
                "{channels} channels are not a multiple of {area} for pixel shuffle by {}",
                self.shuffle
            )));
        }
        Ok(after)
    }

    /// The output for `x`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if `x` has other channels, is too small or not finite where a layer needs it to be,
    /// or operands do not fit; [`crate::ErrorKind::Limit`] if the output would exceed the limits.
    pub fn run(&self, rt: &Runtime, limits: &Limits, x: &Tensor) -> Result<Tensor> {
        let channels = self.channels(x.channels())?.last().copied().unwrap_or(0) / shuffle_area(self.shuffle)?;
        let (height, width) = self.grid(x.height(), x.width())?;
        let scaled = |side: usize| {
            side.checked_mul(self.shuffle).ok_or_else(|| Error::invalid("pixel shuffle makes a side too large"))
        };
        let mut out = Tensor::output(rt, limits, (channels, scaled(height)?, scaled(width)?))?;
        self.run_rows(rt, limits, x.view(), 0..height, out.data_mut())?;
        Ok(out)
    }

    /// Changes `x` in place, by a chain of functions alone.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there is more in the chain, or operands do not fit.
    pub fn change(&self, rt: &Runtime, x: &mut Tensor) -> Result<()> {
        let [Stage { producer: Producer::Copy, functions }] = self.stages.as_slice() else {
            return Err(Error::invalid("layers of a chain cannot run in place"));
        };
        if self.shuffle != 1 || functions.iter().any(|function| matches!(function, Step::Map { .. })) {
            return Err(Error::invalid("a chain with other maps or shuffles cannot run in place"));
        }
        let channels = self.channels(x.channels())?;
        self.check_operands(&channels, (x.height(), x.width()))?;
        let vectors = self.vectors(&channels)?;
        let data = x.data_mut();
        let chunk = elementwise_chunk(&rt.pool, data.len(), channels[0]);
        for_long_chunks(&rt.pool, data, chunk, |_, part, look| {
            part.chunks_mut(piece(channels[0])).try_for_each(|part| {
                functions.iter().zip(&vectors[0]).for_each(|(function, vector)| function.apply(rt.simd, part, vector));
                look.after(part.len() * functions.len())
            })
        })
    }

    /// The outputs of `rows`, counted after the head and before pixels are shuffled, as if `x` were a picture of its own.
    ///
    /// # Errors
    /// As [`Chain::run`]; all of `x` must be finite where the head is a layer. [`crate::ErrorKind::InvalidArgument`] too if
    /// there are no such rows, or `out` has not as many elements as they make.
    pub fn run_rows(
        &self,
        rt: &Runtime,
        limits: &Limits,
        x: View<'_>,
        rows: Range<usize>,
        out: &mut [f32],
    ) -> Result<()> {
        let channels = self.channels(x.channels())?;
        let (height, width) = self.grid(x.height(), x.width())?;
        let last = channels.last().copied().unwrap_or(0);
        let expected = rows.len().checked_mul(width).and_then(|positions| positions.checked_mul(last));
        if rows.end > height || expected != Some(out.len()) {
            return Err(Error::invalid(format!("{} elements for rows {rows:?} of {height} x {width}", out.len())));
        }
        self.check_operands(&channels, (rows.len(), width))?;
        if out.is_empty() {
            return Ok(());
        }
        let vectors = self.vectors(&channels)?;
        let flat = if matches!(self.head, Head::Input) { x.rows(rows.clone())? } else { x };
        let run = Run { chain: self, rt, limits, x, flat, rows, width, channels, vectors };
        if matches!(self.head, Head::Input) && self.shuffle == 1 {
            run.flat(out)
        } else {
            run.tiles(out)
        }
    }

    fn check_operands(&self, channels: &[usize], (height, width): (usize, usize)) -> Result<()> {
        for (stage, &channels) in self.stages.iter().zip(channels) {
            for function in &stage.functions {
                let shape = match function {
                    Step::Vector { other, .. } if other.len() != channels => (other.len(), 1, 1),
                    Step::Map { other, .. } if other.shape() != (channels, height, width) => other.shape(),
                    _ => continue,
                };
                return Err(Error::invalid(format!(
                    "shapes {:?} and {shape:?} (channels, height, width) do not fit",
                    (channels, height, width)
                )));
            }
        }
        Ok(())
    }

    fn vectors(&self, channels: &[usize]) -> Result<Vec<Vec<Vec<f32>>>> {
        let of_stage = |(stage, channels): (&Stage, &usize)| {
            let repeated = |function: &Step| {
                let mut repeated = Vec::new();
                if let Step::Vector { other, .. } = function {
                    make_room(&mut repeated, piece(*channels), "a vector")?;
                    (0..piece(*channels) / channels).for_each(|_| repeated.extend_from_slice(other));
                }
                Ok(repeated)
            };
            stage.functions.iter().map(repeated).collect()
        };
        self.stages.iter().zip(channels).map(of_stage).collect()
    }
}

/// Elements of a piece: whole positions.
fn piece(channels: usize) -> usize {
    (PIECE / channels.max(1)).max(1) * channels
}

impl Run<'_, '_> {
    /// Position by position, whatever row they are in.
    fn flat(&self, out: &mut [f32]) -> Result<()> {
        let positions = self.rows.len() * self.width;
        let (x, pool) = (self.flat.flat(), &self.rt.pool);
        let job = positions_per_job(positions, x.channels() + self.channels.iter().sum::<usize>(), pool.threads());
        let last = self.last_channels();
        for_long_chunks(&self.rt.pool, out, job * last, |i, chunk, look| {
            let spot = Spot { rows: 0..1, columns: 0..chunk.len() / last };
            let first = i * job;
            let values = &x.data()[first * x.channels()..][..spot.columns.len() * x.channels()];
            let source = Source { values, pitch: values.len(), channels: x.channels() };
            let mut work = Work::new(self, spot.positions(), 0)?;
            let pitch = chunk.len();
            self.spot(&spot, first, source, &mut work, Target { data: chunk, start: 0, pitch }, look)
        })
    }

    /// Tiles of rows and columns.
    fn tiles(&self, out: &mut [f32]) -> Result<()> {
        let (factor, last) = (self.chain.shuffle, self.last_channels());
        let grid = (self.rows.len(), self.width);
        let (step, border) = match self.chain.head {
            Head::Conv2d(layer) => ([1, 1], layer.border(self.width, self.x.width())),
            Head::ConvTranspose2d(layer) => (layer.stride(), layer.border(self.width, self.x.width())),
            _ => ([1, 1], [0, 0]),
        };
        let window = |rows: usize, columns: usize| match self.chain.head {
            Head::Conv2d(layer) => layer.input_len(rows, columns),
            Head::ConvTranspose2d(layer) => layer.input_len(rows, columns),
            _ => 0,
        };
        let between: usize = self.channels.iter().sum();
        let tile_len = |rows: usize, columns: usize| window(rows, columns) + rows * columns * between;
        let tiles = Tiles::new(&self.rt.pool, grid, step, border, tile_len);
        let widest = tiles.columns.iter().map(Range::len).max().unwrap_or(0);
        for_long_chunks(&self.rt.pool, out, tiles.rows * self.width * last, |i, chunk, look| {
            let first = i * tiles.rows;
            let rows = first..first + chunk.len() / (self.width * last);
            let mut work = Work::new(self, rows.len() * widest, window(rows.len(), widest) + ROOM)?;
            for columns in &tiles.columns {
                look.check()?;
                let is_layer = matches!(self.chain.head, Head::Conv2d(_) | Head::ConvTranspose2d(_));
                if is_layer && !share_is_finite(self.rt.simd, self.x, grid, rows.clone(), columns) {
                    return check_view(self.rt.simd, self.x);
                }
                let spot =
                    Spot { rows: self.rows.start + rows.start..self.rows.start + rows.end, columns: columns.clone() };
                let width = self.width * factor;
                let target = Target {
                    data: &mut *chunk,
                    start: columns.start * factor * (last / (factor * factor)),
                    pitch: width * (last / (factor * factor)),
                };
                let source = self.source(&spot, rows.start);
                self.spot(&spot, rows.start * self.width, source, &mut work, target, look)?;
            }
            Ok(())
        })
    }

    fn last_channels(&self) -> usize {
        self.channels.last().copied().unwrap_or(0)
    }

    /// The input at the positions of a spot, if it is read position by position; `first` is the spot's first row among all.
    fn source(&self, spot: &Spot, first: usize) -> Source<'_> {
        let (channels, pitch) = (self.flat.channels(), self.flat.row_len());
        let start = match self.chain.head {
            Head::Input => first * pitch + spot.columns.start * channels,
            _ => 0,
        };
        Source { values: &self.flat.data()[start..], pitch, channels }
    }

    /// All stages of a spot. `first` is its first position among all positions, row by row.
    fn spot(
        &self,
        spot: &Spot,
        first: usize,
        x: Source,
        work: &mut Work,
        target: Target,
        look: &mut Look,
    ) -> Result<()> {
        let (count, factor) = (self.channels.len(), self.chain.shuffle);
        let Work { buffers: [even, odd], window, powers } = work;
        let mut target = target;
        for (k, (stage, &channels)) in self.chain.stages.iter().zip(&self.channels).enumerate() {
            let (before, after) = if k % 2 == 0 { (&*odd, &mut *even) } else { (&*even, &mut *odd) };
            let source = match k {
                0 => x,
                _ => {
                    let channels = self.channels[k - 1];
                    let pitch = spot.columns.len() * channels;
                    Source { values: &before[..spot.rows.len() * pitch], pitch, channels }
                }
            };
            let mut to = if k + 1 == count && factor == 1 {
                Target { data: &mut *target.data, ..target }
            } else {
                Target { data: after, start: 0, pitch: spot.columns.len() * channels }
            };
            self.produce(stage.producer, spot, (k == 0).then_some(self.x), source, window, powers, &mut to)?;
            self.apply(k, spot, first, channels, &mut to, look)?;
        }
        if factor > 1 {
            let values = if count % 2 == 1 { &*even } else { &*odd };
            target = Target { data: target.data, ..target };
            scatter(values, factor, [spot.rows.len(), spot.columns.len()], self.last_channels(), &mut target);
        }
        Ok(())
    }

    /// What one stage makes of its source.
    #[allow(clippy::too_many_arguments)]
    fn produce(
        &self,
        producer: Producer,
        spot: &Spot,
        x: Option<View>,
        source: Source,
        window: &mut Vec<f32>,
        powers: &mut [f32],
        to: &mut Target,
    ) -> Result<()> {
        let (rows, columns, simd) = (spot.rows.len(), spot.columns.len(), self.rt.simd);
        match producer {
            Producer::Conv2d(layer) => layer.tile(self.limits, self.x, spot, window, to)?,
            Producer::ConvTranspose2d(layer) => layer.tile(self.limits, self.rt, self.x, spot, window, to)?,
            Producer::PixelUnshuffle(factor) => gather(self.x, factor, spot, to),
            Producer::Copy => {
                let len = columns * source.channels;
                for row in 0..rows {
                    let values = &source.values[row * source.pitch..][..len];
                    to.data[to.start + row * to.pitch..][..len].copy_from_slice(values);
                }
            }
            Producer::Pointwise(layer) => {
                check_source(simd, source, spot, x)?;
                layer.pointwise(source.values, source.pitch, [rows, columns], to);
            }
            Producer::Gdn(layer) => {
                check_source(simd, source, spot, x)?;
                let len = columns * source.channels;
                for row in 0..rows {
                    let values = &source.values[row * source.pitch..][..len];
                    layer.normalise(values, &mut powers[..len], &mut to.data[to.start + row * to.pitch..][..len]);
                }
            }
        }
        Ok(())
    }

    /// The functions of stage `k`.
    fn apply(
        &self,
        k: usize,
        spot: &Spot,
        first: usize,
        channels: usize,
        to: &mut Target,
        look: &mut Look,
    ) -> Result<()> {
        let functions = &self.chain.stages[k].functions;
        if functions.is_empty() {
            return Ok(());
        }
        let (simd, len, step) = (self.rt.simd, spot.columns.len() * channels, piece(channels));
        for row in 0..spot.rows.len() {
            let values = &mut to.data[to.start + row * to.pitch..][..len];
            let place = (first + row * self.width + spot.columns.start) * channels;
            for (q, part) in values.chunks_mut(step).enumerate() {
                for (function, vector) in functions.iter().zip(&self.vectors[k]) {
                    match function {
                        Step::Map { other, .. } => {
                            function.apply(simd, part, &other.data()[place + q * step..]);
                        }
                        _ => function.apply(simd, part, vector),
                    }
                }
                look.after(part.len() * functions.len())?;
            }
        }
        Ok(())
    }
}

/// Refuses a source that is not finite. Of an input the first place is named; between layers the caller has to look for it.
fn check_source(simd: Simd, source: Source, spot: &Spot, x: Option<View>) -> Result<()> {
    let len = spot.columns.len() * source.channels;
    let row = |row: usize| first_not_finite(simd, &source.values[row * source.pitch..][..len]);
    if spot.rows.clone().enumerate().all(|(i, _)| row(i).is_none()) {
        return Ok(());
    }
    x.map_or(Ok(()), |x| check_view(simd, x))?;
    Err(Error::invalid("an input of a layer is not finite"))
}

/// Buffers of one job.
struct Work<'a> {
    /// What even and odd stages make.
    buffers: [Lent<'a>; 2],
    /// Copies of inputs with zeros around them.
    window: Lent<'a>,
    /// Powers for normalisations.
    powers: Lent<'a>,
}

impl<'a> Work<'a> {
    fn new(run: &Run<'_, 'a>, positions: usize, window: usize) -> Result<Self> {
        let direct = usize::from(run.chain.shuffle == 1);
        let kept = run.channels.len() - direct;
        let most = |parity: usize| run.channels[..kept].iter().skip(parity).step_by(2).max().copied().unwrap_or(0);
        let has_gdn = |stage: &Stage| matches!(stage.producer, Producer::Gdn(_));
        let widest = run.chain.stages.iter().zip(&run.channels).filter(|(stage, _)| has_gdn(stage)).map(|(_, c)| *c);
        let lend = |len: usize| Lent::new(&run.rt.float_buffers, len);
        Ok(Self {
            buffers: [lend(positions * most(0))?, lend(positions * most(1))?],
            window: lend(window)?,
            powers: lend(positions * widest.max().unwrap_or(0))?,
        })
    }
}
