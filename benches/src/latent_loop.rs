//! The serial part of mbt2018's decoder: a context of 5 x 5, three layers of 1x1 convolutions, 192 channels.

use std::sync::Arc;

use lcrs_core::cdf::{default_scale_table, gaussian_table};
use lcrs_core::exact::{Tensor, Unary};
use lcrs_core::rans::{Decoder, Encoder, StreamKind};
use lcrs_core::scan::{Coder, Context, Gaussian, Merge, Network, Parameters, Pointwise, Raster, Scan, SymbolOrder};
use lcrs_core::{Limits, Result, Runtime, Simd};

/// Channels of the latent.
const CHANNELS: usize = 192;

/// The loop with weights of a moderate size, and a latent to code.
#[derive(Debug)]
pub struct LatentLoop {
    scan: Scan,
    side: Tensor,
    y: Tensor,
}

impl LatentLoop {
    /// A latent of `height` x `width`; a picture of 768 x 512 has 32 x 48.
    ///
    /// # Errors
    /// None that sizes in use would bring about.
    pub fn new(simd: Simd, height: usize, width: usize) -> Result<Self> {
        let features = 2 * CHANNELS;
        let mut weight = numbers(features * CHANNELS * 25, 1, 0.05);
        for kernel in weight.chunks_exact_mut(25) {
            kernel[12..].fill(0.0);
        }
        let context = Context::raster(simd, &weight, [features, CHANNELS, 5, 5], Some(&numbers(features, 2, 0.1)))?;
        let sizes = [2 * features, 640, 512, features];
        let weights: Vec<_> = sizes.windows(2).map(|s| numbers(s[0] * s[1], 3 + s[0] as u64, 0.1)).collect();
        let mut biases: Vec<_> = sizes[1..].iter().map(|&outputs| numbers(outputs, 9, 2.0)).collect();
        // scales, then means: scales that fit the latent, so that its symbols are no escapes
        biases[2][..CHANNELS].fill(2.5);
        let layers: Vec<Pointwise> = (0..3)
            .map(|i| Pointwise {
                weight: &weights[i],
                outputs: sizes[i + 1],
                bias: Some(&biases[i]),
                activation: (i < 2).then_some(Unary::LeakyRelu(0.01)),
            })
            .collect();
        let network = Network::new(simd, features, features, Merge::SideFirst, &layers)?;
        let scales = default_scale_table();
        let table = Arc::new(gaussian_table(scales, 1e-9)?);
        let gaussian = Gaussian::new(table, scales[..63].to_vec(), CHANNELS, Parameters::ScalesMeans)?;
        let scan = Scan::Raster(Raster::new(context, network, gaussian, SymbolOrder::Wavefront)?);
        let places = height * width;
        let side = Tensor::from_vec(features, height, width, numbers(places * features, 20, 1.0))?;
        let y = Tensor::from_vec(CHANNELS, height, width, numbers(places * CHANNELS, 21, 8.0))?;
        Ok(Self { scan, side, y })
    }

    /// The stream of the latent.
    ///
    /// # Errors
    /// As [`Scan::run`].
    pub fn encode(&self, rt: &Runtime) -> Result<Vec<u8>> {
        let mut encoder = Encoder::new(StreamKind::Lcrs, rt.simd);
        let mut coder = Coder::Encode { encoder: &mut encoder, y: &self.y };
        self.scan.run(rt, &Limits::default(), &mut coder, &self.side)?;
        encoder.finish()
    }

    /// The values in a stream.
    ///
    /// # Errors
    /// As [`Scan::run`].
    pub fn decode(&self, rt: &Runtime, data: &[u8]) -> Result<Tensor> {
        let mut decoder = Decoder::new(StreamKind::Lcrs, rt.simd, data)?;
        let mut coder = Coder::Decode { decoder: &mut decoder };
        let values = self.scan.run(rt, &Limits::default(), &mut coder, &self.side)?;
        decoder.finish()?;
        Ok(values)
    }
}

/// Numbers of both signs, `spread` from the smallest to the largest.
pub(crate) fn numbers(len: usize, seed: u64, spread: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / 16_777_216.0 - 0.5) * spread
    };
    std::iter::repeat_with(next).take(len).collect()
}
