//! What a node carries besides its attributes: packed weights and constant tensors.

use lcrs_core::exact::{Binary, Conv2d, ConvTranspose2d, Gdn, Tensor, WindowAttention};
use lcrs_core::{Error, Limits, Result, Runtime, Simd};

use super::op::{Convolution, Op};
use super::program::Node;
use crate::tensors::{find, Lookup};

/// The prepared part of a node.
#[derive(Debug)]
pub(crate) enum Kernel {
    Conv2d(Conv2d),
    ConvTranspose2d(ConvTranspose2d),
    Gdn(Gdn),
    Attention(WindowAttention),
    Constant(Tensor),
    /// One (C, 1, 1) tensor a level.
    Interpolate(Vec<Tensor>),
    /// The operation needs nothing prepared.
    None,
}

impl Kernel {
    /// Prepares a node, whose tensors have been checked by the parser.
    pub(crate) fn of(node: &Node, tensors: Lookup<'_, '_>, simd: Simd) -> Result<Self> {
        Self::new(&node.op, tensors, simd).map_err(|e| e.at(&node.place))
    }

    fn new(op: &Op, tensors: Lookup<'_, '_>, simd: Simd) -> Result<Self> {
        match op {
            Op::Conv2d(conv) => {
                let build = |weight: &[f32], bias: Option<&[f32]>| {
                    let shape = [conv.out_channels, conv.in_channels / conv.groups, conv.kernel[0], conv.kernel[1]];
                    let layer = Conv2d::new(simd, weight, shape, bias, conv.stride, conv.padding, conv.groups)?;
                    layer.dilated(conv.dilation)
                };
                with_weights(conv, tensors, build).map(Self::Conv2d)
            }
            Op::ConvTranspose2d(conv) => {
                let build = |weight: &[f32], bias: Option<&[f32]>| {
                    let shape = [conv.in_channels, conv.out_channels / conv.groups, conv.kernel[0], conv.kernel[1]];
                    let (stride, padding, output_padding) = (conv.stride, conv.padding, conv.output_padding);
                    ConvTranspose2d::new(simd, weight, shape, bias, stride, padding, output_padding, conv.groups)
                };
                with_weights(conv, tensors, build).map(Self::ConvTranspose2d)
            }
            Op::Gdn { beta, gamma, is_inverse, kind, .. } => {
                let (beta, gamma) = (find(tensors, beta)?, find(tensors, gamma)?);
                Gdn::new(simd, &beta.to_f32()?, &gamma.to_f32()?, *is_inverse, *kind).map(Self::Gdn)
            }
            Op::Attention { geometry, bias } => {
                let bias = bias.as_ref().map(|name| find(tensors, name)).transpose()?;
                let bias = bias.as_ref().map(|bias| bias.to_f32()).transpose()?;
                WindowAttention::new(simd, *geometry, bias.as_deref()).map(Self::Attention)
            }
            Op::Constant { tensor, channels } => {
                let tensor = find(tensors, tensor)?;
                Tensor::from_vec(*channels, 1, 1, tensor.to_f32()?.into_owned()).map(Self::Constant)
            }
            Op::Interpolate { tensor, channels, .. } => {
                let tensor = find(tensors, tensor)?;
                let numbers = tensor.to_f32()?;
                let levels = numbers.chunks_exact(*channels);
                let levels =
                    levels.map(|level| Tensor::from_vec(*channels, 1, 1, level.to_vec())).collect::<Result<_>>();
                levels.map(Self::Interpolate)
            }
            _ => Ok(Self::None),
        }
    }
}

fn with_weights<T>(
    conv: &Convolution,
    tensors: Lookup<'_, '_>,
    build: impl Fn(&[f32], Option<&[f32]>) -> Result<T>,
) -> Result<T> {
    let weight = find(tensors, &conv.weight)?;
    let bias = conv.bias.as_ref().map(|name| find(tensors, name)).transpose()?;
    let bias = bias.as_ref().map(|bias| bias.to_f32()).transpose()?;
    build(&weight.to_f32()?, bias.as_deref())
}

/// The vector of a variable rate at `level`: `fma(f, b - a, a)` between the two levels around it.
///
/// As a 1x1 convolution of `f` with weight `b - a` and bias `a` it is exactly that one fused multiply-add.
pub(crate) fn interpolate(levels: &[Tensor], level: f32, rt: &Runtime, limits: &Limits) -> Result<Tensor> {
    let top = levels.len() - 1;
    if !(0.0..=top as f32).contains(&level) {
        return Err(Error::invalid(format!("level is {level} (0 to {top})")));
    }
    let first = (level.floor() as usize).min(top - 1);
    let fraction = level - first as f32;
    let (a, b) = (&levels[first], &levels[first + 1]);
    let difference = Binary::Sub.run(rt, limits, b, a)?;
    let shape = [a.channels(), 1, 1, 1];
    let blend = Conv2d::new(rt.simd, difference.data(), shape, Some(a.data()), [1, 1], [0, 0], 1)?;
    blend.run(rt, limits, &Tensor::from_vec(1, 1, 1, vec![fraction])?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(level: f32) -> Result<f32> {
        let levels: Vec<_> =
            [0.1_f32, 0.7, -3.3].iter().map(|v| Tensor::from_vec(1, 1, 1, vec![*v]).unwrap()).collect();
        interpolate(&levels, level, &Runtime::serial(), &Limits::default()).map(|value| value.data()[0])
    }

    #[test]
    fn interpolation_is_one_fused_multiply_add() {
        for (level, a, b, f) in
            [(0.0, 0.1, 0.7, 0.0), (0.3, 0.1, 0.7, 0.3), (1.0, 0.7, -3.3, 0.0), (2.0, 0.7, -3.3, 1.0)]
        {
            assert_eq!(at(level).unwrap(), f32::mul_add(f, b - a, a), "{level}");
        }
        assert_eq!(at(1.75).unwrap(), f32::mul_add(0.75, -3.3 - 0.7, 0.7));
    }

    #[test]
    fn levels_outside_are_refused() {
        for level in [-0.1, 2.000_1, f32::NAN] {
            assert!(at(level).unwrap_err().message().contains("(0 to 2)"));
        }
    }
}
