//! Layers of 1x1 convolutions from side and context features to parameters.

use crate::exact::{advance, check_parameters, for_chunks, Init, Panels, Part, Rows, Segment, Tensor, Unary};
use crate::{Error, Limits, Result, Runtime, Simd};

/// The order in which the first layer sees its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Merge {
    /// Side features, then context features.
    SideFirst,
    /// Context features, then side features.
    ContextFirst,
}

/// One 1x1 convolution, as given.
#[derive(Debug, Clone, Copy)]
pub struct Pointwise<'a> {
    /// Row-major \[out\]\[in\].
    pub weight: &'a [f32],
    /// Number of outputs.
    pub outputs: usize,
    /// One for each output.
    pub bias: Option<&'a [f32]>,
    /// The function that follows.
    pub activation: Option<Unary>,
}

/// A stack of 1x1 convolutions, evaluated at a few places at a time.
#[derive(Debug)]
pub struct Network {
    side: usize,
    context: usize,
    merge: Merge,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    panels: Panels,
    activation: Option<Unary>,
}

/// Places at equal distances in a picture, whose features lie one after another in a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) count: usize,
    /// The first place, `row * width + column`, and the distance to the next.
    pub(super) place: usize,
    pub(super) step: usize,
    /// Where the first one's features begin, in places.
    pub(super) slot: usize,
}

impl Network {
    /// A network of `side` side features and `context` context features.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] without layers, if sizes contradict each other or a parameter is not finite.
    pub fn new(simd: Simd, side: usize, context: usize, merge: Merge, layers: &[Pointwise]) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::invalid("a parameter network needs at least one layer"));
        }
        let mut inputs = side.checked_add(context).ok_or_else(|| Error::invalid("too many features"))?;
        let mut packed = Vec::with_capacity(layers.len());
        for (i, layer) in layers.iter().enumerate() {
            let place = format!("layer {i}");
            let fits = layer.outputs.checked_mul(inputs) == Some(layer.weight.len()) && !layer.weight.is_empty();
            if !fits || layer.bias.is_some_and(|bias| bias.len() != layer.outputs) {
                return Err(Error::invalid(format!(
                    "{place} has {} weights for {inputs} inputs and {} outputs",
                    layer.weight.len(),
                    layer.outputs
                )));
            }
            check_parameters(simd, layer.weight, "weight").map_err(|e| e.at(&place))?;
            check_parameters(simd, layer.bias.unwrap_or_default(), "bias").map_err(|e| e.at(&place))?;
            let panels = Panels::new(simd, inputs, layer.outputs, layer.bias, |k, o| layer.weight[o * inputs + k])?;
            packed.push(Layer { panels, activation: layer.activation });
            inputs = layer.outputs;
        }
        Ok(Self { side, context, merge, layers: packed })
    }

    /// The instruction set that the network is packed for.
    pub(super) fn simd(&self) -> Simd {
        self.layers[0].panels.simd()
    }

    /// Number of side features.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// Number of context features.
    #[must_use]
    pub fn context(&self) -> usize {
        self.context
    }

    /// Number of parameters of a place.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].panels.outputs()
    }

    /// Buffers for the outputs of all layers at up to `places` places.
    pub(super) fn scratch(&self, places: usize) -> Vec<Vec<f32>> {
        self.layers.iter().map(|layer| vec![0.0; places * layer.panels.outputs()]).collect()
    }

    /// For [`Merge::SideFirst`], the part of the first layer that needs no context, for the whole picture: chains from the
    /// bias over the side features.
    pub(super) fn side_sums(&self, rt: &Runtime, limits: &Limits, side: &Tensor) -> Result<Option<Vec<f32>>> {
        if self.merge == Merge::ContextFirst || self.side == 0 {
            return Ok(None);
        }
        const PLACES: usize = 96;
        let panels = &self.layers[0].panels;
        let outputs = panels.outputs();
        let mut sums = limits.zeroed(side.height() * side.width() * outputs, "side features")?;
        for_chunks(&rt.pool, &mut sums, PLACES * outputs, |i, chunk| {
            let runs = [Run { count: chunk.len() / outputs, place: i * PLACES, step: 1, slot: 0 }];
            self.side_part(&runs, Init::Bias, side, chunk, None);
            Ok(())
        })?;
        Ok(Some(sums))
    }

    /// Parameters of all places of `runs`, into the last buffer of `scratch`. Context features lie in the order of slots;
    /// without them they are zero. `side_sums` is what [`Network::side_sums`] gave; `next` is read after the last layer.
    pub(super) fn run(
        &self,
        runs: &[Run],
        side: &Tensor,
        side_sums: Option<&[f32]>,
        context: Option<&[f32]>,
        scratch: &mut [Vec<f32>],
        next: Option<(&Panels, usize)>,
    ) {
        let panels = |i: usize| self.layers.get(i).map(|layer| (&layer.panels, 0)).or(next);
        let first = &mut scratch[0];
        match (self.merge, side_sums, context) {
            (Merge::SideFirst, Some(sums), Some(context)) => {
                self.context_part(runs, Some(sums), context, first, panels(1));
            }
            (Merge::SideFirst, _, context) => {
                self.side_part(runs, Init::Bias, side, first, None);
                if let Some(context) = context {
                    self.context_part(runs, None, context, first, panels(1));
                }
            }
            (Merge::ContextFirst, _, Some(context)) => {
                self.context_part(runs, None, context, first, None);
                self.side_part(runs, Init::InPlace, side, first, panels(1));
            }
            (Merge::ContextFirst, _, None) => self.side_part(runs, Init::Bias, side, first, panels(1)),
        }
        let end = runs.iter().map(|run| run.slot + run.count).max().unwrap_or(0);
        for (i, layer) in self.layers.iter().enumerate() {
            let outputs = layer.panels.outputs();
            if i > 0 {
                let (before, after) = scratch.split_at_mut(i);
                let inputs = layer.panels.depth();
                let rows: Vec<Rows> = runs
                    .iter()
                    .map(|run| Rows {
                        count: run.count,
                        input: run.slot * inputs,
                        input_step: inputs,
                        init: Init::Bias,
                        output: run.slot * outputs,
                        output_step: outputs,
                    })
                    .collect();
                let part = Part { panels: &layer.panels, first: 0, next: panels(i + 1) };
                advance(part, &[Segment { offset: 0, len: inputs }], &rows, &before[i - 1], &mut after[0]);
            }
            if let Some(activation) = layer.activation {
                activation.apply_slice(layer.panels.simd(), &mut scratch[i][..end * outputs]);
            }
        }
    }

    /// Continues the first layer's chains over the side features.
    fn side_part(&self, runs: &[Run], init: Init, side: &Tensor, out: &mut [f32], next: Option<(&Panels, usize)>) {
        let panels = &self.layers[0].panels;
        let outputs = panels.outputs();
        let rows: Vec<Rows> = runs
            .iter()
            .map(|run| Rows {
                count: run.count,
                input: run.place * self.side,
                input_step: run.step * self.side,
                init,
                output: run.slot * outputs,
                output_step: outputs,
            })
            .collect();
        let first = if self.merge == Merge::SideFirst { 0 } else { self.context };
        advance(Part { panels, first, next }, &[Segment { offset: 0, len: self.side }], &rows, side.data(), out);
    }

    /// Continues the first layer's chains over the context features: from sums of the whole picture, or in place if the
    /// side features come first, or from the bias.
    fn context_part(
        &self,
        runs: &[Run],
        sums: Option<&[f32]>,
        context: &[f32],
        out: &mut [f32],
        next: Option<(&Panels, usize)>,
    ) {
        let panels = &self.layers[0].panels;
        let outputs = panels.outputs();
        let first = if self.merge == Merge::SideFirst { self.side } else { 0 };
        let rows: Vec<Rows> = runs
            .iter()
            .map(|run| Rows {
                count: run.count,
                input: run.slot * self.context,
                input_step: self.context,
                init: match sums {
                    Some(sums) => Init::From(sums, run.place * outputs, run.step * outputs),
                    None if first > 0 => Init::InPlace,
                    None => Init::Bias,
                },
                output: run.slot * outputs,
                output_step: outputs,
            })
            .collect();
        advance(Part { panels, first, next }, &[Segment { offset: 0, len: self.context }], &rows, context, out);
    }
}
