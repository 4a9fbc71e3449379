//! The operations of a coding graph: what each takes and the shape of what it gives.

use lcrs_core::exact::{Attention, Binary, GdnKind, Pool, Spatial, Tensor, Unary, Windows};
use lcrs_core::{Error, Result};

use crate::blame::blame_data;

/// Largest kernel side, stride, padding and shuffle factor; known models stay below 20.
pub(super) const MAX_GEOMETRY: usize = 256;

/// Most channels of any value.
pub(super) const MAX_CHANNELS: usize = 1 << 20;

/// Size of one picture or latent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// A shape of `channels` x `height` x `width`.
    pub(crate) fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// Number of elements, or `None` if it does not fit.
    pub(crate) fn elements(self) -> Option<u64> {
        [self.height, self.width]
            .iter()
            .try_fold(self.channels as u64, |product, side| product.checked_mul(*side as u64))
    }

    fn is_spatially(self, other: Self) -> bool {
        (self.height, self.width) == (other.height, other.width)
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {}, {})", self.channels, self.height, self.width)
    }
}

/// Geometry and tensors of a convolution or a transposed convolution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Convolution {
    pub weight: String,
    pub bias: Option<String>,
    pub in_channels: usize,
    pub out_channels: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    /// Zero for a plain convolution.
    pub output_padding: [usize; 2],
    /// One for a transposed convolution.
    pub dilation: [usize; 2],
    pub groups: usize,
}

impl Convolution {
    /// Whether outputs see their own position alone.
    pub(crate) fn is_pointwise(&self) -> bool {
        (self.kernel, self.stride, self.padding) == ([1, 1], [1, 1], [0, 0])
    }
}

/// One operation, with everything known about it but its inputs' height and width.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    Conv2d(Convolution),
    ConvTranspose2d(Convolution),
    Gdn { beta: String, gamma: String, channels: usize, is_inverse: bool, kind: GdnKind },
    Unary(Unary),
    Binary(Binary),
    PixelShuffle { factor: usize },
    PixelUnshuffle { factor: usize },
    Concat,
    Slice { start: usize, length: usize },
    Constant { tensor: String, channels: usize },
    Interpolate { tensor: String, levels: usize, channels: usize },
    Spatial(Spatial),
    Attention { geometry: Attention, bias: Option<String> },
}

impl Op {
    /// How many values it takes; `None` for one or more.
    pub(crate) fn arity(&self) -> Option<usize> {
        match self {
            Self::Constant { .. } | Self::Interpolate { .. } => Some(0),
            Self::Binary(_) => Some(2),
            Self::Attention { .. } => Some(3),
            Self::Concat => None,
            _ => Some(1),
        }
    }

    /// Shape of the result for `inputs`, whose number [`Op::arity`] has checked.
    pub(crate) fn output(&self, inputs: &[Shape]) -> Result<Shape> {
        match self {
            Self::Conv2d(conv) => conv.output(inputs[0], Convolution::forward_side),
            Self::ConvTranspose2d(conv) => conv.output(inputs[0], Convolution::transposed_side),
            Self::Gdn { channels, .. } => want_channels(inputs[0], *channels),
            Self::Unary(_) => Ok(inputs[0]),
            Self::Binary(_) => broadcast(inputs[0], inputs[1]),
            Self::PixelShuffle { factor } => shuffled(inputs[0], *factor),
            Self::PixelUnshuffle { factor } => unshuffled(inputs[0], *factor),
            Self::Concat => concatenated(inputs),
            Self::Slice { start, length } => sliced(inputs[0], *start, *length),
            Self::Constant { channels, .. } | Self::Interpolate { channels, .. } => Ok(Shape::new(*channels, 1, 1)),
            Self::Spatial(op) => op.output(inputs[0].into()).map(Shape::from).map_err(blame_data),
            Self::Attention { geometry, .. } => {
                let inputs = [inputs[0].into(), inputs[1].into(), inputs[2].into()];
                geometry.output(inputs).map(Shape::from).map_err(blame_data)
            }
        }
    }

    /// Whether every row of the result needs all rows of the input: then it is computed at once.
    pub(crate) fn is_global(&self) -> bool {
        matches!(self, Self::Spatial(op) if op.is_global())
    }

    /// Whether a row of the result may need all rows of the input.
    pub(crate) fn reaches_far(&self) -> bool {
        let is_adaptive = matches!(self, Self::Spatial(Spatial::Pool(Pool { windows: Windows::Adaptive(_), .. })));
        self.is_global() || is_adaptive
    }

    /// Multiply-accumulates for one run that takes `input` and gives `output`.
    pub(crate) fn macs(&self, inputs: &[Shape], output: Shape) -> u64 {
        let positions = |shape: Shape| (shape.height as u64).saturating_mul(shape.width as u64);
        match self {
            Self::Conv2d(conv) => positions(output).saturating_mul(conv.weights()),
            Self::ConvTranspose2d(conv) => {
                inputs.first().map_or(0, |input| positions(*input)).saturating_mul(conv.weights())
            }
            Self::Gdn { channels, .. } => positions(output).saturating_mul((channels * channels) as u64),
            Self::Attention { geometry, .. } => {
                let query = inputs.first().map_or(0, |query| query.channels);
                geometry.macs(positions(output), [query, output.channels])
            }
            Self::Spatial(op) => {
                let input = inputs.first().copied().unwrap_or(output);
                op.looks(input.into(), output.elements().unwrap_or(u64::MAX))
            }
            _ => output.elements().unwrap_or(u64::MAX),
        }
    }
}

impl From<&Tensor> for Shape {
    fn from(tensor: &Tensor) -> Self {
        Self::new(tensor.channels(), tensor.height(), tensor.width())
    }
}

impl From<(usize, usize, usize)> for Shape {
    fn from((channels, height, width): (usize, usize, usize)) -> Self {
        Self::new(channels, height, width)
    }
}

impl From<Shape> for (usize, usize, usize) {
    fn from(shape: Shape) -> Self {
        (shape.channels, shape.height, shape.width)
    }
}

impl Convolution {
    /// Inputs from the first tap to the last one.
    pub(crate) fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    fn weights(&self) -> u64 {
        (self.in_channels * self.out_channels * self.kernel[0] * self.kernel[1] / self.groups) as u64
    }

    fn output(&self, input: Shape, side: impl Fn(&Self, usize, usize) -> Option<usize>) -> Result<Shape> {
        want_channels(input, self.in_channels)?;
        match (side(self, input.height, 0), side(self, input.width, 1)) {
            (Some(height), Some(width)) => Ok(Shape::new(self.out_channels, height, width)),
            _ => Err(Error::corrupt(format!(
                "input {input} leaves nothing for a kernel of {:?} with padding {:?}",
                self.kernel, self.padding
            ))),
        }
    }

    fn forward_side(&self, input: usize, axis: usize) -> Option<usize> {
        let padded = input.checked_add(2 * self.padding[axis])?;
        Some(padded.checked_sub(self.reach(axis))? / self.stride[axis] + 1)
    }

    fn transposed_side(&self, input: usize, axis: usize) -> Option<usize> {
        let reach = input.checked_sub(1)?.checked_mul(self.stride[axis])?;
        let full = reach.checked_add(self.kernel[axis])?.checked_add(self.output_padding[axis])?;
        full.checked_sub(2 * self.padding[axis]).filter(|side| *side > 0)
    }
}

fn want_channels(input: Shape, channels: usize) -> Result<Shape> {
    if input.channels == channels {
        Ok(input)
    } else {
        Err(Error::corrupt(format!("input {input} has {} channels, must have {channels}", input.channels)))
    }
}

fn broadcast(a: Shape, b: Shape) -> Result<Shape> {
    let is_vector = |shape: Shape| (shape.height, shape.width) == (1, 1);
    if a.channels == b.channels && (a == b || is_vector(b)) {
        Ok(a)
    } else if a.channels == b.channels && is_vector(a) {
        Ok(b)
    } else {
        Err(Error::corrupt(format!("inputs {a} and {b} do not go together")))
    }
}

fn shuffled(input: Shape, factor: usize) -> Result<Shape> {
    let fault = || Error::corrupt(format!("input {input} cannot be shuffled by {factor}"));
    if !input.channels.is_multiple_of(factor * factor) {
        return Err(fault());
    }
    let height = input.height.checked_mul(factor).ok_or_else(fault)?;
    let width = input.width.checked_mul(factor).ok_or_else(fault)?;
    Ok(Shape::new(input.channels / (factor * factor), height, width))
}

fn unshuffled(input: Shape, factor: usize) -> Result<Shape> {
    let channels = input.channels.checked_mul(factor * factor);
    match channels {
        Some(channels) if input.height.is_multiple_of(factor) && input.width.is_multiple_of(factor) => {
            Ok(Shape::new(channels, input.height / factor, input.width / factor))
        }
        _ => Err(Error::corrupt(format!("input {input} cannot be unshuffled by {factor}"))),
    }
}

fn concatenated(inputs: &[Shape]) -> Result<Shape> {
    let mut sum = inputs[0];
    for input in &inputs[1..] {
        sum.channels = match sum.channels.checked_add(input.channels) {
            Some(channels) if input.is_spatially(sum) => channels,
            _ => return Err(Error::corrupt(format!("inputs {sum} and {input} cannot be concatenated"))),
        };
    }
    Ok(sum)
}

fn sliced(input: Shape, start: usize, length: usize) -> Result<Shape> {
    match start.checked_add(length) {
        Some(end) if end <= input.channels => Ok(Shape { channels: length, ..input }),
        _ => Err(Error::corrupt(format!("input {input} has no channels {start} to {start} + {length}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn conv(kernel: usize, stride: usize, padding: usize, output_padding: usize) -> Convolution {
        Convolution {
            weight: "w".into(),
            bias: None,
            in_channels: 4,
            out_channels: 6,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            output_padding: [output_padding; 2],
            dilation: [1; 2],
            groups: 1,
        }
    }

    #[test]
    fn convolutions_have_the_sizes_of_torch() {
        let op = Op::Conv2d(conv(5, 2, 2, 0));
        assert_eq!(op.output(&[Shape::new(4, 7, 8)]).unwrap(), Shape::new(6, 4, 4));
        let op = Op::ConvTranspose2d(conv(5, 2, 2, 1));
        assert_eq!(op.output(&[Shape::new(4, 4, 3)]).unwrap(), Shape::new(6, 8, 6));
        assert!(Op::Conv2d(conv(5, 1, 0, 0)).output(&[Shape::new(4, 4, 9)]).is_err());
        assert!(Op::Conv2d(conv(1, 1, 0, 0)).output(&[Shape::new(3, 4, 9)]).is_err());
        assert!(Op::ConvTranspose2d(conv(1, 1, 1, 0)).output(&[Shape::new(4, 1, 1)]).is_err());
    }

    #[test]
    fn shuffles_need_whole_blocks() {
        let shuffle = Op::PixelShuffle { factor: 2 };
        assert_eq!(shuffle.output(&[Shape::new(8, 3, 5)]).unwrap(), Shape::new(2, 6, 10));
        assert!(shuffle.output(&[Shape::new(6, 3, 5)]).is_err());
        let unshuffle = Op::PixelUnshuffle { factor: 2 };
        assert_eq!(unshuffle.output(&[Shape::new(2, 6, 10)]).unwrap(), Shape::new(8, 3, 5));
        assert!(unshuffle.output(&[Shape::new(2, 6, 9)]).is_err());
    }

    #[test]
    fn vectors_broadcast_to_either_side() {
        let (map, vector) = (Shape::new(4, 5, 6), Shape::new(4, 1, 1));
        let op = Op::Binary(Binary::Sub);
        assert_eq!(op.output(&[map, vector]).unwrap(), map);
        assert_eq!(op.output(&[vector, map]).unwrap(), map);
        assert!(op.output(&[map, Shape::new(1, 5, 6)]).is_err());
        assert!(op.output(&[map, Shape::new(4, 5, 1)]).is_err());
    }

    #[test]
    fn overflows_are_errors() {
        let huge = Shape::new(4, usize::MAX, usize::MAX);
        assert!(Op::PixelShuffle { factor: 2 }.output(&[huge]).is_err());
        assert!(Op::Conv2d(conv(5, 2, 2, 0)).output(&[huge]).is_err());
        assert!(Op::ConvTranspose2d(conv(5, 2, 2, 0)).output(&[huge]).is_err());
        assert!(Op::Slice { start: usize::MAX, length: 2 }.output(&[huge]).is_err());
        assert_eq!(huge.elements(), None);
    }
}
