//! From numbers to a section and back, once means and table indexes are known.

use lcrs_core::cdf::CdfTable;
use lcrs_core::exact::{dequantize, quantize, Tensor};
use lcrs_core::rans::{self, StreamKind};
use lcrs_core::{Error, Limits, Result};
use lcrs_format::Section;

use super::Coded;
use crate::graph::Shape;
use crate::networks::{blame_data, Job};

/// What symbols are conditioned on, one entry an element; without means they are zero.
pub(crate) struct Condition {
    pub indexes: Vec<i32>,
    pub means: Option<Vec<f32>>,
}

/// Symbols are below 2^24, where every integer is a binary32 number.
const SYMBOL_BOUND: u32 = 1 << 24;

/// Rounds the differences to the means and codes them; returns the section and the numbers that a decoder will have.
pub(crate) fn encode(
    job: Job<'_>,
    kind: StreamKind,
    latent: &Tensor,
    condition: &Condition,
    table: &CdfTable,
) -> Result<(Coded, Tensor)> {
    let means = condition.means.as_deref();
    let mut symbols: Vec<i32> = job.limits.zeroed(latent.data().len(), "symbols")?;
    quantize(latent.data(), means, &mut symbols).map_err(blame_data)?;
    let data = rans::encode(kind, job.rt, &symbols, &condition.indexes, table)?;
    let decoded = restore(&symbols, means, Shape::from(latent), job.limits)?;
    Ok((Coded { precision: table.precision() as u8, data }, decoded))
}

/// Decodes a section of shape `shape`.
pub(crate) fn decode(
    job: Job<'_>,
    section: &Section<'_>,
    shape: Shape,
    condition: &Condition,
    table: &CdfTable,
) -> Result<Tensor> {
    if u32::from(section.precision) != table.precision() {
        let message = format!("precision is {}, the model has {}", section.precision, table.precision());
        return Err(Error::corrupt(message));
    }
    let kind = StreamKind::from_code(section.kind)?;
    let mut symbols: Vec<i32> = job.limits.zeroed(condition.indexes.len(), "symbols")?;
    rans::decode(kind, job.rt, section.data, &condition.indexes, table, &mut symbols).map_err(blame_data)?;
    if let Some(i) = symbols.iter().position(|symbol| symbol.unsigned_abs() >= SYMBOL_BOUND) {
        return Err(Error::corrupt(format!("symbol at position {i} is {}, must be within -2^24 and 2^24", symbols[i])));
    }
    restore(&symbols, condition.means.as_deref(), shape, job.limits)
}

fn restore(symbols: &[i32], means: Option<&[f32]>, shape: Shape, limits: &Limits) -> Result<Tensor> {
    let mut tensor = Tensor::zeroed(shape.channels, shape.height, shape.width, limits)?;
    dequantize(symbols, means, tensor.data_mut())?;
    Ok(tensor)
}

/// One value a channel, repeated for every position of `shape`.
pub(crate) fn spread<T: Copy + Default>(channels: &[T], shape: Shape, limits: &Limits) -> Result<Vec<T>> {
    let elements = shape.elements().and_then(|elements| usize::try_from(elements).ok());
    let elements = elements.ok_or_else(|| Error::limit(format!("latent of {shape} is too large")))?;
    let mut out: Vec<T> = limits.zeroed(elements, "latent")?;
    out.chunks_exact_mut(channels.len().max(1)).for_each(|pixel| pixel.copy_from_slice(channels));
    Ok(out)
}
