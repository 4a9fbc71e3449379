//! One operation of a graph description, checked against the tensors it names.

use lcrs_core::exact::{Binary, GdnKind, Unary};
use lcrs_core::{Error, Result};

use super::attributes::Attributes;
use super::op::{Convolution, Op, MAX_CHANNELS, MAX_GEOMETRY};
use super::parse_spatial::{spatial, window_attention};
use crate::tensors::{find, Lookup};

/// Reads the operation and its attributes. Tensors must exist, be finite and have the shape that is needed.
pub(crate) fn parse_op(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Op> {
    let name = members.text("op")?;
    Ok(match name {
        "conv2d" => Op::Conv2d(convolution(members, tensors, false)?),
        "conv_transpose2d" => Op::ConvTranspose2d(convolution(members, tensors, true)?),
        "gdn" => gdn(members, tensors, GdnKind::L2)?,
        "gdn1" => gdn(members, tensors, GdnKind::L1)?,
        "relu" => Op::Unary(Unary::Relu),
        "leaky_relu" => Op::Unary(Unary::LeakyRelu(members.number("slope")?)),
        "abs" => Op::Unary(Unary::Abs),
        "sigmoid" => Op::Unary(Unary::Sigmoid),
        "softplus" => Op::Unary(Unary::Softplus),
        "exp" => Op::Unary(Unary::Exp),
        "tanh" => Op::Unary(Unary::Tanh),
        "gelu" => Op::Unary(Unary::Gelu),
        "gelu_tanh" => Op::Unary(Unary::GeluTanh),
        "silu" => Op::Unary(Unary::Silu),
        "mish" => Op::Unary(Unary::Mish),
        "elu" => Op::Unary(Unary::Elu(members.number("alpha")?)),
        "hard_sigmoid" => Op::Unary(Unary::HardSigmoid),
        "hard_swish" => Op::Unary(Unary::HardSwish),
        "clamp" => Op::Unary(clamp(members)?),
        "add_scalar" => Op::Unary(Unary::AddScalar(members.number("value")?)),
        "mul_scalar" => Op::Unary(Unary::MulScalar(members.number("value")?)),
        "add" => Op::Binary(Binary::Add),
        "sub" => Op::Binary(Binary::Sub),
        "mul" => Op::Binary(Binary::Mul),
        "div" => Op::Binary(Binary::Div),
        "prelu" => Op::Binary(Binary::Prelu),
        "pixel_shuffle" => Op::PixelShuffle { factor: members.count("factor", 1, MAX_GEOMETRY)? },
        "pixel_unshuffle" => Op::PixelUnshuffle { factor: members.count("factor", 1, MAX_GEOMETRY)? },
        "concat" => Op::Concat,
        "slice" => Op::Slice {
            start: members.count("start", 0, MAX_CHANNELS)?,
            length: members.count("length", 1, MAX_CHANNELS)?,
        },
        "constant" => constant(members, tensors)?,
        "interpolate" => interpolate(members, tensors)?,
        _ => match spatial(name, members)? {
            Some(op) => Op::Spatial(op),
            None if name == "window_attention" => attention(members, tensors)?,
            None => return Err(Error::unsupported(format!("unknown operation '{name}'"))),
        },
    })
}

fn attention(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Op> {
    let geometry = window_attention(members)?;
    let bias = members.optional_text("bias")?;
    if let Some(bias) = bias {
        let (shape, wanted) = (numbers(tensors, bias)?, geometry.bias_shape());
        if shape != wanted {
            return Err(wrong_shape(bias, &shape, &format!("{wanted:?}")));
        }
    }
    Ok(Op::Attention { geometry, bias: bias.map(str::to_owned) })
}

fn clamp(members: &mut Attributes<'_>) -> Result<Unary> {
    let (min, max) = (members.optional_number("min")?, members.optional_number("max")?);
    match (min, max) {
        (Some(low), Some(high)) if low > high => {
            Err(Error::corrupt(format!("'min' is {low}, above 'max', which is {high}")))
        }
        _ => Ok(Unary::Clamp { min, max }),
    }
}

/// Shape of a tensor whose numbers are usable.
fn numbers(tensors: Lookup<'_, '_>, name: &str) -> Result<Vec<usize>> {
    let tensor = find(tensors, name)?;
    tensor.to_f32().map_err(|e| e.at(format!("tensor {name:?}")))?;
    Ok(tensor.shape().to_vec())
}

fn wrong_shape(name: &str, shape: &[usize], wanted: &str) -> Error {
    Error::corrupt(format!("tensor {name:?} has shape {shape:?}, must have {wanted}"))
}

/// Weights are (out, in / groups, h, w), transposed ones (in, out / groups, h, w), as in torch.
fn convolution(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>, is_transposed: bool) -> Result<Convolution> {
    let weight = members.text("weight")?;
    let shape = numbers(tensors, weight)?;
    let groups = members.count("groups", 1, MAX_CHANNELS)?;
    let &[first, second, height, width] = shape.as_slice() else {
        return Err(wrong_shape(weight, &shape, "four sides"));
    };
    let is_legal = (1..=MAX_CHANNELS).contains(&first)
        && (1..=MAX_CHANNELS / groups).contains(&second)
        && (1..=MAX_GEOMETRY).contains(&height)
        && (1..=MAX_GEOMETRY).contains(&width)
        && first.is_multiple_of(groups);
    if !is_legal {
        let wanted = format!("channels that {groups} groups divide and sides of 1 to {MAX_GEOMETRY}");
        return Err(wrong_shape(weight, &shape, &wanted));
    }
    let (in_channels, out_channels) = if is_transposed { (first, second * groups) } else { (second * groups, first) };
    let bias = members.optional_text("bias")?;
    if let Some(bias) = bias {
        let shape = numbers(tensors, bias)?;
        if shape != [out_channels] {
            return Err(wrong_shape(bias, &shape, &format!("[{out_channels}]")));
        }
    }
    let stride = members.pair("stride", 1, MAX_GEOMETRY)?;
    let padding = members.pair("padding", 0, MAX_GEOMETRY)?;
    let output_padding = if is_transposed { members.pair("output_padding", 0, MAX_GEOMETRY)? } else { [0; 2] };
    if (0..2).any(|axis| output_padding[axis] > 0 && output_padding[axis] >= stride[axis]) {
        return Err(Error::corrupt(format!(
            "'output_padding' is {output_padding:?}, must be below the stride {stride:?}"
        )));
    }
    let is_dilated = !is_transposed && members.optional("dilation").is_some();
    let dilation = if is_dilated { members.pair("dilation", 1, MAX_GEOMETRY)? } else { [1; 2] };
    let (weight, bias) = (weight.to_owned(), bias.map(str::to_owned));
    let kernel = [height, width];
    Ok(Convolution {
        weight,
        bias,
        in_channels,
        out_channels,
        kernel,
        stride,
        padding,
        output_padding,
        dilation,
        groups,
    })
}

fn gdn(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>, kind: GdnKind) -> Result<Op> {
    let (beta, gamma) = (members.text("beta")?, members.text("gamma")?);
    let shape = numbers(tensors, beta)?;
    let &[channels] = shape.as_slice() else {
        return Err(wrong_shape(beta, &shape, "one side"));
    };
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(wrong_shape(beta, &shape, &format!("1 to {MAX_CHANNELS} channels")));
    }
    let shape = numbers(tensors, gamma)?;
    if shape != [channels, channels] && shape != [channels, channels, 1, 1] {
        return Err(wrong_shape(gamma, &shape, &format!("[{channels}, {channels}]")));
    }
    want_all(tensors, beta, "positive", |value| value > 0.0)?;
    want_all(tensors, gamma, "0 or above", |value| value >= 0.0)?;
    let is_inverse = members.flag("inverse")?;
    Ok(Op::Gdn { beta: beta.to_owned(), gamma: gamma.to_owned(), channels, is_inverse, kind })
}

fn want_all(tensors: Lookup<'_, '_>, name: &str, wanted: &str, is_legal: impl Fn(f32) -> bool) -> Result<()> {
    let tensor = find(tensors, name)?;
    let numbers = tensor.to_f32()?;
    match numbers.iter().position(|value| !is_legal(*value)) {
        Some(i) => Err(Error::corrupt(format!("element {i} of tensor {name:?} is {}, must be {wanted}", numbers[i]))),
        None => Ok(()),
    }
}

fn constant(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Op> {
    let tensor = members.text("tensor")?;
    match numbers(tensors, tensor)?.as_slice() {
        &[channels] if (1..=MAX_CHANNELS).contains(&channels) => {
            Ok(Op::Constant { tensor: tensor.to_owned(), channels })
        }
        shape => Err(wrong_shape(tensor, shape, "one side")),
    }
}

fn interpolate(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Op> {
    let tensor = members.text("tensor")?;
    match numbers(tensors, tensor)?.as_slice() {
        &[levels, channels] if levels >= 2 && (1..=MAX_CHANNELS).contains(&channels) => {
            Ok(Op::Interpolate { tensor: tensor.to_owned(), levels, channels })
        }
        shape => Err(wrong_shape(tensor, shape, "two sides, at least 2 levels")),
    }
}
