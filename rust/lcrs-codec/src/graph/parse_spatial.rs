//! Attributes of operations without weights that look at neighbours, at whole maps, or at all channels of a position.

use lcrs_core::exact::{
    Attention, Between, Crop, Normalise, Pad, PadMode, Pool, PoolKind, Softmax, Spatial, Upsample, Windows,
};
use lcrs_core::{Error, Result};

use super::attributes::Attributes;
use super::op::{MAX_CHANNELS, MAX_GEOMETRY};

/// Most outputs of an adaptive pooling along an axis.
const MAX_OUTPUTS: usize = 1 << 12;

/// Most places of a window of attention.
const MAX_PLACES: usize = 1 << 12;

/// Reads the attributes of operation `name`; `None` if it is none of these.
pub(super) fn spatial(name: &str, members: &mut Attributes<'_>) -> Result<Option<Spatial>> {
    Ok(Some(match name {
        "softmax" => Spatial::Softmax(Softmax { groups: members.count("groups", 1, MAX_CHANNELS)? }),
        "normalise" => Spatial::Normalise(normalise(members)?),
        "max_pool2d" => Spatial::Pool(Pool { kind: PoolKind::Max, windows: sliding(members)? }),
        "avg_pool2d" => {
            let counts_padding = members.flag("count_padding")?;
            Spatial::Pool(Pool { kind: PoolKind::Average { counts_padding }, windows: sliding(members)? })
        }
        "adaptive_avg_pool2d" => {
            let kind = PoolKind::Average { counts_padding: false };
            Spatial::Pool(Pool { kind, windows: adaptive(members)? })
        }
        "adaptive_max_pool2d" => Spatial::Pool(Pool { kind: PoolKind::Max, windows: adaptive(members)? }),
        "upsample" => Spatial::Upsample(upsample(members)?),
        "pad" => Spatial::Pad(pad(members)?),
        "crop" => {
            let (before, after) = margins(members)?;
            Spatial::Crop(Crop { before, after })
        }
        _ => return Ok(None),
    }))
}

fn normalise(members: &mut Attributes<'_>) -> Result<Normalise> {
    let groups = members.count("groups", 1, MAX_CHANNELS)?;
    let (spatial, epsilon) = (members.flag("spatial")?, members.number("epsilon")?);
    if epsilon <= 0.0 {
        return Err(Error::corrupt(format!("'epsilon' is {epsilon}, must be above 0")));
    }
    Ok(Normalise { groups, spatial, epsilon })
}

fn sliding(members: &mut Attributes<'_>) -> Result<Windows> {
    let kernel = members.pair("kernel", 1, MAX_GEOMETRY)?;
    let stride = members.pair("stride", 1, MAX_GEOMETRY)?;
    let padding = members.pair("padding", 0, MAX_GEOMETRY)?;
    if (0..2).any(|axis| 2 * padding[axis] > kernel[axis]) {
        let message = format!("'padding' is {padding:?}, must be at most half of the kernel {kernel:?}");
        return Err(Error::corrupt(message));
    }
    Ok(Windows::Sliding { kernel, stride, padding, ceil: members.flag("ceil")? })
}

fn adaptive(members: &mut Attributes<'_>) -> Result<Windows> {
    members.pair("size", 0, MAX_OUTPUTS).map(Windows::Adaptive)
}

fn upsample(members: &mut Attributes<'_>) -> Result<Upsample> {
    let between = match members.text("mode")? {
        "nearest" => Between::Nearest,
        "bilinear" => Between::Bilinear { align_corners: members.flag("align_corners")? },
        mode => return Err(Error::unsupported(format!("unknown mode '{mode}'"))),
    };
    Ok(Upsample { between, factor: members.pair("factor", 1, MAX_GEOMETRY)? })
}

fn pad(members: &mut Attributes<'_>) -> Result<Pad> {
    let mode = match members.text("mode")? {
        "zeros" => PadMode::Zeros,
        "reflect" => PadMode::Reflect,
        "replicate" => PadMode::Replicate,
        "circular" => PadMode::Circular,
        mode => return Err(Error::unsupported(format!("unknown mode '{mode}'"))),
    };
    let (before, after) = margins(members)?;
    Ok(Pad { mode, before, after })
}

fn margins(members: &mut Attributes<'_>) -> Result<([usize; 2], [usize; 2])> {
    Ok((members.pair("before", 0, MAX_GEOMETRY)?, members.pair("after", 0, MAX_GEOMETRY)?))
}

/// Reads the attributes of an attention within windows, but its bias.
pub(super) fn window_attention(members: &mut Attributes<'_>) -> Result<Attention> {
    let window = members.pair("window", 1, MAX_GEOMETRY)?;
    if window[0] * window[1] > MAX_PLACES {
        return Err(Error::corrupt(format!("'window' is {window:?}, must have at most {MAX_PLACES} places")));
    }
    let shift = members.pair("shift", 0, MAX_GEOMETRY)?;
    if (0..2).any(|axis| shift[axis] >= window[axis]) {
        return Err(Error::corrupt(format!("'shift' is {shift:?}, must be below the window {window:?}")));
    }
    Ok(Attention { window, shift, heads: members.count("heads", 1, MAX_CHANNELS)?, scale: members.number("scale")? })
}
