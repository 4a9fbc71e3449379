//! The loops around the kernels: a grid of positions against all panels. Bounds are checked here, once a grid.
#![allow(unsafe_code)]

use super::{even_split, isa, Block, DepthwiseBlock, Panels, Segment, Tap};

/// Positions of a product: `rows` x `columns`, with their distances in the input and in the output, in elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// First input element, from one row to the next, from one column to the next.
    pub(crate) input: (usize, usize, usize),
    /// First output element, from one row to the next, from one column to the next.
    pub(crate) output: (usize, usize, usize),
}

impl Grid {
    /// One past the last element that positions reach, given how far each reaches from its first.
    fn end((first, row, column): (usize, usize, usize), rows: usize, columns: usize, reach: usize) -> usize {
        first + (rows - 1) * row + (columns - 1) * column + reach
    }

    fn check(&self, input: &[f32], input_reach: usize, output: &[f32], output_reach: usize) {
        assert!(Self::end(self.input, self.rows, self.columns, input_reach) <= input.len(), "input outside its buffer");
        assert!(
            Self::end(self.output, self.rows, self.columns, output_reach) <= output.len(),
            "output outside its buffer"
        );
    }
}

/// `output[p][o] = chain(bias[o]; input[p + segment...] * weight[..][o]) + 0.0` for all positions `p` and outputs `o`.
///
/// # Panics
/// If the segments do not make up the depth of the panels, or a position reaches outside a buffer: a bug of the caller.
pub(crate) fn product(panels: &Panels, segments: &[Segment], grid: &Grid, input: &[f32], output: &mut [f32]) {
    if grid.rows == 0 || grid.columns == 0 || panels.outputs() == 0 {
        return;
    }
    assert_eq!(segments.iter().map(|s| s.len).sum::<usize>(), panels.depth(), "segments do not make up the chain");
    let reach = segments.iter().map(|s| s.offset + s.len).max().unwrap_or(0);
    grid.check(input, reach, output, panels.outputs());
    let isa = isa(panels.simd());
    for panel in panels.iter() {
        let kernels = isa.dense[panel.vectors - 1];
        let blocks = grid.columns.div_ceil(kernels.len());
        for row in 0..grid.rows {
            for t in 0..blocks {
                let columns = even_split(grid.columns, blocks, t);
                let a = grid.input.0 + row * grid.input.1 + columns.start * grid.input.2;
                let c = grid.output.0 + row * grid.output.1 + columns.start * grid.output.2 + panel.first;
                let block = Block {
                    segments,
                    a: input.as_ptr().wrapping_add(a),
                    a_step: grid.input.2,
                    w: panel.weights.as_ptr(),
                    init: panel.bias.as_ptr(),
                    init_step: 0,
                    c: output.as_mut_ptr().wrapping_add(c),
                    c_step: grid.output.2,
                    last: panel.last,
                    ahead: std::ptr::null(),
                };
                // SAFETY: the processor has the path (checked when packing). `check` above bounds every read of `input`
                // (first position + segments) and every write to `output` (`first + outputs of the panel`); the panel
                // holds `depth` steps, which is what the segments add up to, and as many biases as lanes.
                unsafe { kernels[columns.len() - 1](&block) };
            }
        }
    }
}

/// `output[p][c] = chain(bias[c]; input[p + tap][c] * weight[tap][c]) + 0.0`: one chain over the taps for each channel.
///
/// # Panics
/// If a tap is a step that the panels do not have, or a position reaches outside a buffer: a bug of the caller.
pub(crate) fn depthwise(panels: &Panels, taps: &[Tap], grid: &Grid, input: &[f32], output: &mut [f32]) {
    if grid.rows == 0 || grid.columns == 0 || panels.outputs() == 0 {
        return;
    }
    assert!(taps.iter().all(|tap| tap.step < panels.depth()), "taps beyond the chain");
    let reach = taps.iter().map(|tap| tap.offset + panels.outputs()).max().unwrap_or(0);
    grid.check(input, reach, output, panels.outputs());
    let isa = isa(panels.simd());
    let width = isa.depthwise[0].len();
    let blocks = grid.columns.div_ceil(width);
    for row in 0..grid.rows {
        for t in 0..blocks {
            let columns = even_split(grid.columns, blocks, t);
            let a = grid.input.0 + row * grid.input.1 + columns.start * grid.input.2;
            let c = grid.output.0 + row * grid.output.1 + columns.start * grid.output.2;
            for panel in panels.iter() {
                let block = DepthwiseBlock {
                    taps,
                    a: input.as_ptr().wrapping_add(a + panel.first),
                    a_step: grid.input.2,
                    w: panel.weights.as_ptr(),
                    bias: panel.bias.as_ptr(),
                    c: output.as_mut_ptr().wrapping_add(c + panel.first),
                    c_step: grid.output.2,
                    last: panel.last,
                };
                // SAFETY: the processor has the path (checked when packing). `check` above bounds every read
                // (`tap + channels of the panel` from a position's first) and write, the assertion every weight; kernels mask
                // lanes beyond `last`.
                unsafe { isa.depthwise[panel.vectors - 1][columns.len() - 1](&block) };
            }
        }
    }
}
