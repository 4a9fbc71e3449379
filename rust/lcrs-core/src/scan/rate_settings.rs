//! What may differ from one run of a scan to the next.

use super::Gain;
use crate::exact::check_parameters;
use crate::{Error, Result, Simd};

/// What may differ from one run of a scan to the next, for a variable rate.
#[derive(Debug, Clone, Copy, Default)]
pub struct RateSettings<'a> {
    /// For step sizes of quantisation other than 1.
    pub gain: Option<Gain<'a>>,
    /// What the chains of the context begin with instead of its bias, one number for each feature.
    pub context_bias: Option<&'a [f32]>,
}

impl RateSettings<'_> {
    /// Refuses what does not fit a scan of `channels`, with so many features of its context if it has one.
    pub(super) fn check(&self, simd: Simd, channels: usize, features: Option<usize>) -> Result<()> {
        if let Some(gain) = &self.gain {
            gain.check_channels(channels)?;
        }
        let Some(bias) = self.context_bias else {
            return Ok(());
        };
        match features {
            None => Err(Error::invalid("there is a context bias, but no context")),
            Some(features) if bias.len() != features => {
                Err(Error::invalid(format!("context bias of {} numbers for {features} features", bias.len())))
            }
            Some(_) => check_parameters(simd, bias, "context bias"),
        }
    }
}
