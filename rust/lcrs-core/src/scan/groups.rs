//! Any scan, and groups of channels coded one after another.

use super::coder::{Exchange, Rule};
use super::raster::check_side;
use super::relay::relay;
use super::{Checkerboard, Coder, Gaussian, Raster, RateSettings};
use crate::exact::{for_chunks, Tensor};
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
        self.run_with(rt, limits, coder, side, RateSettings::default())
    }

    /// The same under the settings of this run.
    ///
    /// # Errors
    /// As [`Scan::run`]; [`crate::ErrorKind::InvalidArgument`] for settings that do not fit or are not finite.
    pub fn run_with(
        &self,
        rt: &Runtime,
        limits: &Limits,
        coder: &mut Coder,
        side: &Tensor,
        settings: RateSettings,
    ) -> Result<Tensor> {
        match self {
            Self::Parallel(gaussian) => parallel(rt, limits, coder, gaussian, side, settings),
            Self::Raster(scan) => scan.run(rt, limits, coder, side, settings),
            Self::Checkerboard(scan) => scan.run(rt, limits, coder, side, settings),
        }
    }
}

/// Symbols that are prepared together, about: few enough for the second-level cache.
const SYMBOLS: usize = 1 << 13;

/// One step over all places.
fn parallel(
    rt: &Runtime,
    limits: &Limits,
    coder: &mut Coder,
    gaussian: &Gaussian,
    side: &Tensor,
    settings: RateSettings,
) -> Result<Tensor> {
    check_side(rt.simd, side, gaussian.parameter_channels(), "parameters")?;
    settings.check(rt.simd, gaussian.channels(), None)?;
    let (_, height, width) = side.shape();
    coder.check_shape(gaussian.channels(), height, width)?;
    let mut out = Tensor::output(rt, limits, (gaussian.channels(), height, width))?;
    let (channels, parameters) = (gaussian.channels(), gaussian.parameter_channels());
    let rule = Rule { simd: rt.simd, gaussian, gain: settings.gain, y: coder.latent() };
    let chunk = (SYMBOLS / channels).max(1);
    let place = |at: usize| (at / width, at % width);
    let make = |i: usize, exchange: &mut Exchange| {
        let parameters = chunk_of(side.data(), i, chunk * parameters);
        exchange.prepare(&rule, parameters, |at| place(i * chunk + at))
    };
    relay(&rt.pool, (height * width).div_ceil(chunk), make, |i, exchange| {
        let values = exchange.transfer(&rule, coder, |at| place(i * chunk + at))?;
        out.data_mut()[i * chunk * channels..][..values.len()].copy_from_slice(values);
        Ok(())
    })?;
    Ok(out)
}

/// Chunk `i` of `len` elements, or what there is of it.
fn chunk_of(data: &[f32], i: usize, len: usize) -> &[f32] {
    &data[i * len..data.len().min((i + 1) * len)]
}

/// Codes a latent in groups of channels, group k by `scans[k]` under `settings[k]` (Minnen and Singh 2020; He et al. 2022,
/// "ELIC"), and returns the values of all groups, concatenated. `side(k, known)` gives the side information of group k from the
/// values of the groups before.
///
/// # Errors
/// As [`Scan::run_with`], with the group's number, and what `side` returns; also if there are not as many settings as scans.
pub fn channel_groups(
    rt: &Runtime,
    limits: &Limits,
    scans: &[Scan],
    settings: &[RateSettings],
    coder: &mut Coder,
    side: impl FnMut(usize, &[Tensor]) -> Result<Tensor>,
) -> Result<Tensor> {
    refined_channel_groups(rt, limits, scans, settings, coder, side, |_, values| Ok(values))
}

/// As [`channel_groups`], but later groups and the caller are given `refine(k, values)` in place of the values of group k, a tensor of
/// their shape (Minnen and Singh 2020, "latent residual prediction").
///
/// # Errors
/// As [`channel_groups`], and what `refine` returns.
pub fn refined_channel_groups(
    rt: &Runtime,
    limits: &Limits,
    scans: &[Scan],
    settings: &[RateSettings],
    coder: &mut Coder,
    mut side: impl FnMut(usize, &[Tensor]) -> Result<Tensor>,
    mut refine: impl FnMut(usize, Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    if scans.len() != settings.len() {
        return Err(Error::invalid(format!("{} scans have {} rate settings", scans.len(), settings.len())));
    }
    let channels: usize = scans.iter().map(Scan::channels).sum();
    if let Coder::Encode { y, .. } = coder {
        if y.channels() != channels {
            return Err(Error::invalid(format!("latent has {} channels, the groups have {channels}", y.channels())));
        }
    }
    let mut known: Vec<Tensor> = Vec::with_capacity(scans.len());
    let mut first = 0;
    for (k, (scan, &settings)) in scans.iter().zip(settings).enumerate() {
        let side = side(k, &known)?;
        let own = (size_of::<f32>() * scan.channels() * side.height() * side.width()) as u64;
        let limits = &limits.without(bytes(&known) + side.bytes() + own, "groups of channels")?;
        let values = match coder {
            Coder::Encode { encoder, y } => {
                let mut own = Tensor::output(rt, limits, (scan.channels(), y.height(), y.width()))?;
                copy_channels(rt, y, first, &mut own, 0, scan.channels())?;
                scan.run_with(rt, limits, &mut Coder::Encode { encoder, y: &own }, &side, settings)
            }
            Coder::Decode { decoder } => scan.run_with(rt, limits, &mut Coder::Decode { decoder }, &side, settings),
        };
        let values = values.and_then(|values| refine(k, values));
        known.push(values.map_err(|e| e.at(format_args!("channel group {k}")))?);
        first += scan.channels();
    }
    joined(rt, &limits.without(bytes(&known), "groups of channels")?, &known, channels)
}

fn bytes(tensors: &[Tensor]) -> u64 {
    tensors.iter().map(Tensor::bytes).sum()
}

/// All groups side by side.
fn joined(rt: &Runtime, limits: &Limits, groups: &[Tensor], channels: usize) -> Result<Tensor> {
    let size = |group: &Tensor| (group.height(), group.width());
    let (height, width) = groups.first().map(size).ok_or_else(|| Error::invalid("there are no groups of channels"))?;
    let mut all = Tensor::output(rt, limits, (channels, height, width))?;
    let mut first = 0;
    for (k, group) in groups.iter().enumerate() {
        if size(group) != (height, width) {
            let (rows, columns) = size(group);
            let message = format!("{rows} x {columns} places, but group 0 has {height} x {width}");
            return Err(Error::invalid(message).at(format_args!("channel group {k}")));
        }
        copy_channels(rt, group, 0, &mut all, first, group.channels())?;
        first += group.channels();
    }
    Ok(all)
}

/// Copies `count` channels of `from`, those from `first` on, to those from `to_first` on of `to`, which has as many places.
fn copy_channels(
    rt: &Runtime,
    from: &Tensor,
    first: usize,
    to: &mut Tensor,
    to_first: usize,
    count: usize,
) -> Result<()> {
    let (row, width, pixel) = (from.width() * from.channels(), to.width(), to.channels());
    for_chunks(&rt.pool, to.data_mut(), width * pixel, |y, to| {
        let from = from.data()[y * row..][..row].chunks_exact(from.channels());
        for (to, from) in to.chunks_exact_mut(pixel).zip(from) {
            to[to_first..to_first + count].copy_from_slice(&from[first..first + count]);
        }
        Ok(())
    })
}
