//! The checkerboard scan: two steps, each over all places of one colour.

use super::coder::Exchange;
use super::context::Kind;
use super::network::{Places, Run};
use super::raster::{check_parts, check_side};
use super::{Coder, Conditions, Context, Gaussian, Network};
use crate::exact::{advance, for_chunks, Ahead, Init, Part, Rows, Tensor, Tile};
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
        conditions: Conditions,
    ) -> Result<Tensor> {
        check_side(rt.simd, side, self.network.side(), "side features")?;
        conditions.check(rt.simd, self.channels(), Some(self.context.features()))?;
        let (_, height, width) = side.shape();
        let channels = self.channels();
        coder.check_shape(channels, height, width)?;
        let mut out = Tensor::zeroed(channels, height, width, limits)?;
        if height == 0 || width == 0 {
            return Ok(out);
        }
        let half = self.context.half();
        let columns = width + 2 * half;
        let mut values = limits.zeroed((height + 2 * half) * columns * channels, "values of a scan")?;
        let mut exchange = Exchange::new(rt.simd);
        for step in 0..2 {
            let known = (step == 1).then_some(Known { values: &values, bias: conditions.context_bias });
            let parameters = self.parameters(rt, limits, side, step, known)?;
            let room = width.div_ceil(2) * self.gaussian.parameter_channels();
            for (y, parameters) in parameters.chunks_exact(room).enumerate() {
                let row = self.row(y, step, width);
                let parameters = &parameters[..row.count * self.gaussian.parameter_channels()];
                let place = |i: usize| (y, row.first + 2 * i);
                let new = exchange
                    .code(coder, &self.gaussian, conditions.steps.as_ref(), parameters, place)
                    .map_err(|e| e.at(format_args!("step {step} of the scan")))?;
                for (i, new) in new.chunks_exact(channels).enumerate() {
                    let column = row.first + 2 * i;
                    values[((y + half) * columns + column + half) * channels..][..channels].copy_from_slice(new);
                    out.data_mut()[(y * width + column) * channels..][..channels].copy_from_slice(new);
                }
            }
        }
        Ok(out)
    }

    /// The places of row `y` in `step`.
    fn row(&self, y: usize, step: usize, width: usize) -> Row {
        let first = (y + step + usize::from(self.first == Parity::Odd)) % 2;
        Row { y, first, count: width.saturating_sub(first).div_ceil(2) }
    }

    /// Parameters of all places of a step; each row has room for `ceil(width / 2)` places.
    fn parameters(
        &self,
        rt: &Runtime,
        limits: &Limits,
        side: &Tensor,
        step: usize,
        known: Option<Known>,
    ) -> Result<Vec<f32>> {
        let (_, height, width) = side.shape();
        let room = width.div_ceil(2);
        let row_len = room * self.gaussian.parameter_channels();
        let mut parameters = limits.zeroed(height * row_len, "parameters of a scan")?;
        // about a hundred places: enough for the weights to be read seldom, few enough for the second-level cache
        let rows_per_job = (96 / room).max(1).min(height.div_ceil(rt.pool.threads()));
        for_chunks(&rt.pool, &mut parameters, rows_per_job * row_len, |i, chunk| {
            let first = i * rows_per_job;
            let rows: Vec<Row> = (first..first + chunk.len() / row_len).map(|y| self.row(y, step, width)).collect();
            let context = known.map(|known| self.context_features(&rows, room, width, known));
            let runs: Vec<Run> = rows
                .iter()
                .map(|row| Run {
                    count: row.count,
                    place: row.y * width + row.first,
                    step: 2,
                    slot: (row.y - first) * room,
                })
                .collect();
            let places = Places { runs: &runs, side, side_sums: None };
            self.network.run(places, context.as_deref(), chunk);
            Ok(())
        })?;
        Ok(parameters)
    }

    /// Context features of some rows, each with room for `room` places.
    fn context_features(&self, rows: &[Row], room: usize, width: usize, known: Known) -> Vec<f32> {
        let (channels, features) = (self.context.channels(), self.context.features());
        let columns = width + 2 * self.context.half();
        let mut out = vec![0.0; rows.len() * room * features];
        let rows = rows.iter().enumerate().map(|(i, row)| Rows {
            count: row.count,
            input: (row.y * columns + row.first) * channels,
            input_step: 2 * channels,
            init: known.bias.map_or(Init::Bias, |bias| Init::From(bias, 0, 0)),
            output: i * room,
        });
        let panels = self.context.panels();
        let segments = self.context.segments(0..self.context.taps().len(), columns * channels);
        for panel in 0..panels.count() {
            let next = (panel + 1 < panels.count()).then_some(Ahead { panels, panel: panel + 1, step: 0 });
            let mut tile = Tile::new(&mut out, features, panels.columns(panel));
            advance(Part { panels, panel, first: 0, next }, &segments, rows.clone(), known.values, &mut tile);
        }
        out
    }
}
