//! Layers of 1x1 convolutions from side and context features to parameters.

use crate::buffer_pool::zeroed;
use crate::exact::{
    advance, check_parameters, for_chunks, Ahead, Init, Panels, Part, Rows, Segment, Tensor, Tile, Unary,
};
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

/// Where the first layer finds what it needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) runs: &'a [Run],
    pub(super) side: &'a Tensor,
    /// What [`Network::side_sums`] gave.
    pub(super) side_sums: Option<&'a [f32]>,
}

impl Network {
    /// A network of `side` side features and `context` context features.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] without side features or layers, if sizes contradict each other or a parameter is not finite.
    pub fn new(simd: Simd, side: usize, context: usize, merge: Merge, layers: &[Pointwise]) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::invalid("a parameter network needs at least one layer"));
        }
        if side == 0 {
            return Err(Error::invalid("a parameter network needs side features"));
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

    /// The layers' weights.
    pub(super) fn panels(&self) -> impl ExactSizeIterator<Item = &Panels> {
        self.layers.iter().map(|layer| &layer.panels)
    }

    /// For [`Merge::SideFirst`], the part of the first layer that needs no context, for the whole picture: chains from the
    /// bias over the side features.
    pub(super) fn side_sums(&self, rt: &Runtime, limits: &Limits, side: &Tensor) -> Result<Option<Vec<f32>>> {
        if self.merge == Merge::ContextFirst {
            return Ok(None);
        }
        const PLACES: usize = 96;
        let panels = &self.layers[0].panels;
        let outputs = panels.outputs();
        let mut sums = limits.zeroed(side.height() * side.width() * outputs, "side features")?;
        for_chunks(&rt.pool, &mut sums, PLACES * outputs, |i, chunk| {
            let runs = [Run { count: chunk.len() / outputs, place: i * PLACES, step: 1, slot: 0 }];
            let places = Places { runs: &runs, side, side_sums: None };
            for panel in 0..panels.count() {
                let part = Part { panels, panel, first: 0, next: self.ahead(0, panel + 1) };
                let mut tile = Tile::new(chunk, outputs, panels.columns(panel));
                self.over_side(part, places, Init::Bias, &mut tile);
            }
            Ok(())
        })?;
        Ok(Some(sums))
    }

    /// The weights of a panel of a layer, or of the next layer if there is no such panel.
    fn ahead(&self, layer: usize, panel: usize) -> Option<Ahead<'_>> {
        let panels = &self.layers.get(layer)?.panels;
        if panel < panels.count() {
            return Some(Ahead { panels, panel, step: 0 });
        }
        let panels = &self.layers.get(layer + 1)?.panels;
        Some(Ahead { panels, panel: 0, step: 0 })
    }

    /// Parameters of all places into `out`, in rows by slots. Context features lie in the order of slots; without them they are zero.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory is short.
    pub(super) fn run(&self, places: Places, context: Option<&[f32]>, out: &mut [f32]) -> Result<()> {
        let slots = out.len() / self.outputs();
        let mut features = Vec::new();
        let last = self.layers.len() - 1;
        for (layer, panels) in self.panels().enumerate() {
            let outputs = panels.outputs();
            let mut hidden = zeroed(if layer == last { 0 } else { slots * outputs }, "features of a step")?;
            let to = if layer == last { &mut *out } else { &mut hidden[..] };
            let input = if layer == 0 { context } else { Some(&features[..]) };
            for panel in 0..panels.count() {
                let mut tile = Tile::new(to, outputs, panels.columns(panel));
                self.tile([layer, panel], places, input, &mut tile, self.ahead(layer, panel + 1));
            }
            features = hidden;
        }
        Ok(())
    }

    /// The outputs of one panel of one layer from the features before it, which lie in the order of slots; `next` is read after that.
    pub(super) fn tile(
        &self,
        [layer, panel]: [usize; 2],
        places: Places,
        features: Option<&[f32]>,
        out: &mut Tile,
        next: Option<Ahead>,
    ) {
        let Places { runs, side_sums, .. } = places;
        let Layer { panels, activation } = &self.layers[layer];
        let part = |first: usize, next| Part { panels, panel, first, next };
        let then = |step: usize| Some(Ahead { panels, panel, step });
        match (self.merge, features) {
            (_, Some(features)) if layer > 0 => {
                over_features(part(0, next), runs, |_| Init::Bias, (features, panels.depth()), out);
            }
            (Merge::SideFirst, Some(context)) => {
                let sums = |run: &Run| match side_sums {
                    Some(sums) => Init::From(sums, run.place * panels.outputs(), run.step * panels.outputs()),
                    None => Init::InPlace,
                };
                if side_sums.is_none() {
                    self.over_side(part(0, then(self.side)), places, Init::Bias, out);
                }
                over_features(part(self.side, next), runs, sums, (context, self.context), out);
            }
            (Merge::ContextFirst, Some(context)) => {
                let start = part(0, then(self.context));
                over_features(start, runs, |_| Init::Bias, (context, self.context), out);
                self.over_side(part(self.context, next), places, Init::InPlace, out);
            }
            (Merge::SideFirst, None) => self.over_side(part(0, next), places, Init::Bias, out),
            (Merge::ContextFirst, None) => self.over_side(part(self.context, next), places, Init::Bias, out),
        }
        if let Some(activation) = activation {
            for run in runs {
                activation.apply_tile(panels.simd(), out, run.slot..run.slot + run.count);
            }
        }
    }

    /// Continues the first layer's chains over the side features.
    fn over_side(&self, part: Part, places: Places, init: Init, out: &mut Tile) {
        let rows = places.runs.iter().map(|run| Rows {
            count: run.count,
            input: run.place * self.side,
            input_step: run.step * self.side,
            init,
            output: run.slot,
        });
        advance(part, &[Segment { offset: 0, len: self.side }], rows, places.side.data(), out);
    }
}

/// Continues chains over `len` features of each place, which lie in the order of slots.
fn over_features<'a>(
    part: Part,
    runs: &[Run],
    init: impl Fn(&Run) -> Init<'a> + Clone,
    (features, len): (&[f32], usize),
    out: &mut Tile,
) {
    let rows = runs.iter().map(|run| Rows {
        count: run.count,
        input: run.slot * len,
        input_step: len,
        init: init(run),
        output: run.slot,
    });
    advance(part, &[Segment { offset: 0, len }], rows, features, out);
}
