//! Any scan, and groups of channels coded one after another.

use super::coder::Exchange;
use super::raster::check_side;
use super::{Checkerboard, Coder, Conditions, Gaussian, Raster};
use crate::exact::{concat, slice, Tensor};
use crate::{Error, Limits, Result, Runtime};

/// One of the scans over places.
#[derive(Debug)]
pub enum Scan {
    /// All places at once: `side` holds their parameters.
    Parallel(Gaussian),
    /// Raster scan.
    Raster(Raster),
    /// Checkerboard.
    Checkerboard(Checkerboard),
}

impl Scan {
    /// Channels of the latent.
    #[must_use]
    pub fn channels(&self) -> usize {
        match self {
            Self::Parallel(gaussian) => gaussian.channels(),
            Self::Raster(scan) => scan.channels(),
            Self::Checkerboard(scan) => scan.channels(),
        }
    }

    /// Codes a latent of the height and width of `side` and returns its values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if shapes do not fit or parameters or latents are not finite;
    /// [`crate::ErrorKind::Limit`] beyond the limits; decoding, also `Truncated`, `Corrupt` or `Desync`.
    pub fn run(&self, rt: &Runtime, limits: &Limits, coder: &mut Coder, side: &Tensor) -> Result<Tensor> {
        self.run_with(rt, limits, coder, side, Conditions::default())
    }

    /// The same under conditions of this run.
    ///
    /// # Errors
    /// As [`Scan::run`]; [`crate::ErrorKind::InvalidArgument`] for conditions that do not fit or are not finite.
    pub fn run_with(
        &self,
        rt: &Runtime,
        limits: &Limits,
        coder: &mut Coder,
        side: &Tensor,
        conditions: Conditions,
    ) -> Result<Tensor> {
        match self {
            Self::Parallel(gaussian) => parallel(rt, limits, coder, gaussian, side, conditions),
            Self::Raster(scan) => scan.run(rt, limits, coder, side, conditions),
            Self::Checkerboard(scan) => scan.run(rt, limits, coder, side, conditions),
        }
    }
}

/// One step over all places.
fn parallel(
    rt: &Runtime,
    limits: &Limits,
    coder: &mut Coder,
    gaussian: &Gaussian,
    side: &Tensor,
    conditions: Conditions,
) -> Result<Tensor> {
    check_side(rt.simd, side, gaussian.parameter_channels(), "parameters")?;
    conditions.check(rt.simd, gaussian.channels(), None)?;
    let (_, height, width) = side.shape();
    coder.check_shape(gaussian.channels(), height, width)?;
    let mut out = Tensor::zeroed(gaussian.channels(), height, width, limits)?;
    let mut exchange = Exchange::new(rt.simd);
    let (row_len, side_len) = (width * gaussian.channels(), width * side.channels());
    let rows = out.data_mut().chunks_exact_mut(row_len.max(1)).zip(side.data().chunks_exact(side_len.max(1)));
    for (y, (row, parameters)) in rows.enumerate() {
        row.copy_from_slice(exchange.code(coder, gaussian, conditions.steps.as_ref(), parameters, |x| (y, x))?);
    }
    Ok(out)
}

/// Codes a latent in groups of channels, group k by `scans[k]` under `conditions[k]` (Minnen and Singh 2020; He et al. 2022,
/// "ELIC"), and returns the values of all groups, concatenated. `side(k, known)` gives the side information of group k from the
/// values of the groups before.
///
/// # Errors
/// As [`Scan::run_with`], with the group's number, and what `side` returns; also if there are not as many conditions as scans.
pub fn channel_groups(
    rt: &Runtime,
    limits: &Limits,
    scans: &[Scan],
    conditions: &[Conditions],
    coder: &mut Coder,
    mut side: impl FnMut(usize, &[Tensor]) -> Result<Tensor>,
) -> Result<Tensor> {
    if scans.len() != conditions.len() {
        return Err(Error::invalid(format!("{} scans have {} conditions", scans.len(), conditions.len())));
    }
    let channels: usize = scans.iter().map(Scan::channels).sum();
    if let Coder::Encode { y, .. } = coder {
        if y.channels() != channels {
            return Err(Error::invalid(format!("latent has {} channels, the groups have {channels}", y.channels())));
        }
    }
    let mut known: Vec<Tensor> = Vec::with_capacity(scans.len());
    let mut first = 0;
    for (k, (scan, &conditions)) in scans.iter().zip(conditions).enumerate() {
        let side = side(k, &known)?;
        let values = match coder {
            Coder::Encode { encoder, y } => {
                let y = slice(limits, y, first, scan.channels())?;
                scan.run_with(rt, limits, &mut Coder::Encode { encoder, y: &y }, &side, conditions)
            }
            Coder::Decode { decoder } => scan.run_with(rt, limits, &mut Coder::Decode { decoder }, &side, conditions),
        };
        known.push(values.map_err(|e| e.at(format_args!("channel group {k}")))?);
        first += scan.channels();
    }
    concat(limits, &known.iter().collect::<Vec<_>>())
}
