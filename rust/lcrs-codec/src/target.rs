//! Compressing to a size or a distortion, by trials on the real coder.

use lcrs_core::exact::math::ln;
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::NumberType;

use crate::analysis::{Analysis, Source};
use crate::compress::{besides, check, write};
use crate::decompress::decompress;
use crate::graph::Job;
use crate::quality::level;
use crate::{CompressOptions, DecompressOptions, Package, Picture, Search, Target};

/// A file for a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Targeted {
    /// The file.
    pub data: Vec<u8>,
    /// How many were made to find it.
    pub num_trials: usize,
    /// What was reached instead of the target, in words, if it was not.
    pub shortfall: Option<String>,
}

/// Compresses `picture` at the quality that gives what is asked for, or as near to it as the model goes. The bytes depend
/// on nothing else but the options. What of g_a does not depend on the quality is run once; the rest, all of it for some
/// models, and the coder are run for each trial; for a PSNR the decoder, too.
///
/// # Errors
/// As [`crate::compress()`]; [`lcrs_core::ErrorKind::InvalidArgument`] too for options with a quality, a model of a fixed rate, or
/// a target that is not above 0.
pub fn compress_to_target(
    package: &Package,
    picture: &Picture,
    target: Target,
    options: &CompressOptions,
    rt: &Runtime,
    limits: &Limits,
) -> Result<Targeted> {
    if let Some(quality) = options.quality {
        return Err(Error::invalid(format!("quality is {quality}, but a target is given: one of them sets the rate")));
    }
    if package.levels().is_none() {
        let name = package.name();
        return Err(Error::invalid(format!("model '{name}' has a fixed rate: a target needs one of variable rate")));
    }
    let layout = picture.layout();
    let mut search = Search::new(target, u64::from(layout.width) * u64::from(layout.height))?;
    let any_quality = CompressOptions { quality: Some(0.0), ..options.clone() };
    let (_, height, width) = check(package, &layout, &any_quality, limits)?;
    let scale = package.scale(layout.samples)?;
    let limits = &besides(picture, options, limits)?;
    let source = Source { picture, scale: &scale, height, width };
    let analysis = Analysis::new(package, source, Job { rt, limits, level: Some(0.0) })?;
    let mut best = Vec::new();
    while let Some(quality) = search.next_quality() {
        let job = Job { rt, limits, level: level(package, Some(quality))? };
        let y = analysis.at_level(job)?;
        let limits = job.holding(analysis.held() + best.len() as u64, "what trials share")?;
        let data = write(package, &y, &layout, Some(quality), options, Job { limits: &limits, ..job })?;
        let limits = job.holding(analysis.held() + (best.len() + data.len()) as u64, "what trials share")?;
        drop(y);
        let value = match target {
            Target::Psnr(_) => {
                let restored = decompress(package, &data, &DecompressOptions::default(), rt, &limits)?;
                psnr(picture, &restored, package.peak(layout.samples))
            }
            Target::BitsPerPixel(_) | Target::Size(_) => data.len() as f64,
        };
        if search.record(quality, value) {
            best = data;
        }
    }
    Ok(Targeted { data: best, num_trials: search.num_trials(), shortfall: search.shortfall() })
}

/// The peak signal-to-noise ratio of samples of one layout in decibels; infinite if they are equal.
fn psnr(given: &Picture, restored: &Picture, peak: f64) -> f64 {
    let (given_data, data) = (given.data(), restored.data());
    let count = data.len() / given.samples().number().num_bytes();
    let squares = match given.samples().number() {
        NumberType::U8 => sum_of_squares(given_data, data, u8::from_le_bytes),
        NumberType::I8 => sum_of_squares(given_data, data, i8::from_le_bytes),
        NumberType::U16 => sum_of_squares(given_data, data, u16::from_le_bytes),
        NumberType::I16 => sum_of_squares(given_data, data, i16::from_le_bytes),
        NumberType::F32 => sum_of_squares(given_data, data, f32::from_le_bytes),
    };
    if squares == 0.0 {
        return f64::INFINITY;
    }
    10.0 / ln(10.0) * ln(peak * peak * count as f64 / squares)
}

/// Of the differences, one after the other: of whole numbers exact, of others the same everywhere.
fn sum_of_squares<T: Into<f64>, const N: usize>(a: &[u8], b: &[u8], number: impl Fn([u8; N]) -> T) -> f64 {
    let read = |bytes: &[u8]| {
        let mut number_bytes = [0; N];
        number_bytes.copy_from_slice(bytes);
        number(number_bytes).into()
    };
    let squares = a.chunks_exact(N).zip(b.chunks_exact(N)).map(|(a, b)| {
        let difference = read(a) - read(b);
        difference * difference
    });
    squares.sum()
}
