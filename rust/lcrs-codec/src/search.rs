//! Which quality to try next on the way to a target. Every step is exact arithmetic on what trials gave, so the search
//! goes the same way on every machine.

use lcrs_core::exact::math::ln;
use lcrs_core::{Error, Result};

/// What a file shall have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Bits of the whole file for each pixel, to within 1 %.
    BitsPerPixel(f64),
    /// Bytes of the whole file: no more, and no less than 99 % of it.
    Size(u64),
    /// Decibels of the decoded samples, to within 0.05.
    Psnr(f64),
}

/// How far bytes may be from the target, as a part of it.
const SIZE_TOLERANCE: f64 = 0.01;

/// How far a PSNR may be from the target, in decibels.
const PSNR_TOLERANCE: f64 = 0.05;

/// Growth of the logarithm of the size, and of the PSNR in decibels, with one step of quality: what is supposed before two
/// trials tell.
const SUPPOSED_LOG_SIZE: f64 = 0.027;
const SUPPOSED_PSNR: f64 = 0.12;

/// A trial a bit inside of the bracket always shortens it.
const MARGIN: f64 = 0.05;

/// A search ends after as many trials at the latest; four are usual.
const MAX_TRIALS: usize = 16;

/// Qualities nearer than this make no difference.
const SMALLEST_STEP: f32 = 1.0 / 4096.0;

const FIRST_QUALITY: f32 = 50.0;
const BEST_QUALITY: f32 = 100.0;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Trial {
    quality: f32,
    /// Bytes or decibels.
    value: f64,
    /// The same where it grows about linearly with quality, less that of the target.
    excess: f64,
}

/// A search for the quality of a target.
#[derive(Debug, Clone)]
pub struct Search {
    target: Target,
    /// In bytes or decibels.
    goal: f64,
    num_pixels: f64,
    trials: Vec<Trial>,
    best: Option<Trial>,
    /// The last trials on both sides of the goal.
    low: Option<Trial>,
    high: Option<Trial>,
}

impl Search {
    /// A search for a picture of so many pixels.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::InvalidArgument`] for a target that is not above 0 or not finite.
    pub fn new(target: Target, num_pixels: u64) -> Result<Self> {
        let num_pixels = num_pixels as f64;
        let (name, given, goal) = match target {
            Target::BitsPerPixel(bits) => ("target_bpp", bits, bits * num_pixels / 8.0),
            Target::Size(bytes) => ("target_size", bytes as f64, bytes as f64),
            Target::Psnr(decibels) => ("target_psnr", decibels, decibels),
        };
        if !goal.is_finite() || given <= 0.0 {
            return Err(Error::invalid(format!("{name} is {given}, must be above 0 and finite")));
        }
        Ok(Self { target, goal, num_pixels, trials: Vec::new(), best: None, low: None, high: None })
    }

    /// The quality to try next, 0 to 100; none once the search has ended.
    #[must_use]
    pub fn next_quality(&self) -> Option<f32> {
        let Some(last) = self.trials.last() else { return Some(FIRST_QUALITY) };
        if self.trials.iter().any(|trial| self.is_reached(trial)) || self.trials.len() == MAX_TRIALS {
            return None;
        }
        match (self.low, self.high) {
            (Some(low), Some(high)) => self.between(low, high),
            (Some(low), None) if low.quality < BEST_QUALITY => {
                Some(self.beyond(*last).clamp(low.quality, BEST_QUALITY))
            }
            (None, Some(high)) if high.quality > 0.0 => Some(self.beyond(*last).clamp(0.0, high.quality)),
            _ => None,
        }
    }

    /// Takes the bytes, or the PSNR, of a file at `quality`. Gives whether it is the best one until now.
    pub fn record(&mut self, quality: f32, value: f64) -> bool {
        // equal samples have no finite PSNR
        let value = value.min(f64::MAX);
        let scale = |value: f64| if self.is_rate() { ln(value) } else { value };
        let trial = Trial { quality, value, excess: scale(value) - scale(self.aim()) };
        self.trials.push(trial);
        *(if trial.excess <= 0.0 { &mut self.low } else { &mut self.high }) = Some(trial);
        let is_best = self.best.is_none_or(|best| self.cost(&trial) < self.cost(&best));
        if is_best {
            self.best = Some(trial);
        }
        is_best
    }

    /// How many files were tried.
    #[must_use]
    pub fn num_trials(&self) -> usize {
        self.trials.len()
    }

    /// Says, once the search has ended, what was reached instead of the target; none if it was reached.
    #[must_use]
    pub fn shortfall(&self) -> Option<String> {
        let best = self.best.filter(|best| !self.is_reached(best))?;
        let reason = match (self.low, self.high) {
            (None, Some(high)) if high.quality <= 0.0 => "the least that the model gives",
            (Some(low), None) if low.quality >= BEST_QUALITY => "the most that the model gives",
            _ => "the nearest that was found",
        };
        let (asked, found, unit) = match self.target {
            Target::BitsPerPixel(asked) => {
                (asked.to_string(), format!("{:.4}", 8.0 * best.value / self.num_pixels), "bits a pixel")
            }
            Target::Size(asked) => (asked.to_string(), best.value.to_string(), "bytes"),
            Target::Psnr(asked) => (asked.to_string(), format!("{:.2}", best.value), "dB"),
        };
        Some(format!("asked for {asked} {unit}: the file has {found}, {reason} (quality {})", best.quality))
    }

    fn is_rate(&self) -> bool {
        !matches!(self.target, Target::Psnr(_))
    }

    /// What the search goes for: the middle of what is accepted.
    fn aim(&self) -> f64 {
        match self.target {
            Target::Size(_) => self.goal * (1.0 - SIZE_TOLERANCE / 2.0),
            Target::BitsPerPixel(_) | Target::Psnr(_) => self.goal,
        }
    }

    fn is_reached(&self, trial: &Trial) -> bool {
        match self.target {
            Target::Size(_) => trial.value <= self.goal && trial.value >= (1.0 - SIZE_TOLERANCE) * self.goal,
            Target::BitsPerPixel(_) => (trial.value - self.goal).abs() <= SIZE_TOLERANCE * self.goal,
            Target::Psnr(_) => (trial.value - self.goal).abs() <= PSNR_TOLERANCE,
        }
    }

    /// How bad a trial is: a size above the target is worse than any below.
    fn cost(&self, trial: &Trial) -> (bool, f64) {
        let is_above = matches!(self.target, Target::Size(_)) && trial.value > self.goal;
        (is_above, (trial.value - self.goal).abs())
    }

    /// A quality between two, where a line between them, or that of the trials at one side, meets the goal.
    fn between(&self, low: Trial, high: Trial) -> Option<f32> {
        let (start, width) = (f64::from(low.quality), f64::from(high.quality) - f64::from(low.quality));
        let is_one_sided = self.trials.len() > 2
            && self.trials[self.trials.len() - 3..]
                .windows(2)
                .all(|pair| (pair[0].excess > 0.0) == (pair[1].excess > 0.0));
        let part = if is_one_sided { 0.5 } else { -low.excess / (high.excess - low.excess) };
        let quality = (start + width * part.clamp(MARGIN, 1.0 - MARGIN)) as f32;
        let is_wide = width.abs() > f64::from(SMALLEST_STEP);
        (is_wide && quality != low.quality && quality != high.quality).then_some(quality)
    }

    /// Where the goal lies, supposed that values go on as they did.
    fn beyond(&self, last: Trial) -> f32 {
        let supposed = if self.is_rate() { SUPPOSED_LOG_SIZE } else { SUPPOSED_PSNR };
        let slope = match self.trials.as_slice() {
            [.., before, _] => (last.excess - before.excess) / f64::from(last.quality - before.quality),
            _ => supposed,
        };
        // A nearly level stretch, or one the wrong way, says nothing about what lies beyond.
        let slope = slope.max(supposed / 8.0);
        let step = -last.excess / slope;
        let shortest = f64::from(SMALLEST_STEP).copysign(step);
        (f64::from(last.quality) + if step.abs() < shortest.abs() { shortest } else { step }) as f32
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a search on a model of what files have; gives the best one and its quality.
    fn found(target: Target, num_pixels: u64, model: impl Fn(f32) -> f64) -> (f64, f32, Search) {
        let mut search = Search::new(target, num_pixels).unwrap();
        let mut best = (0.0, 0.0);
        while let Some(quality) = search.next_quality() {
            assert!((0.0..=100.0).contains(&quality));
            let value = model(quality);
            if search.record(quality, value) {
                best = (value, quality);
            }
        }
        (best.0, best.1, search)
    }

    /// Bytes of a photograph of half a megapixel.
    fn bytes(quality: f32) -> f64 {
        let bend = 0.6 * f64::from(quality * (100.0 - quality)) / 2500.0;
        (4500.0 * (0.027 * f64::from(quality) + bend).exp()).floor()
    }

    proptest! {
        #[test]
        fn sizes_within_the_range_are_met_from_below(goal in 4600_u64..66_000) {
            let (size, _, search) = found(Target::Size(goal), 393_216, bytes);
            prop_assert!(size <= goal as f64 && size >= 0.99 * goal as f64, "{size} for {goal}");
            prop_assert_eq!(search.shortfall(), None);
            prop_assert!(search.num_trials() <= 6, "{} trials", search.num_trials());
        }

        #[test]
        fn bits_within_the_range_are_met(goal in 0.1_f64..1.3) {
            let (size, _, search) = found(Target::BitsPerPixel(goal), 393_216, bytes);
            prop_assert!((8.0 * size / 393_216.0 / goal - 1.0).abs() <= 0.01, "{size} for {goal}");
            prop_assert!(search.num_trials() <= 6, "{} trials", search.num_trials());
        }

        #[test]
        fn psnr_within_the_range_is_met(goal in 28.1_f64..41.9) {
            let psnr = |quality: f32| 28.0 + 14.0 * (f64::from(quality) / 100.0).powf(0.7);
            let (decibels, _, search) = found(Target::Psnr(goal), 393_216, psnr);
            prop_assert!((decibels - goal).abs() <= 0.05, "{decibels} for {goal}");
            prop_assert!(search.num_trials() <= 8, "{} trials", search.num_trials());
        }

        /// Whatever trials give, the search ends, and the best is as near as any.
        #[test]
        fn any_search_ends(goal in 1_u64..10_000, values in prop::collection::vec(1.0_f64..10_000.0, 16)) {
            let mut search = Search::new(Target::Size(goal), 1).unwrap();
            let mut tried = Vec::new();
            let mut best = 0.0;
            while let Some(quality) = search.next_quality() {
                prop_assert!((0.0..=100.0).contains(&quality));
                let value = values[tried.len()].floor();
                tried.push(value);
                if search.record(quality, value) {
                    best = value;
                }
            }
            let below = tried.iter().copied().filter(|value| *value <= goal as f64).fold(0.0, f64::max);
            let above = tried.iter().copied().fold(f64::MAX, f64::min);
            prop_assert_eq!(best, if below > 0.0 { below } else { above });
        }
    }

    #[test]
    fn beyond_the_range_the_end_is_taken_and_told() {
        let (size, quality, search) = found(Target::Size(1000), 393_216, bytes);
        assert_eq!((size, quality), (bytes(0.0), 0.0));
        let message = search.shortfall().unwrap();
        assert!(
            message.contains("asked for 1000 bytes: the file has 4500, the least") && message.contains("the least"),
            "{message}"
        );
        let (size, quality, search) = found(Target::BitsPerPixel(40.0), 393_216, bytes);
        assert_eq!((size, quality), (bytes(100.0), 100.0));
        let message = search.shortfall().unwrap();
        assert!(message.contains("asked for 40 bits a pixel") && message.contains("the most"), "{message}");
    }

    #[test]
    fn steps_that_miss_the_target_are_told() {
        let (size, _, search) = found(Target::Size(150), 64, |quality| if quality < 33.3 { 140.0 } else { 160.0 });
        assert_eq!(size, 140.0);
        assert!(search.shortfall().unwrap().contains("the file has 140, the nearest"));
        let (decibels, _, search) = found(Target::Psnr(60.0), 1, |_| f64::INFINITY);
        assert_eq!(decibels, f64::INFINITY);
        assert!(search.shortfall().is_some());
    }

    #[test]
    fn targets_must_be_above_zero_and_finite() {
        for target in [
            Target::Size(0),
            Target::BitsPerPixel(-1.0),
            Target::BitsPerPixel(f64::NAN),
            Target::BitsPerPixel(f64::INFINITY),
            Target::Psnr(0.0),
        ] {
            assert!(Search::new(target, 1).is_err(), "{target:?}");
        }
    }
}
