//! Products of few positions at a time, as scans need them: chains are advanced in parts, and the weights, which do not
//! fit the second-level cache, stream through it.
//!
//! One call does one panel. Order of its loops: chunk of the chain, blocks of positions. A chunk of weights so comes from
//! the outer cache once and stays in the first level while all blocks use it; meanwhile the next chunk is prefetched.
#![allow(unsafe_code)]

use super::panels::Panel;
use super::{even_split, isa, Block, Isa, Kernel, Panels, Segment, Tile};
use std::ops::Range;

/// What chains start from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Init<'a> {
    /// The bias: the part begins the chain.
    Bias,
    /// What the output holds: the part continues it there.
    InPlace,
    /// Sums in another buffer: the first element, and the distance from one position to the next.
    From(&'a [f32], usize, usize),
}

/// Positions at equal distances in the input, whose outputs are rows that follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) count: usize,
    /// The first position's first input, and the distance to the next position's, in elements.
    pub(crate) input: usize,
    pub(crate) input_step: usize,
    pub(crate) init: Init<'a>,
    /// The first position's row.
    pub(crate) output: usize,
}

/// Steps of the chains of one panel from `first` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) panels: &'a Panels,
    pub(crate) panel: usize,
    pub(crate) first: usize,
    /// What will be read after this part.
    pub(crate) next: Option<Ahead<'a>>,
}

/// Weights that will be needed soon: from step `step` of panel `panel` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead<'a> {
    pub(crate) panels: &'a Panels,
    pub(crate) panel: usize,
    pub(crate) step: usize,
}

impl Rows<'_> {
    fn check(&self, input: &[f32], reach: usize, columns: &Range<usize>) {
        let end = |first: usize, step: usize, reach: usize| first + (self.count - 1) * step + reach;
        assert!(end(self.input, self.input_step, reach) <= input.len(), "input outside its buffer");
        if let Init::From(sums, first, step) = self.init {
            assert!(end(first, step, columns.end) <= sums.len(), "sums outside their buffer");
        }
    }
}

/// Advances the chains of one panel at all positions by the steps that `segments` cover, and adds `+ 0.0`. `output` holds
/// the panel's columns.
///
/// Zero of either sign is the same to the rest of a chain, but for a final zero's sign, which the `+ 0.0` of the last
/// part fixes; so parts give the bits of the whole.
///
/// # Panics
/// If segments exceed the chain or a position reaches outside a buffer: a bug of the caller.
pub(crate) fn advance<'a>(
    part: Part,
    segments: &[Segment],
    rows: impl Iterator<Item = Rows<'a>> + Clone,
    input: &[f32],
    output: &mut Tile,
) {
    let panels = part.panels;
    let steps: usize = segments.iter().map(|s| s.len).sum();
    assert!(part.first + steps <= panels.depth(), "segments exceed the chain");
    assert_eq!(*output.columns(), panels.columns(part.panel), "other columns than the panel's");
    let reach = segments.iter().map(|s| s.offset + s.len).max().unwrap_or(0);
    let rows = rows.filter(|r| r.count > 0);
    rows.clone().for_each(|r| r.check(input, reach, output.columns()));
    let (isa, panel) = (isa(panels.simd()), panels.panel(part.panel));
    let blocks = rows.clone().map(|r| r.count.div_ceil(isa.dense[panel.vectors - 1].len())).sum();
    if steps == 0 || blocks == 0 {
        return;
    }
    let mut step = part.first;
    for segment in segments {
        let chunks = if blocks == 1 { 1 } else { segment.len.div_ceil(isa.chunk) };
        for q in 0..chunks {
            let k = even_split(segment.len, chunks, q);
            let end = step + k.len();
            let ahead = match part.next {
                _ if end < part.first + steps => panel.at(end),
                Some(next) => next.panels.panel(next.panel).at(next.step),
                None => std::ptr::null(),
            };
            let chunk = Chunk {
                panel: &panel,
                segment: [Segment { offset: segment.offset + k.start, len: k.len() }],
                step,
                is_first: step == part.first,
            };
            let left = if panel.vectors == 2 && !ahead.is_null() { 2 } else { 0 };
            chunk.run(isa, rows.clone(), Prefetch { ahead, left, blocks }, input, output);
            step = end;
        }
    }
}

/// Some steps of the chains of one panel.
struct Chunk<'a> {
    panel: &'a Panel<'a>,
    segment: [Segment; 1],
    /// The first step.
    step: usize,
    /// Whether chains start here as [`Rows::init`] says; else they go on in place.
    is_first: bool,
}

impl Chunk<'_> {
    /// Advances all positions. The caller has checked them against the buffers.
    fn run<'a>(
        &self,
        isa: &'static Isa,
        rows: impl Iterator<Item = Rows<'a>>,
        mut prefetch: Prefetch,
        input: &[f32],
        output: &mut Tile,
    ) {
        let panel = self.panel;
        let plain = isa.dense[panel.vectors - 1];
        for r in rows {
            let count = r.count.div_ceil(plain.len());
            for t in 0..count {
                let slots = even_split(r.count, count, t);
                let c = output.at(r.output + slots.start, slots.len());
                let (init, init_step) = match r.init {
                    _ if !self.is_first => (c.cast_const(), output.row_len()),
                    Init::Bias => (panel.bias.as_ptr(), 0),
                    Init::InPlace => (c.cast_const(), output.row_len()),
                    Init::From(sums, first, step) => {
                        (sums.as_ptr().wrapping_add(first + slots.start * step + panel.first), step)
                    }
                };
                let (kernels, ahead) = prefetch.next(isa, plain, self.segment[0].len);
                let block = Block {
                    segments: &self.segment,
                    a: input.as_ptr().wrapping_add(r.input + slots.start * r.input_step),
                    a_step: r.input_step,
                    w: panel.at(self.step),
                    init,
                    init_step,
                    c,
                    c_step: output.row_len(),
                    last: panel.last,
                    ahead,
                };
                // SAFETY: the processor has the path (checked when packing). `check` bounds every read of the input and
                // of sums, `at` every write; the tile's columns are the panel's and ours alone; the steps lie within
                // the panel; `ahead` is only prefetched.
                unsafe { kernels[slots.len() - 1](&block) };
            }
        }
    }
}

/// Which block prefetches what of the next chunk: a single block all of it, else the first two half of it each.
struct Prefetch {
    ahead: *const f32,
    /// Vectors a step that are left to prefetch.
    left: usize,
    blocks: usize,
}

impl Prefetch {
    fn next(&mut self, isa: &'static Isa, plain: &'static [Kernel], len: usize) -> (&'static [Kernel], *const f32) {
        if self.left == 0 {
            return (plain, std::ptr::null());
        }
        let vectors = if self.blocks == 1 { 2 } else { 1 };
        let ahead = self.ahead;
        self.ahead = ahead.wrapping_add(len * vectors * isa.lanes);
        self.left -= vectors;
        (isa.ahead[vectors - 1], ahead)
    }
}
