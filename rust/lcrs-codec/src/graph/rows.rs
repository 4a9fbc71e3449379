//! Which rows depend on which: what lets a graph run in strips of rows with the same bits as in one piece.
//!
//! An operation is run on a strip as on a picture of its own, zero padding at all edges included; output rows that
//! saw an edge which is not one of the whole picture are cut off afterwards. For that, a strip of input has a halo, and
//! begins where the geometry of the operation repeats (at a multiple of the stride).

use std::ops::Range;

use lcrs_core::Result;

use super::op::{Convolution, Op, Shape};
use super::program::{list_of, Program};

/// Consecutive rows of one value.
pub(crate) type Rows = Range<usize>;

impl Program {
    /// The rows of every value that the `wanted` rows of the outputs need; empty for values that nothing needs.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Limit`] if memory is short.
    pub(crate) fn needed_rows(&self, shapes: &[Shape], wanted: impl Fn(Shape) -> Rows) -> Result<Vec<Rows>> {
        let mut rows = list_of(shapes.len(), 0..0)?;
        for (_, value) in &self.outputs {
            rows[*value] = union(&rows[*value], wanted(shapes[*value]));
        }
        for (i, node) in self.nodes.iter().enumerate().rev() {
            let result = self.inputs.len() + i;
            if rows[result].is_empty() {
                continue;
            }
            for input in &node.inputs {
                let needed = node.op.input_rows(&rows[result], shapes[*input], shapes[result]);
                rows[*input] = union(&rows[*input], needed);
            }
        }
        Ok(rows)
    }
}

impl Op {
    /// The rows of an input of shape `input` that must be there to get rows `rows` of a result of shape `output` right.
    pub(crate) fn input_rows(&self, rows: &Rows, input: Shape, output: Shape) -> Rows {
        match self {
            Self::Conv2d(conv) => conv.forward_rows(rows, input.height),
            Self::ConvTranspose2d(conv) => conv.transposed_rows(rows, input.height),
            Self::PixelShuffle { factor } => rows.start / factor..rows.end.div_ceil(*factor),
            Self::PixelUnshuffle { factor } => rows.start * factor..rows.end * factor,
            Self::Spatial(op) => op.input_rows(rows, input.height),
            Self::Attention { geometry, .. } => geometry.input_rows(rows, input.height),
            // A (C, 1, 1) operand is needed for every row.
            Self::Binary(_) if input.height != output.height => 0..input.height,
            _ => rows.clone(),
        }
    }

    /// The row of the whole result that is the first one of running on `input` rows alone.
    pub(crate) fn first_row(&self, rows: &Rows, input: &Rows) -> usize {
        match self {
            Self::Conv2d(conv) => input.start / conv.stride[0],
            Self::ConvTranspose2d(conv) => input.start * conv.stride[0],
            Self::PixelShuffle { factor } => input.start * factor,
            _ => rows.start,
        }
    }
}

impl Convolution {
    /// Output row o sees input rows `o s - p .. o s - p + k`.
    fn forward_rows(&self, rows: &Rows, height: usize) -> Rows {
        let (kernel, stride, padding) = (self.reach(0), self.stride[0], self.padding[0]);
        // Rows that lie in the padding alone still take one row of input.
        let first = (rows.start * stride).saturating_sub(padding).min(height - 1) / stride * stride;
        let last = (rows.end - 1) * stride + kernel;
        first..last.saturating_sub(padding).clamp(first + 1, height)
    }

    /// Output row o sees input rows i with `o = i s - p + ky`, `0 <= ky < k`.
    fn transposed_rows(&self, rows: &Rows, height: usize) -> Rows {
        let (kernel, stride, padding) = (self.kernel[0], self.stride[0], self.padding[0]);
        let first = (rows.start + padding + 1).saturating_sub(kernel).div_ceil(stride);
        let mut first = first.min(rows.start / stride).min(height - 1);
        let mut end = ((rows.end - 1 + padding) / stride + 1).clamp(first + 1, height);
        // A strip's own last rows may be fewer than asked for where the kernel is short: then it takes more.
        let gives = |first: usize, end: usize| {
            let full = (end - first - 1) * stride + kernel + self.output_padding[0];
            (first * stride + full).saturating_sub(2 * padding)
        };
        while gives(first, end) < rows.end && end < height {
            end += 1;
        }
        while gives(first, end) < rows.end && first > 0 {
            first -= 1;
        }
        first..end
    }
}

pub(super) fn union(a: &Rows, b: Rows) -> Rows {
    if a.is_empty() {
        b
    } else {
        a.start.min(b.start)..a.end.max(b.end)
    }
}
