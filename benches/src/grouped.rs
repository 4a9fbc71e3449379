//! A latent of 256 channels in groups of 32, 64 and 160, each a checkerboard with gains: the scans of a decoder of
//! 34 kMAC a pixel, without the graphs between the groups.

use std::sync::Arc;

use lcrs_core::cdf::{default_scale_table, gaussian_table};
use lcrs_core::exact::{Tensor, Unary};
use lcrs_core::rans::{Decoder, Encoder, StreamKind};
use lcrs_core::scan::{
    channel_groups, Checkerboard, Coder, Context, Gain, Gaussian, Merge, Network, Parameters, Parity, Pointwise,
    RateSettings, Scan,
};
use lcrs_core::{Limits, Result, Runtime, Simd};

use crate::latent_loop::numbers;

/// Channels, side features, context features and hidden features of each group.
const GROUPS: [[usize; 4]; 3] = [[32, 128, 64, 128], [64, 192, 128, 192], [160, 256, 192, 320]];

/// Scans with weights of a moderate size, side information of each group, and a latent to code.
#[derive(Debug)]
pub struct GroupedLatent {
    scans: Vec<Scan>,
    sides: Vec<Tensor>,
    gain: Vec<f32>,
    log_gain: Vec<f32>,
    y: Tensor,
}

impl GroupedLatent {
    /// A latent of `height` x `width`; a picture of 768 x 512 has 32 x 48. With `boards` each group is a checkerboard,
    /// else all its places are coded at once, with no network.
    ///
    /// # Errors
    /// None that sizes in use would bring about.
    pub fn new(simd: Simd, boards: bool, height: usize, width: usize) -> Result<Self> {
        let places = height * width;
        let scales = default_scale_table();
        let table = Arc::new(gaussian_table(scales, 1e-9)?);
        let thresholds: Vec<f32> = scales[..63].iter().map(|scale| scale.ln()).collect();
        let (mut scans, mut sides) = (Vec::new(), Vec::new());
        for [channels, side, features, hidden] in GROUPS {
            let gaussian = Gaussian::new(Arc::clone(&table), thresholds.clone(), channels, Parameters::MeansScales)?;
            if !boards {
                scans.push(Scan::Parallel(gaussian));
                sides.push(Tensor::from_vec(2 * channels, height, width, numbers(2 * places * channels, 31, 1.0))?);
                continue;
            }
            let mut weight = numbers(features * channels * 25, 1, 0.02);
            for (tap, weight) in weight.iter_mut().enumerate() {
                *weight *= (tap % 25 % 2) as f32;
            }
            let context = Context::checkerboard(simd, &weight, [features, channels, 5, 5], None)?;
            let weights = [numbers((features + side) * hidden, 3, 0.1), numbers(hidden * 2 * channels, 4, 0.1)];
            let layer =
                |i: usize, outputs, activation| Pointwise { weight: &weights[i], outputs, bias: None, activation };
            let layers = [layer(0, hidden, Some(Unary::LeakyRelu(0.1))), layer(1, 2 * channels, None)];
            let network = Network::new(simd, side, features, Merge::ContextFirst, &layers)?;
            scans.push(Scan::Checkerboard(Checkerboard::new(context, network, gaussian, Parity::Even)?));
            sides.push(Tensor::from_vec(side, height, width, numbers(places * side, 20, 1.0))?);
        }
        let channels = GROUPS.iter().map(|[channels, ..]| channels).sum();
        let log_gain = numbers(channels, 40, 1.0);
        let gain = log_gain.iter().map(|log_gain| log_gain.exp()).collect();
        let y = Tensor::from_vec(channels, height, width, numbers(places * channels, 21, 2.0))?;
        Ok(Self { scans, sides, gain, log_gain, y })
    }

    /// The stream of the latent.
    ///
    /// # Errors
    /// As [`channel_groups`].
    pub fn encode(&self, rt: &Runtime) -> Result<Vec<u8>> {
        let mut encoder = Encoder::on(StreamKind::Lcrs, rt, self.y.data().len());
        self.run(rt, &mut Coder::Encode { encoder: &mut encoder, y: &self.y })?;
        encoder.finish()
    }

    /// The values in a stream.
    ///
    /// # Errors
    /// As [`channel_groups`].
    pub fn decode(&self, rt: &Runtime, data: &[u8]) -> Result<Tensor> {
        let mut decoder = Decoder::new(StreamKind::Lcrs, rt.simd, data)?;
        let values = self.run(rt, &mut Coder::Decode { decoder: &mut decoder })?;
        decoder.finish()?;
        Ok(values)
    }

    fn run(&self, rt: &Runtime, coder: &mut Coder<'_, '_>) -> Result<Tensor> {
        let gain = Gain::logarithmic(&self.gain, &self.log_gain)?;
        let mut first = 0;
        let settings = self.scans.iter().map(|scan| {
            let gain = gain.of_channels(first, scan.channels())?;
            first += scan.channels();
            Ok(RateSettings { gain: Some(gain), context_bias: None })
        });
        let settings = settings.collect::<Result<Vec<_>>>()?;
        let side = |k: usize, _: &[Tensor]| Ok(self.sides[k].clone());
        channel_groups(rt, &Limits::default(), &self.scans, &settings, coder, side)
    }
}
