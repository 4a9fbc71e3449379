//! The checkerboard scan: two steps, each over all places of one colour.

use super::coder::{Exchange, Rule};
use super::context::Kind;
use super::network::{Places, Run};
use super::raster::{check_parts, check_side};
use super::relay::relay;
use super::{Coder, Context, Gaussian, Network, RateSettings};
use crate::buffer_pool::{make_room, set_len, zeroed};
use crate::exact::{advance, Ahead, Init, Part, Rows, Tensor, Tile};
use crate::{Error, Limits, Result, Runtime};

/// Which colour of the checkerboard comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parity {
    /// Places whose row plus column is even.
    Even,
    /// Places whose row plus column is odd.
    Odd,
}

/// A scan in which the places of one colour are coded without context and then give one to the others
/// (He et al. 2021). Heights and widths may be odd.
#[derive(Debug)]
pub struct Checkerboard {
    context: Context,
    network: Network,
    gaussian: Gaussian,
    first: Parity,
}

/// Places of one row in one step: columns `first`, `first + 2`, ...
#[derive(Debug, Clone, Copy)]
struct Row {
    y: usize,
    first: usize,
    count: usize,
}

/// What the places of the second step see.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    /// Values of the other places, zero here, with a margin of half a kernel.
    values: &'a [f32],
    /// What the chains of the context begin with instead of its bias.
    bias: Option<&'a [f32]>,
}

/// Some rows of a step on the way through it.
#[derive(Debug, Default)]
struct Chunk {
    /// Row and column, in the order of the stream.
    places: Vec<(usize, usize)>,
    parameters: Vec<f32>,
    exchange: Exchange,
}

impl Checkerboard {
    /// A scan from its parts.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the parts do not fit each other.
    pub fn new(context: Context, network: Network, gaussian: Gaussian, first: Parity) -> Result<Self> {
        if context.kind() != Kind::Checkerboard {
            return Err(Error::invalid("a checkerboard scan needs the context of a checkerboard"));
        }
        check_parts(&context, &network, &gaussian)?;
        Ok(Self { context, network, gaussian, first })
    }

    /// Channels of the latent.
    pub(super) fn channels(&self) -> usize {
        self.gaussian.channels()
    }

    /// As [`super::Scan::run_with`].
    pub(super) fn run(
        &self,
        rt: &Runtime,
        limits: &Limits,
        coder: &mut Coder,
        side: &Tensor,
        settings: RateSettings,
    ) -> Result<Tensor> {
        check_side(rt.simd, side, self.network.side(), "side features")?;
        settings.check(rt.simd, self.channels(), Some(self.context.features()))?;
        let (_, height, width) = side.shape();
        let channels = self.channels();
        coder.check_shape(channels, height, width)?;
        let mut out = Tensor::output(rt, limits, (channels, height, width))?;
        if height == 0 || width == 0 {
            return Ok(out);
        }
        let half = self.context.half();
        let columns = width + 2 * half;
        let left = limits.without(out.bytes(), "values of a scan")?;
        let mut padded = Tensor::output(rt, &left, (channels, height + 2 * half, columns))?;
        padded.data_mut().fill(0.0);
        let rule = Rule { simd: rt.simd, gaussian: &self.gaussian, gain: settings.gain, y: coder.latent() };
        let store = |to: &mut Tensor, place: usize, new: &[f32]| {
            to.data_mut()[place * channels..][..channels].copy_from_slice(new);
        };
        self.step(rt, coder, &rule, side, None, |(y, x), new| {
            store(&mut out, y * width + x, new);
            store(&mut padded, (y + half) * columns + x + half, new);
        })?;
        let known = Known { values: padded.data(), bias: settings.context_bias };
        self.step(rt, coder, &rule, side, Some(known), |(y, x), new| store(&mut out, y * width + x, new))?;
        Ok(out)
    }

    /// Codes the places of the first colour, or, if they are known, of the second one, some rows at a time, and calls
    /// `store(place, values)` for each.
    fn step(
        &self,
        rt: &Runtime,
        coder: &mut Coder,
        rule: &Rule,
        side: &Tensor,
        known: Option<Known>,
        mut store: impl FnMut((usize, usize), &[f32]),
    ) -> Result<()> {
        let (step, (_, height, width)) = (usize::from(known.is_some()), side.shape());
        // about a hundred places: enough for the weights to be read seldom, few enough for the second-level cache
        let rows = (96 / width.div_ceil(2)).max(1).min(height.div_ceil(rt.pool.threads()));
        let make = |i: usize, chunk: &mut Chunk| {
            let rows = i * rows..height.min((i + 1) * rows);
            self.parameters(chunk, rows.map(|y| self.row(y, step, width)).collect(), side, known)?;
            chunk.exchange.prepare(rule, &chunk.parameters, |i| chunk.places[i])
        };
        let take = |_, chunk: &mut Chunk| {
            let values = chunk.exchange.transfer(rule, coder, |i| chunk.places[i])?;
            chunk.places.iter().zip(values.chunks_exact(self.channels())).for_each(|(place, new)| store(*place, new));
            Ok(())
        };
        relay(&rt.pool, height.div_ceil(rows), make, take).map_err(|e| e.at(format_args!("step {step} of the scan")))
    }

    /// The places of row `y` in `step`.
    fn row(&self, y: usize, step: usize, width: usize) -> Row {
        let first = (y + step + usize::from(self.first == Parity::Odd)) % 2;
        Row { y, first, count: width.saturating_sub(first).div_ceil(2) }
    }

    /// Parameters of all places of some rows.
    fn parameters(&self, chunk: &mut Chunk, rows: Vec<Row>, side: &Tensor, known: Option<Known>) -> Result<()> {
        let width = side.width();
        let mut slot = 0;
        let runs = rows.iter().map(|row| {
            let run = Run { count: row.count, place: row.y * width + row.first, step: 2, slot };
            slot += row.count;
            run
        });
        let runs: Vec<Run> = runs.collect();
        chunk.places.clear();
        make_room(&mut chunk.places, slot, "places of a step")?;
        for row in &rows {
            chunk.places.extend((0..row.count).map(|i| (row.y, row.first + 2 * i)));
        }
        set_len(&mut chunk.parameters, slot * self.gaussian.parameter_channels(), "parameters of a step")?;
        let context = known.map(|known| self.context_features(&rows, width, known)).transpose()?;
        let places = Places { runs: &runs, side, side_sums: None };
        self.network.run(places, context.as_deref(), &mut chunk.parameters)
    }

    /// Context features of all places of some rows.
    fn context_features(&self, rows: &[Row], width: usize, known: Known) -> Result<Vec<f32>> {
        let (channels, features) = (self.context.channels(), self.context.features());
        let columns = width + 2 * self.context.half();
        let count: usize = rows.iter().map(|row| row.count).sum();
        let mut out = zeroed(count * features, "context features of a step")?;
        let mut slot = 0;
        let rows = rows.iter().map(|row| {
            let place = Rows {
                count: row.count,
                input: (row.y * columns + row.first) * channels,
                input_step: 2 * channels,
                init: known.bias.map_or(Init::Bias, |bias| Init::From(bias, 0, 0)),
                output: slot,
            };
            slot += row.count;
            place
        });
        let rows: Vec<Rows> = rows.collect();
        let panels = self.context.panels();
        let segments = self.context.segments(0..self.context.taps().len(), columns * channels);
        for panel in 0..panels.count() {
            let next = (panel + 1 < panels.count()).then_some(Ahead { panels, panel: panel + 1, step: 0 });
            let mut tile = Tile::new(&mut out, features, panels.columns(panel));
            advance(Part { panels, panel, first: 0, next }, &segments, rows.iter().copied(), known.values, &mut tile);
        }
        Ok(out)
    }
}
