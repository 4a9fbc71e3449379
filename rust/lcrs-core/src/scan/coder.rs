//! The two ends of a stream behind one face, so that encoder and decoder run the same scan.

use super::{Gaussian, Steps};
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

impl Coder<'_, '_> {
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

/// Buffers for the symbols of one step.
#[derive(Debug)]
pub(super) struct Exchange {
    simd: Simd,
    scales: Vec<f32>,
    means: Vec<f32>,
    indexes: Vec<i32>,
    symbols: Vec<i32>,
    latents: Vec<f32>,
    values: Vec<f32>,
}

impl Exchange {
    /// Empty buffers, for loops on `simd`.
    pub(super) fn new(simd: Simd) -> Self {
        Self {
            simd,
            scales: Vec::new(),
            means: Vec::new(),
            indexes: Vec::new(),
            symbols: Vec::new(),
            latents: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Codes the symbols of some places, whose parameters lie one place after another in `parameters`, in steps of 1 or others,
    /// and returns their values, channels innermost. `place(i)` is the row and the column of the i-th.
    ///
    /// # Errors
    /// Parameters that are no legal numbers are the caller's fault when encoding, the stream's when decoding.
    pub(super) fn code(
        &mut self,
        coder: &mut Coder,
        gaussian: &Gaussian,
        steps: Option<&Steps>,
        parameters: &[f32],
        place: impl Fn(usize) -> (usize, usize),
    ) -> Result<&[f32]> {
        let is_decoding = matches!(coder, Coder::Decode { .. });
        self.exchange(coder, gaussian, steps, parameters, place).map_err(|e| match e.kind() {
            ErrorKind::InvalidArgument if is_decoding => Error::corrupt(e.message().to_string()),
            _ => e,
        })?;
        Ok(&self.values)
    }

    fn exchange(
        &mut self,
        coder: &mut Coder,
        gaussian: &Gaussian,
        steps: Option<&Steps>,
        parameters: &[f32],
        place: impl Fn(usize) -> (usize, usize),
    ) -> Result<()> {
        self.scales.clear();
        self.means.clear();
        for row in parameters.chunks_exact(gaussian.parameter_channels()) {
            self.scales.extend_from_slice(gaussian.scales(row));
            self.means.extend_from_slice(gaussian.means(row));
        }
        if let Some(steps) = steps {
            steps.scale(self.simd, &mut self.scales);
        }
        let count = self.scales.len();
        self.indexes.resize(count, 0);
        self.symbols.resize(count, 0);
        self.values.resize(count, 0.0);
        let check = |values: &[f32], name: &str| match first_not_finite(self.simd, values) {
            None => Ok(()),
            Some(i) => {
                let ((row, column), value) = (place(i / gaussian.channels()), values[i]);
                Err(Error::invalid(format!("{name} is {value} at row {row}, column {column}: it must be finite")))
            }
        };
        check(&self.means, "mean")?;
        check(&self.scales, "scale")?;
        cdf::indexes(self.simd, &self.scales, gaussian.thresholds(), &mut self.indexes)?;
        let means = gaussian.has_means().then_some(&self.means[..]);
        match coder {
            Coder::Encode { encoder, y } => {
                self.latents.clear();
                for i in 0..count / gaussian.channels() {
                    let (row, column) = place(i);
                    self.latents.extend_from_slice(y.pixel(row, column));
                }
                match steps {
                    Some(steps) => steps.quantize(self.simd, &self.latents, means, &mut self.symbols)?,
                    None => quantize(self.simd, &self.latents, means, &mut self.symbols)?,
                }
                encoder.push(&self.symbols, &self.indexes, gaussian.table())?;
            }
            Coder::Decode { decoder } => {
                decoder.pull(&self.indexes, gaussian.table(), &mut self.symbols)?;
                check_symbols(&self.symbols)?;
            }
        }
        match steps {
            Some(steps) => steps.dequantize(self.simd, &self.symbols, &self.scales, means, &mut self.values)?,
            None => dequantize(&self.symbols, means, &mut self.values)?,
        }
        check(&self.values, "value")
    }
}
