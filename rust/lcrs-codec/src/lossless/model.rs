//! What is known of pixels while they are coded one after the other.

use lcrs_core::rans::binary::{AdaptiveBit, BitCoder};
use lcrs_core::{Limits, Result};

use super::prediction::{place, History, MAX_CONFIDENCE};
use super::residual::{class, Residuals, CLASSES};
use super::window::{component, Around, Pixel};

/// Predictions from contexts of three sizes, the largest first.
const PREDICTORS: usize = 3;

/// Outcomes of a predictor that count as context: four.
const OUTCOMES: usize = 16;

/// Which of two other predictions are the same; whether the pixels at the left and above are.
const AGREEMENTS: usize = 4;
const NEIGHBOURS: usize = 4;

/// Which pixels around equal each other: six pairs.
const PATTERNS: usize = 64;

/// In this order: green tells most of the others.
const ORDER_RGB: [usize; 3] = [1, 0, 2];

/// All that was learned of a band.
#[derive(Debug)]
pub(super) struct Model {
    is_rgb: bool,
    max: i32,
    histories: [History; PREDICTORS],
    outcomes: [usize; PREDICTORS],
    is_predicted: Vec<AdaptiveBit>,
    is_neighbour: Vec<AdaptiveBit>,
    /// The last pixel with each green.
    greens: History,
    is_known_green: [AdaptiveBit; MAX_CONFIDENCE + 1],
    residuals: Vec<Residuals>,
}

/// The pixels that one is not.
#[derive(Default)]
struct Tried {
    pixels: [Pixel; PREDICTORS + NEIGHBOURS],
    count: usize,
}

impl Tried {
    #[inline(always)]
    fn has(&self, pixel: Pixel) -> bool {
        self.pixels[..self.count].contains(&pixel)
    }

    #[inline(always)]
    fn add(&mut self, pixel: Pixel) {
        self.pixels[self.count] = pixel;
        self.count += 1;
    }
}

impl Model {
    /// Of pixels of one or three components of so many bits.
    pub(super) fn new(channels: usize, bits: u32, limits: &Limits) -> Result<Self> {
        let kinds = |count| limits.zeroed(count, "what is known of pixels");
        let history = || History::new(limits);
        Ok(Self {
            is_rgb: channels == 3,
            max: (1 << bits) - 1,
            histories: [history()?, history()?, history()?],
            outcomes: [0; PREDICTORS],
            is_predicted: kinds(PREDICTORS * (MAX_CONFIDENCE + 1) * OUTCOMES * AGREEMENTS * NEIGHBOURS)?,
            is_neighbour: kinds(PATTERNS * NEIGHBOURS * 2)?,
            greens: history()?,
            is_known_green: [AdaptiveBit::default(); MAX_CONFIDENCE + 1],
            residuals: (0..channels).map(|_| Residuals::new(bits, limits)).collect::<Result<_>>()?,
        })
    }

    /// Bytes that it takes, for all that channels and bits may be.
    pub(super) fn bytes() -> u64 {
        let kinds = PREDICTORS * (MAX_CONFIDENCE + 1) * OUTCOMES * AGREEMENTS * NEIGHBOURS + PATTERNS * NEIGHBOURS * 2;
        4 * History::BYTES + 3 * Residuals::BYTES + (kinds * size_of::<AdaptiveBit>()) as u64
    }

    /// Codes the pixel that stands where `a` is around. An encoder takes `given`.
    #[inline(always)]
    pub(super) fn code(&mut self, coder: &mut impl BitCoder, a: &Around, given: Pixel) -> Pixel {
        let places = [
            place([a.w, a.n, a.nw, a.ne, a.ww, a.nn, a.nww, a.nee, a.nne, a.nnw, a.www]),
            place([a.w, a.n, a.nw, a.ne]),
            place([a.w, a.n]),
        ];
        let pixel = self.pixel(coder, a, places, given);
        for (history, place) in self.histories.iter_mut().zip(places) {
            history.learn(place, pixel);
        }
        pixel
    }

    #[inline(always)]
    fn pixel(&mut self, coder: &mut impl BitCoder, a: &Around, places: [usize; PREDICTORS], given: Pixel) -> Pixel {
        let mut tried = Tried::default();
        let predictions = [0, 1, 2].map(|j| self.histories[j].at(places[j]));
        for (j, prediction) in predictions.into_iter().enumerate() {
            let Some(pixel) = prediction.known().filter(|pixel| !tried.has(*pixel)) else { continue };
            let agrees = |k: usize| predictions.get(j + k).is_some_and(|other| other.known() == Some(pixel));
            let agreement = usize::from(agrees(1)) | usize::from(agrees(2)) << 1;
            let neighbours = usize::from(pixel == a.n) | usize::from(pixel == a.w) << 1;
            let trust = j * (MAX_CONFIDENCE + 1) + prediction.confidence();
            let kind = ((trust * OUTCOMES + self.outcomes[j]) * AGREEMENTS + agreement) * NEIGHBOURS + neighbours;
            let is_it = coder.code(&mut self.is_predicted[kind], pixel == given);
            self.outcomes[j] = (self.outcomes[j] << 1 | usize::from(is_it)) % OUTCOMES;
            if is_it {
                return pixel;
            }
            tried.add(pixel);
        }
        self.unpredicted(coder, a, tried, given)
    }

    /// A pixel that is none of those predicted.
    fn unpredicted(&mut self, coder: &mut impl BitCoder, a: &Around, mut tried: Tried, given: Pixel) -> Pixel {
        let pairs = [(a.w, a.n), (a.w, a.nw), (a.n, a.nw), (a.n, a.ne), (a.w, a.ww), (a.n, a.nn)];
        let pattern = pairs.iter().enumerate().map(|(i, (one, other))| usize::from(one == other) << i).sum::<usize>();
        for (i, pixel) in [a.w, a.n, a.nw, a.ne].into_iter().enumerate() {
            if tried.has(pixel) {
                continue;
            }
            let kind = (pattern * NEIGHBOURS + i) * 2 + usize::from(tried.count > 1);
            if coder.code(&mut self.is_neighbour[kind], pixel == given) {
                return pixel;
            }
            tried.add(pixel);
        }
        if self.is_rgb {
            self.new_colour(coder, a, given)
        } else {
            let (expected, activity) = expectation(a, 0);
            self.residuals[0].code(coder, activity, expected, component(given, 0)) as Pixel
        }
    }

    /// Green, then the last pixel with this green, else red and blue: how far green was off tells of them.
    fn new_colour(&mut self, coder: &mut impl BitCoder, a: &Around, given: Pixel) -> Pixel {
        let [first, others @ ..] = ORDER_RGB;
        let (expected, activity) = expectation(a, first);
        let green = self.residuals[first].code(coder, activity, expected, component(given, first));
        let off = green - expected;
        let mut pixel = (green as Pixel) << (16 * first);
        let seen = self.greens.at(green as usize);
        if let Some(known) = seen.known() {
            if coder.code(&mut self.is_known_green[seen.confidence()], known == given) {
                self.greens.learn(green as usize, known);
                return known;
            }
        }
        let mut size = class(off.unsigned_abs());
        for i in others {
            let (expected, activity) = expectation(a, i);
            let expected = (expected + off).clamp(0, self.max);
            let found = self.residuals[i].code(coder, size * CLASSES + activity, expected, component(given, i));
            pixel |= (found as Pixel) << (16 * i);
            size = class((found - expected).unsigned_abs());
        }
        self.greens.learn(green as usize, pixel);
        pixel
    }
}

/// What is expected of a component, the median of left, above, and their sum less what is between (Martucci 1990), and
/// how much those around differ, as a class.
fn expectation(a: &Around, i: usize) -> (i32, usize) {
    let [w, n, nw, ne] = [a.w, a.n, a.nw, a.ne].map(|pixel| component(pixel, i));
    let expected = (w + n - nw).clamp(w.min(n), w.max(n));
    let activity = (w - nw).unsigned_abs() + (n - nw).unsigned_abs() + (n - ne).unsigned_abs();
    (expected, class(activity))
}
