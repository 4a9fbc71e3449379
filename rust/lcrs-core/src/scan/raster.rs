//! The raster scan, run as a wavefront.
//!
//! What a step costs is streaming the weights (megabytes) past a few places, so: the half of the first layer that sees
//! side features is done beforehand for the whole picture; taps of rows above, known early, are done for four and for two
//! steps at a time; and while a chunk of weights is in use, the next one is prefetched.

use super::coder::Exchange;
use super::context::Kind;
use super::network::Run;
use super::team::{self, Gate};
use super::wave::Wave;
use super::{Coder, Context, Gaussian, Network, Steps};
use crate::exact::{advance, with_ieee, Init, Part, Rows, Tensor};
use crate::{Error, Limits, Result, Runtime, Simd};
use std::ops::Range;
use std::sync::{Mutex, PoisonError, RwLock};

/// In which order the symbols of a raster scan stand in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolOrder {
    /// By steps of the wavefront: the order of native streams.
    Wavefront,
    /// Row by row, as CompressAI writes them. Each place is a step, so this is slower by about the number of places in
    /// a step of the wavefront.
    Raster,
}

/// A scan in which every place sees those before it in raster order, within a masked kernel (Minnen, Ballé and Toderici 2018).
#[derive(Debug)]
pub struct Raster {
    context: Context,
    network: Network,
    gaussian: Gaussian,
    order: SymbolOrder,
}

/// What may differ from one run of a scan to the next, for a variable rate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// Steps of quantisation other than 1.
    pub steps: Option<Steps<'a>>,
    /// What the chains of the context begin with instead of its bias, one number for each feature.
    pub context_bias: Option<&'a [f32]>,
}

/// Steps whose context sums are begun together.
const BATCHES: [usize; 2] = [4, 2];

/// What all threads of one run share.
struct Job<'a> {
    scan: &'a Raster,
    conditions: Conditions<'a>,
    wave: Wave,
    side: &'a Tensor,
    side_sums: Option<Vec<f32>>,
    /// Values known so far, padded by half a kernel above and on both sides.
    values: RwLock<Vec<f32>>,
    /// Parameters of the current step, by thread.
    parameters: Vec<Mutex<Vec<f32>>>,
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
    #[must_use]
    pub fn channels(&self) -> usize {
        self.gaussian.channels()
    }

    /// Codes a latent of the height and width of `side` and returns its values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if shapes do not fit or parameters or latents are not finite;
    /// [`crate::ErrorKind::Limit`] beyond the limits; decoding, also `Truncated`, `Corrupt` or `Desync`.
    pub fn run(&self, rt: &Runtime, limits: &Limits, coder: &mut Coder, side: &Tensor) -> Result<Tensor> {
        self.run_with(rt, limits, coder, side, Conditions::default())
    }

    /// The same under conditions of this run.
    ///
    /// # Errors
    /// As [`Raster::run`]; [`crate::ErrorKind::InvalidArgument`] for conditions that do not fit or are not finite.
    pub fn run_with(
        &self,
        rt: &Runtime,
        limits: &Limits,
        coder: &mut Coder,
        side: &Tensor,
        conditions: Conditions,
    ) -> Result<Tensor> {
        check_side(rt.simd, side, self.network.side(), "side features")?;
        self.check_conditions(&conditions)?;
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
        // inside a job of a pool, as for one picture of a batch, the other threads have work of their own
        let is_alone = rayon::current_thread_index().is_none();
        let threads = if is_alone { (wave.widest() / 4).clamp(1, rt.pool.threads()) } else { 1 };
        let known = |batch| wave.known_before(batch, self.context.taps(), self.context.half());
        let job = Job {
            scan: self,
            conditions,
            wave,
            side,
            side_sums: self.network.side_sums(rt, limits, side)?,
            values: RwLock::new(self.padded(limits, height, width)?),
            parameters: (0..threads).map(|_| Mutex::new(Vec::new())).collect(),
            cuts: [known(BATCHES[0]), known(BATCHES[1]), self.context.taps().len()],
        };
        let leader = |gate: &Gate| with_ieee(|| job.lead(gate, coder));
        team::run(threads, leader, |gate, i| with_ieee(|| job.work(gate, i)))?;
        let values = job.values.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut out = Tensor::zeroed(channels, height, width, limits)?;
        let (half, row_len) = (self.context.half(), width * channels);
        for (y, row) in out.data_mut().chunks_exact_mut(row_len).enumerate() {
            let start = ((y + half) * (width + 2 * half) + half) * channels;
            row.copy_from_slice(&values[start..start + row_len]);
        }
        Ok(out)
    }

    fn check_conditions(&self, conditions: &Conditions) -> Result<()> {
        if let Some(steps) = &conditions.steps {
            steps.check_channels(self.channels())?;
        }
        let Some(bias) = conditions.context_bias else {
            return Ok(());
        };
        if bias.len() != self.context.features() {
            let features = self.context.features();
            return Err(Error::invalid(format!("context bias of {} numbers for {features} features", bias.len())));
        }
        crate::exact::check_parameters(self.network.simd(), bias, "context bias")
    }

    fn padded(&self, limits: &Limits, height: usize, width: usize) -> Result<Vec<f32>> {
        let half = self.context.half();
        limits.zeroed((height + half) * (width + 2 * half) * self.channels(), "values of a scan")
    }
}

/// One thread's buffers.
struct Thread {
    index: usize,
    /// Context sums of the steps of a batch.
    context: Vec<f32>,
    /// Places that the buffers have room for in one step.
    room: usize,
    scratch: Vec<Vec<f32>>,
}

impl Job<'_> {
    fn thread(&self, index: usize) -> Thread {
        let room = self.wave.widest().div_ceil(self.parameters.len());
        let context = vec![0.0; BATCHES[0] * room * self.scan.context.features()];
        Thread { index, context, room, scratch: self.scan.network.scratch(room) }
    }

    /// The first thread: its share of the places, then the coding of all.
    fn lead(&self, gate: &Gate, coder: &mut Coder) -> Result<()> {
        let mut thread = self.thread(0);
        let mut exchange = Exchange::new(self.scan.network.simd());
        for s in 0..self.wave.steps() {
            self.parameters_of(s, &mut thread);
            if !gate.meet() {
                return Err(Error::invalid("a thread of the scan has failed"));
            }
            self.code(s, coder, &mut exchange).map_err(|e| e.at(format_args!("step {s} of the scan")))?;
            gate.meet();
        }
        Ok(())
    }

    /// Every other thread.
    fn work(&self, gate: &Gate, index: usize) {
        let mut thread = self.thread(index);
        for s in 0..self.wave.steps() {
            self.parameters_of(s, &mut thread);
            if !gate.meet() || !gate.meet() {
                return;
            }
        }
    }

    /// The rows of step `s` that fall to a thread.
    fn share(&self, s: usize, index: usize) -> Range<usize> {
        let rows = self.wave.rows(s);
        let (count, threads) = (rows.len(), self.parameters.len());
        rows.start + count * index / threads..rows.start + count * (index + 1) / threads
    }

    /// Advances the context of coming steps as far as it is known, and computes the parameters of this one.
    fn parameters_of(&self, s: usize, thread: &mut Thread) {
        let rows = self.share(s, thread.index);
        {
            let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
            let mut from = 0;
            for (batch, to) in [BATCHES[0], BATCHES[1], 1].into_iter().zip(self.cuts) {
                if s.is_multiple_of(batch) && to > from {
                    self.advance_context(s..(s + batch).min(self.wave.steps()), from..to, &values, thread);
                }
                from = to;
            }
        }
        if rows.is_empty() {
            return;
        }
        let (wave, features) = (&self.wave, self.scan.context.features());
        let run = Run {
            count: rows.len(),
            place: rows.start * wave.width + wave.column(s, rows.start),
            step: wave.width.saturating_sub(wave.slope),
            slot: 0,
        };
        let context = &thread.context[s % BATCHES[0] * thread.room * features..][..rows.len() * features];
        let next = self.next_cut(s + 1) * self.scan.context.channels();
        let next = Some((self.scan.context.panels(), next));
        let network = &self.scan.network;
        network.run(&[run], self.side, self.side_sums.as_deref(), Some(context), &mut thread.scratch, next);
        let mut parameters = self.parameters[thread.index].lock().unwrap_or_else(PoisonError::into_inner);
        parameters.clear();
        let last = &thread.scratch[thread.scratch.len() - 1];
        parameters.extend_from_slice(&last[..rows.len() * network.outputs()]);
    }

    /// The first tap that step `s` will need weights of.
    fn next_cut(&self, s: usize) -> usize {
        match (s % BATCHES[0], s % BATCHES[1]) {
            (0, _) => 0,
            (_, 0) => self.cuts[0],
            _ => self.cuts[1],
        }
    }

    /// Continues the context sums of some steps over some taps.
    fn advance_context(&self, steps: Range<usize>, taps: Range<usize>, values: &[f32], thread: &mut Thread) {
        let context = &self.scan.context;
        let (channels, features) = (context.channels(), context.features());
        let columns = self.wave.width + 2 * context.half();
        let start = self.conditions.context_bias.map_or(Init::Bias, |bias| Init::From(bias, 0, 0));
        let rows: Vec<Rows> = steps
            .map(|s| {
                let rows = self.share(s, thread.index);
                let column = if rows.is_empty() { 0 } else { self.wave.column(s, rows.start) };
                Rows {
                    count: rows.len(),
                    input: (rows.start * columns + column) * channels,
                    input_step: (columns - self.wave.slope) * channels,
                    init: if taps.start == 0 { start } else { Init::InPlace },
                    output: s % BATCHES[0] * thread.room * features,
                    output_step: features,
                }
            })
            .collect();
        let part = Part {
            panels: context.panels(),
            first: taps.start * channels,
            next: (taps.end < context.taps().len()).then_some((context.panels(), taps.end * channels)),
        };
        advance(part, &context.segments(taps, columns * channels), &rows, values, &mut thread.context);
    }

    /// Codes the symbols of step `s` and stores their values.
    fn code(&self, s: usize, coder: &mut Coder, exchange: &mut Exchange) -> Result<()> {
        let (half, channels) = (self.scan.context.half(), self.scan.channels());
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        for (index, parameters) in self.parameters.iter().enumerate() {
            let rows = self.share(s, index);
            if rows.is_empty() {
                continue;
            }
            let parameters = parameters.lock().unwrap_or_else(PoisonError::into_inner);
            let place = |i: usize| (rows.start + i, self.wave.column(s, rows.start + i));
            let steps = self.conditions.steps.as_ref();
            let new = exchange.code_in_steps(coder, &self.scan.gaussian, steps, &parameters, place)?;
            for (i, new) in new.chunks_exact(channels).enumerate() {
                let (row, column) = place(i);
                let at = ((row + half) * (self.wave.width + 2 * half) + column + half) * channels;
                values[at..at + channels].copy_from_slice(new);
            }
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
