//! The raster scan, run as a wavefront.
//!
//! What a step costs is streaming the weights (megabytes) past a few places, so: the half of the first layer that sees
//! side features is done beforehand for the whole picture; taps of rows above, known early, are done for four and for two
//! steps at a time; while a chunk of weights is in use, the next one is prefetched; and threads share the weights.

use super::coder::{Exchange, Rule};
use super::context::Kind;
use super::network::{Places, Run};
use super::team::{self, Stage, Task};
use super::wave::{SymbolOrder, Wave};
use super::{Coder, Context, Gaussian, Network, RateSettings};
use crate::exact::{advance, Ahead, Init, Panels, Part, Rows, Segment, Tensor, Tile};
use crate::{Error, Limits, Result, Runtime, Simd};

/// A scan in which every place sees those before it in raster order, within a masked kernel (Minnen, Ballé and Toderici 2018).
#[derive(Debug)]
pub struct Raster {
    context: Context,
    network: Network,
    gaussian: Gaussian,
    order: SymbolOrder,
}

/// Steps whose context sums are begun together.
const BATCHES: [usize; 2] = [4, 2];
/// Multiplications in a step that are worth a thread.
const MIN_WORK: usize = 1 << 19;

/// One run of a scan.
struct Job<'a> {
    scan: &'a Raster,
    /// What the context's chains begin with instead of its bias.
    context_bias: Option<&'a [f32]>,
    wave: Wave,
    side: &'a Tensor,
    side_sums: Option<Vec<f32>>,
    /// Places that the buffers have room for in one step.
    room: usize,
    /// The taps as parts of the context's chains.
    segments: Vec<Segment>,
    /// Taps that are done for four steps at a time, for two, and in all.
    cuts: [usize; 3],
}

impl Raster {
    /// A scan from its parts.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the parts do not fit each other.
    pub fn new(context: Context, network: Network, gaussian: Gaussian, order: SymbolOrder) -> Result<Self> {
        if context.kind() != Kind::Raster {
            return Err(Error::invalid("a raster scan needs the context of a raster scan"));
        }
        check_parts(&context, &network, &gaussian)?;
        Ok(Self { context, network, gaussian, order })
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
        if height == 0 || width == 0 {
            return Tensor::zeroed(channels, height, width, limits);
        }
        let slope = match self.order {
            SymbolOrder::Wavefront => self.context.half() + 1,
            SymbolOrder::Raster => width,
        };
        let wave = Wave { height, width, slope };
        let known = |batch| wave.known_before(batch, self.context.taps(), self.context.half());
        let taps = self.context.taps().len();
        let columns = width + 2 * self.context.half();
        let job = Job {
            scan: self,
            context_bias: settings.context_bias,
            wave,
            side,
            side_sums: self.network.side_sums(rt, limits, side)?,
            room: wave.widest(),
            segments: self.context.segments(0..taps, columns * channels),
            cuts: [known(BATCHES[0]), known(BATCHES[1]), taps],
        };
        let sums = job.side_sums.as_deref().map_or(0, size_of_val) as u64;
        let limits = limits.without(sums, "side features")?;
        let mut values = self.padded(&limits, height, width)?;
        let limits = &limits.without(size_of_val(&values[..]) as u64, "values of a scan")?;
        let mut stages = job.stages(limits)?;
        let rule = Rule { simd: rt.simd, gaussian: &self.gaussian, gain: settings.gain, y: coder.latent() };
        let mut exchange = Exchange::default();
        let turn = |s: usize, parameters: &[f32], values: &mut [f32]| {
            rt.pool.check()?;
            let coded = job.code(s, &rule, coder, &mut exchange, parameters, values);
            coded.map_err(|e| e.at(format_args!("step {s} of the scan")))
        };
        let compute = |task: Task, next, input: &[f32], tile: &mut Tile| job.compute(task, next, input, tile);
        team::run(&rt.pool, job.threads(rt), wave.steps(), &mut values, &mut stages, compute, turn)?;
        let mut out = Tensor::output(rt, limits, (channels, height, width))?;
        let (half, row_len) = (self.context.half(), width * channels);
        for (y, row) in out.data_mut().chunks_exact_mut(row_len).enumerate() {
            let start = ((y + half) * columns + half) * channels;
            row.copy_from_slice(&values[start..start + row_len]);
        }
        Ok(out)
    }

    fn padded(&self, limits: &Limits, height: usize, width: usize) -> Result<Vec<f32>> {
        let half = self.context.half();
        limits.zeroed((height + half) * (width + 2 * half) * self.channels(), "values of a scan")
    }
}

impl Job<'_> {
    /// How many threads share the steps.
    fn threads(&self, rt: &Runtime) -> usize {
        // inside a job of a pool, as for one picture of a batch, the other threads have work of their own
        if rayon::current_thread_index().is_some() {
            return 1;
        }
        let panels = self.scan.network.panels().chain([self.scan.context.panels()]);
        let work: usize = panels.map(|panels| panels.depth() * panels.outputs()).sum();
        (self.room * work / MIN_WORK).clamp(1, rt.pool.threads())
    }

    /// The context sums of the steps of a batch, then the outputs of each layer.
    fn stages(&self, limits: &Limits) -> Result<Vec<Stage>> {
        let stage = |panels: &Panels, rows: usize| -> Result<Stage> {
            let row_len = panels.outputs();
            Ok(Stage { data: limits.zeroed(rows * row_len, "features of a scan")?, row_len, tile: panels.width() })
        };
        let context = stage(self.scan.context.panels(), BATCHES[0] * self.room);
        let layers = self.scan.network.panels().map(|panels| stage(panels, self.room));
        std::iter::once(context).chain(layers).collect()
    }

    /// Computes a tile of context sums or of a layer.
    fn compute(&self, task: Task, next: Option<Task>, input: &[f32], tile: &mut Tile) {
        let next = next.and_then(|next| self.ahead(next));
        let Some(layer) = task.stage.checked_sub(1) else {
            return self.advance_context(task, next, input, tile);
        };
        let rows = self.wave.rows(task.step);
        if rows.is_empty() {
            return;
        }
        let run = Run {
            count: rows.len(),
            place: rows.start * self.wave.width + self.wave.column(task.step, rows.start),
            step: self.wave.width.saturating_sub(self.wave.slope),
            slot: 0,
        };
        let places = Places { runs: &[run], side: self.side, side_sums: self.side_sums.as_deref() };
        let features = match layer {
            0 => &input[task.step % BATCHES[0] * self.room * self.scan.context.features()..],
            _ => input,
        };
        self.scan.network.tile([layer, task.tile], places, Some(features), tile, next);
    }

    /// The weights that a task begins with.
    fn ahead(&self, task: Task) -> Option<Ahead<'_>> {
        let (context, network) = (&self.scan.context, &self.scan.network);
        Some(match task.stage.checked_sub(1) {
            None => {
                let panels = context.panels();
                Ahead { panels, panel: task.tile, step: self.first_cut(task.step) * context.channels() }
            }
            Some(layer) => {
                let panels = network.panels().nth(layer)?;
                let step = if layer == 0 && self.side_sums.is_some() { network.side() } else { 0 };
                Ahead { panels, panel: task.tile, step }
            }
        })
    }

    /// The first tap that step `s` needs weights of.
    fn first_cut(&self, s: usize) -> usize {
        match (s % BATCHES[0], s % BATCHES[1]) {
            (0, _) => 0,
            (_, 0) => self.cuts[0],
            _ => self.cuts[1],
        }
    }

    /// Advances the context sums of coming steps as far as they are known, and completes those of this one.
    fn advance_context(&self, task: Task, next: Option<Ahead>, values: &[f32], tile: &mut Tile) {
        let context = &self.scan.context;
        let (panels, channels) = (context.panels(), context.channels());
        let mut from = 0;
        for (batch, to) in [BATCHES[0], BATCHES[1], 1].into_iter().zip(self.cuts) {
            if task.step.is_multiple_of(batch) && to > from {
                let steps = task.step..(task.step + batch).min(self.wave.steps());
                let rows = steps.map(|s| self.context_rows(s, from == 0));
                let next = match to {
                    to if to == self.cuts[2] => next,
                    _ => Some(Ahead { panels, panel: task.tile, step: to * channels }),
                };
                let part = Part { panels, panel: task.tile, first: from * channels, next };
                advance(part, &self.segments[from..to], rows, values, tile);
            }
            from = to;
        }
    }

    /// The places of step `s` in the values and among the context sums, whose chains begin here or go on.
    fn context_rows(&self, s: usize, begin: bool) -> Rows<'_> {
        let (channels, rows) = (self.scan.context.channels(), self.wave.rows(s));
        let columns = self.wave.width + 2 * self.scan.context.half();
        let column = if rows.is_empty() { 0 } else { self.wave.column(s, rows.start) };
        let start = self.context_bias.map_or(Init::Bias, |bias| Init::From(bias, 0, 0));
        Rows {
            count: rows.len(),
            input: (rows.start * columns + column) * channels,
            input_step: (columns - self.wave.slope) * channels,
            init: if begin { start } else { Init::InPlace },
            output: s % BATCHES[0] * self.room,
        }
    }

    /// Codes the symbols of step `s` and stores their values.
    fn code(
        &self,
        s: usize,
        rule: &Rule,
        coder: &mut Coder,
        exchange: &mut Exchange,
        parameters: &[f32],
        values: &mut [f32],
    ) -> Result<()> {
        let (half, channels) = (self.scan.context.half(), self.scan.channels());
        let rows = self.wave.rows(s);
        let parameters = &parameters[..rows.len() * rule.gaussian.parameter_channels()];
        let place = |i: usize| (rows.start + i, self.wave.column(s, rows.start + i));
        exchange.prepare(rule, parameters, place)?;
        let new = exchange.transfer(rule, coder, place)?;
        for (i, new) in new.chunks_exact(channels).enumerate() {
            let (row, column) = place(i);
            let at = ((row + half) * (self.wave.width + 2 * half) + column + half) * channels;
            values[at..at + channels].copy_from_slice(new);
        }
        Ok(())
    }
}

/// Refuses side information of other channels, or that is not finite.
pub(super) fn check_side(simd: Simd, side: &Tensor, channels: usize, name: &str) -> Result<()> {
    if side.channels() != channels {
        return Err(Error::invalid(format!("{} {name}, the scan takes {channels}", side.channels())));
    }
    crate::exact::check_parameters(simd, side.data(), name)
}

/// Refuses parts whose numbers of features differ.
pub(super) fn check_parts(context: &Context, network: &Network, gaussian: &Gaussian) -> Result<()> {
    let pairs = [
        ("channels of context and latent", context.channels(), gaussian.channels()),
        ("features of context and network", context.features(), network.context()),
        ("parameters of network and latent", network.outputs(), gaussian.parameter_channels()),
    ];
    match pairs.iter().find(|(_, a, b)| a != b) {
        Some((what, a, b)) => Err(Error::invalid(format!("{what} differ: {a} and {b}"))),
        None => Ok(()),
    }
}
