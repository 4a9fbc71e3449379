//! The two ends of a stream behind one face, so that encoder and decoder run the same scan.

use super::{Gain, Gaussian};
use crate::buffer_pool::{make_room, set_len};
use crate::exact::{check_symbols, dequantize, first_not_finite, quantize, Tensor};
use crate::rans::{Decoder, Encoder};
use crate::{cdf, Error, ErrorKind, Result, Simd};

/// Where symbols go to or come from.
#[derive(Debug)]
pub enum Coder<'a, 'd> {
    /// Symbols of `y` are written.
    Encode {
        /// The stream; other symbols may have been written before, and others may follow.
        encoder: &'a mut Encoder,
        /// The latent, of as many channels as the scan codes.
        y: &'a Tensor,
    },
    /// Symbols are read.
    Decode {
        /// The stream, at the first symbol of the scan.
        decoder: &'a mut Decoder<'d>,
    },
}

impl<'a> Coder<'a, '_> {
    /// What is encoded.
    pub(super) fn latent(&self) -> Option<&'a Tensor> {
        match self {
            Self::Encode { y, .. } => Some(y),
            Self::Decode { .. } => None,
        }
    }

    /// Refuses a latent that does not have the shape the scan is about to code.
    pub(super) fn check_shape(&self, channels: usize, height: usize, width: usize) -> Result<()> {
        match self {
            Self::Encode { y, .. } if y.shape() != (channels, height, width) => Err(Error::invalid(format!(
                "latent has the shape {:?} (channels, height, width), the scan codes {:?}",
                y.shape(),
                (channels, height, width)
            ))),
            _ => Ok(()),
        }
    }
}

/// How the symbols of a run are coded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule<'a> {
    pub(super) simd: Simd,
    pub(super) gaussian: &'a Gaussian,
    /// For step sizes of quantisation other than 1.
    pub(super) gain: Option<Gain<'a>>,
    /// What is encoded; none while decoding.
    pub(super) y: Option<&'a Tensor>,
}

/// Buffers for the symbols of some places, on the way between parameters, a stream and values.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    scales: Vec<f32>,
    means: Vec<f32>,
    indexes: Vec<i32>,
    symbols: Vec<i32>,
    latents: Vec<f32>,
    values: Vec<f32>,
}

impl Exchange {
    /// Does all that needs no stream for some places, whose parameters lie one place after another in `parameters`: table
    /// rows, and when encoding symbols and values as well. `place(i)` is the row and the column of the i-th.
    ///
    /// # Errors
    /// Parameters that are no legal numbers are the caller's fault when encoding, the stream's when decoding.
    pub(super) fn prepare(
        &mut self,
        rule: &Rule,
        parameters: &[f32],
        place: impl Fn(usize) -> (usize, usize),
    ) -> Result<()> {
        rule.blame(self.look_up(rule, parameters, &place))?;
        let Some(y) = rule.y else {
            return Ok(());
        };
        self.latents.clear();
        make_room(&mut self.latents, self.scales.len(), "latents of a step")?;
        for i in 0..self.scales.len() / rule.gaussian.channels() {
            let (row, column) = place(i);
            self.latents.extend_from_slice(y.pixel(row, column));
        }
        let means = rule.gaussian.has_means().then_some(&self.means[..]);
        match &rule.gain {
            Some(gain) => gain.quantize(rule.simd, &self.latents, means, &mut self.symbols)?,
            None => quantize(rule.simd, &self.latents, means, &mut self.symbols)?,
        }
        self.restore(rule, place)
    }

    /// Writes the symbols that are prepared to the stream, or reads them, and returns their values, channels innermost.
    ///
    /// # Errors
    /// As [`Exchange::prepare`], and those of the coder.
    pub(super) fn transfer(
        &mut self,
        rule: &Rule,
        coder: &mut Coder,
        place: impl Fn(usize) -> (usize, usize),
    ) -> Result<&[f32]> {
        let table = rule.gaussian.table();
        match coder {
            Coder::Encode { encoder, .. } => encoder.push(&self.symbols, &self.indexes, table)?,
            Coder::Decode { decoder } => {
                rule.blame(decoder.pull(&self.indexes, table, &mut self.symbols))?;
                check_symbols(&self.symbols)?;
                rule.blame(self.restore(rule, place))?;
            }
        }
        Ok(&self.values)
    }

    /// Table rows of scales, and means.
    fn look_up(&mut self, rule: &Rule, parameters: &[f32], place: impl Fn(usize) -> (usize, usize)) -> Result<()> {
        let gaussian = rule.gaussian;
        self.scales.clear();
        self.means.clear();
        let count = parameters.len() / gaussian.parameter_channels() * gaussian.channels();
        make_room(&mut self.scales, count, "scales of a step")?;
        if gaussian.has_means() {
            make_room(&mut self.means, count, "means of a step")?;
        }
        for row in parameters.chunks_exact(gaussian.parameter_channels()) {
            self.scales.extend_from_slice(gaussian.scales(row));
            self.means.extend_from_slice(gaussian.means(row));
        }
        if let Some(gain) = &rule.gain {
            gain.scale(rule.simd, &mut self.scales);
        }
        let count = self.scales.len();
        set_len(&mut self.indexes, count, "table indexes of a step")?;
        set_len(&mut self.symbols, count, "symbols of a step")?;
        set_len(&mut self.values, count, "values of a step")?;
        rule.check(&self.means, "mean", &place)?;
        rule.check(&self.scales, "scale", &place)?;
        cdf::indexes(rule.simd, &self.scales, gaussian.thresholds(), &mut self.indexes)
    }

    /// Values of symbols.
    fn restore(&mut self, rule: &Rule, place: impl Fn(usize) -> (usize, usize)) -> Result<()> {
        let means = rule.gaussian.has_means().then_some(&self.means[..]);
        match &rule.gain {
            Some(gain) => gain.dequantize(rule.simd, &self.symbols, &self.scales, means, &mut self.values)?,
            None => dequantize(&self.symbols, means, &mut self.values)?,
        }
        rule.check(&self.values, "value", place)
    }
}

impl Rule<'_> {
    /// Refuses numbers that are not finite.
    fn check(&self, values: &[f32], name: &str, place: impl Fn(usize) -> (usize, usize)) -> Result<()> {
        let Some(i) = first_not_finite(self.simd, values) else {
            return Ok(());
        };
        let ((row, column), value) = (place(i / self.gaussian.channels()), values[i]);
        Err(Error::invalid(format!("{name} is {value} at row {row}, column {column}: it must be finite")))
    }

    /// While decoding there is no argument that could be wrong.
    fn blame<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|e| match e.kind() {
            ErrorKind::InvalidArgument if self.y.is_none() => Error::corrupt(e.message().to_string()),
            _ => e,
        })
    }
}
