//! From numbers to a section and back, once means and table indexes are known.

use std::sync::Arc;

use lcrs_core::cdf::CdfTable;
use lcrs_core::exact::{
    check_symbols, dequantize, dequantize_with_step_size, quantize, quantize_with_step_size, Tensor,
};
use lcrs_core::rans::{self, StreamKind};
use lcrs_core::scan::Gain;
use lcrs_core::{Error, Limits, Result, Simd};
use lcrs_format::Section;

use crate::blame::blame_data;
use crate::graph::Job;
use crate::graph::Shape;

/// An entropy-coded latent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coded {
    pub precision: u8,
    pub data: Vec<u8>,
}

/// What symbols are conditioned on, one entry an element; without means they are zero.
pub(crate) struct EntropyParameters {
    pub indexes: Vec<i32>,
    pub means: Option<Vec<f32>>,
}

impl EntropyParameters {
    fn bytes(&self) -> u64 {
        (size_of_val(&self.indexes[..]) + self.means.as_deref().map_or(0, size_of_val)) as u64
    }
}

/// Bytes that a symbol takes while it is coded: its own, those of its entry in the coder, and of a stream and its copy
/// more than models of pictures give it.
const CODED_BYTES: u64 = 12;

/// From numbers to symbols and back.
#[derive(Clone, Copy)]
pub(crate) enum Lattice<'a> {
    /// A step size of 1.
    Whole,
    /// Another step size.
    StepSize(f32),
    /// Step sizes by a gain, with scaled scales for their shrinkage.
    Gain(Gain<'a>, &'a [f32]),
}

impl Lattice<'_> {
    fn bytes(&self) -> u64 {
        match self {
            Self::Whole | Self::StepSize(_) => 0,
            Self::Gain(_, scales) => size_of_val(*scales) as u64,
        }
    }

    fn quantize(&self, simd: Simd, y: &[f32], means: Option<&[f32]>, out: &mut [i32]) -> Result<()> {
        match self {
            Self::Whole => quantize(simd, y, means, out),
            Self::StepSize(step) => quantize_with_step_size(simd, y, means, *step, out),
            Self::Gain(gain, _) => gain.quantize(simd, y, means, out),
        }
    }

    fn dequantize(&self, simd: Simd, symbols: &[i32], means: Option<&[f32]>, out: &mut [f32]) -> Result<()> {
        match self {
            Self::Whole => dequantize(symbols, means, out),
            Self::StepSize(step) => dequantize_with_step_size(symbols, means, *step, out),
            Self::Gain(gain, scales) => gain.dequantize(simd, symbols, scales, means, out),
        }
    }
}

/// A table of the package, or one that was built for a step.
pub(crate) enum Table<'a> {
    Kept(&'a CdfTable),
    Built(Arc<CdfTable>),
}

impl Table<'_> {
    fn get(&self) -> &CdfTable {
        match self {
            Self::Kept(table) => table,
            Self::Built(table) => table,
        }
    }
}

/// How a latent is coded: what its symbols are conditioned on, how numbers become symbols, and the table.
pub(crate) struct Prior<'a> {
    pub parameters: EntropyParameters,
    pub lattice: Lattice<'a>,
    pub table: Table<'a>,
}

impl Prior<'_> {
    /// What is held beside the latent.
    fn bytes(&self) -> u64 {
        self.parameters.bytes() + self.lattice.bytes()
    }

    /// Rounds the differences to the means and codes them. What a decoder would refuse is an error.
    pub(crate) fn encode(&self, job: Job<'_>, kind: StreamKind, latent: &Tensor) -> Result<Coded> {
        match self.lattice {
            // A finite mean and a symbol have a finite sum.
            Lattice::Whole => self.encode_symbols(job, kind, latent).map(|(coded, _)| coded),
            _ => self.encode_and_restore(job, kind, latent).map(|(coded, _)| coded),
        }
    }

    /// The same, and the numbers that a decoder will have.
    pub(crate) fn encode_and_restore(
        &self,
        job: Job<'_>,
        kind: StreamKind,
        latent: &Tensor,
    ) -> Result<(Coded, Tensor)> {
        let (coded, symbols) = self.encode_symbols(job, kind, latent)?;
        let held = self.bytes() + size_of_val(&symbols[..]) as u64 + coded.data.len() as u64;
        let limits = job.holding(held, "symbols")?;
        let job = Job { limits: &limits, ..job };
        let means = self.parameters.means.as_deref();
        Ok((coded, restore(job, &symbols, means, self.lattice, Shape::from(latent))?))
    }

    fn encode_symbols(&self, job: Job<'_>, kind: StreamKind, latent: &Tensor) -> Result<(Coded, Vec<i32>)> {
        let EntropyParameters { indexes, means } = &self.parameters;
        let count = latent.data().len();
        job.holding(self.bytes().saturating_add(CODED_BYTES * count as u64), "symbols")?;
        let mut symbols: Vec<i32> = job.limits.zeroed(count, "symbols")?;
        let quantized = self.lattice.quantize(job.rt.simd, latent.data(), means.as_deref(), &mut symbols);
        quantized.map_err(blame_data)?;
        let table = self.table.get();
        let data = rans::encode(kind, job.rt, &symbols, indexes, table)?;
        Ok((Coded { precision: table.precision() as u8, data }, symbols))
    }

    /// Decodes a section of shape `shape`. Of vectors as long as the latent no more than three are there at a time, or
    /// four with scaled scales.
    pub(crate) fn decode(self, job: Job<'_>, section: &Section<'_>, shape: Shape) -> Result<Tensor> {
        let held = self.bytes();
        let (parameters, table) = (self.parameters, self.table.get());
        if u32::from(section.precision) != table.precision() {
            let message = format!("precision is {}, the model has {}", section.precision, table.precision());
            return Err(Error::corrupt(message));
        }
        let kind = StreamKind::from_code(section.kind)?;
        let limits = job.holding(held, "what symbols depend on")?;
        let mut symbols: Vec<i32> = limits.zeroed(parameters.indexes.len(), "symbols")?;
        rans::decode(kind, job.rt, section.data, &parameters.indexes, table, &mut symbols).map_err(blame_data)?;
        drop(parameters.indexes);
        check_symbols(&symbols)?;
        let means = parameters.means.as_deref().map_or(0, size_of_val);
        let limits = job.holding((means + size_of_val(&symbols[..])) as u64 + self.lattice.bytes(), "symbols")?;
        let job = Job { limits: &limits, ..job };
        restore(job, &symbols, parameters.means.as_deref(), self.lattice, shape)
    }

    /// Decodes an `ans` string of a latent of shape `shape` that holds the symbols of one channel after those of another.
    pub(crate) fn decode_channels(self, job: Job<'_>, string: &[u8], shape: Shape) -> Result<Tensor> {
        let held = self.bytes();
        let (EntropyParameters { indexes, means }, table) = (self.parameters, self.table.get());
        let limits = job.holding(held, "what symbols depend on")?;
        let (channels, pixels) = (shape.channels, shape.height * shape.width);
        // where the element of pixel order is that comes next
        let in_pixels = |at: usize| at % pixels * channels + at / pixels;
        let mut numbers: Vec<i32> = limits.zeroed(indexes.len(), "table indexes")?;
        numbers.iter_mut().enumerate().for_each(|(at, index)| *index = indexes[in_pixels(at)]);
        drop(indexes);
        let mut symbols: Vec<i32> = limits.zeroed(numbers.len(), "symbols")?;
        rans::decode(StreamKind::Ans, job.rt, string, &numbers, table, &mut symbols).map_err(blame_data)?;
        check_symbols(&symbols)?;
        symbols.iter().enumerate().for_each(|(at, symbol)| numbers[in_pixels(at)] = *symbol);
        drop(symbols);
        restore(job, &numbers, means.as_deref(), self.lattice, shape)
    }
}

fn restore(job: Job<'_>, symbols: &[i32], means: Option<&[f32]>, lattice: Lattice<'_>, shape: Shape) -> Result<Tensor> {
    let mut tensor = Tensor::zeroed(shape.channels, shape.height, shape.width, job.limits)?;
    lattice.dequantize(job.rt.simd, symbols, means, tensor.data_mut()).map_err(blame_data)?;
    check_finite(tensor.data(), "value")?;
    Ok(tensor)
}

/// Refuses numbers that decide symbols or are their values and are not finite.
pub(crate) fn check_finite(values: &[f32], name: &str) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(i) => Err(Error::corrupt(format!("{name} at position {i} is {}, must be finite", values[i]))),
        None => Ok(()),
    }
}

/// The parameters of elements that have a row and a median for each channel.
pub(crate) fn by_channel(medians: &[f32], shape: Shape, limits: &Limits) -> Result<EntropyParameters> {
    let indexes: Vec<i32> = (0..medians.len() as i32).collect();
    let indexes = spread(&indexes, shape, limits)?;
    let limits = limits.without(size_of_val(&indexes[..]) as u64, "table indexes")?;
    Ok(EntropyParameters { indexes, means: Some(spread(medians, shape, &limits)?) })
}

/// One value a channel, repeated for every position of `shape`.
pub(crate) fn spread<T: Copy + Default>(channels: &[T], shape: Shape, limits: &Limits) -> Result<Vec<T>> {
    let elements = shape.elements().and_then(|elements| usize::try_from(elements).ok());
    let elements = elements.ok_or_else(|| Error::limit(format!("latent of {shape} is too large")))?;
    let mut out: Vec<T> = limits.zeroed(elements, "latent")?;
    out.chunks_exact_mut(channels.len().max(1)).for_each(|pixel| pixel.copy_from_slice(channels));
    Ok(out)
}
