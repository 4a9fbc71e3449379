//! From samples to the numbers that networks take, and back; the crate's README specifies both.

use lcrs_core::{Error, Result};
use lcrs_format::{Color, NumberType, Samples};

/// Components of a picture that a network sees, whatever the picture has.
const COMPONENTS: usize = 3;

/// What a package says of the arrays that its networks were made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ArraySamples {
    pub number: NumberType,
    pub channels: u32,
    /// What is 0 for a network; smaller samples count as this.
    pub minimum: f32,
    /// What is 1 for a network; larger samples count as this.
    pub maximum: f32,
}

impl ArraySamples {
    pub(crate) fn samples(self) -> Samples {
        Samples::Array { number: self.number, channels: self.channels }
    }

    fn read<T: Into<f64>>(self, samples: impl Iterator<Item = T>, numbers: &mut [f32]) {
        numbers.iter_mut().zip(samples).for_each(|(number, sample)| *number = self.to_number(sample.into()));
    }

    /// The number for a network, from 0 to 1.
    fn to_number(self, sample: f64) -> f32 {
        let (minimum, maximum) = (f64::from(self.minimum), f64::from(self.maximum));
        ((sample.clamp(minimum, maximum) - minimum) / (maximum - minimum)) as f32
    }

    /// The sample that a number from 0 to 1 stands for, before it is rounded to the type.
    fn to_sample(self, number: f32) -> f64 {
        let (minimum, maximum) = (f64::from(self.minimum), f64::from(self.maximum));
        (f64::from(number) * (maximum - minimum) + minimum).clamp(minimum, maximum)
    }
}

/// How the samples of one picture become numbers.
#[derive(Debug, Clone)]
pub(crate) enum Scale {
    Picture {
        color: Color,
        bit_depth: u8,
        /// The number of each component of up to 8 bits.
        levels: Vec<f32>,
    },
    Array(ArraySamples),
}

impl Scale {
    /// The scale of `samples` for a model of pictures (none) or of arrays.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::InvalidArgument`] if the model does not code such samples.
    pub(crate) fn new(samples: Samples, model: Option<ArraySamples>, name: &str) -> Result<Self> {
        match (samples, model) {
            (Samples::Picture { color, bit_depth }, None) => {
                let levels = match samples.number() {
                    NumberType::U8 => (0..=largest(bit_depth)).map(|c| c as f32 / largest(bit_depth) as f32).collect(),
                    _ => Vec::new(),
                };
                Ok(Self::Picture { color, bit_depth, levels })
            }
            (_, Some(array)) if array.samples() == samples => Ok(Self::Array(array)),
            (_, Some(array)) => {
                Err(Error::invalid(format!("{samples} given, model '{name}' codes {}", array.samples())))
            }
            (_, None) => Err(Error::invalid(format!("{samples} given, model '{name}' codes pictures, rgb or grey"))),
        }
    }

    /// Numbers that a network takes for each pixel.
    pub(crate) fn channels(&self) -> usize {
        channels(match self {
            Self::Picture { .. } => None,
            Self::Array(array) => Some(*array),
        })
    }

    /// The numbers of a row of samples; there is room for as many.
    pub(crate) fn read(&self, row: &[u8], numbers: &mut [f32]) {
        match self {
            Self::Picture { color, bit_depth, levels } if *bit_depth <= 8 => {
                let level = |component: &u8| levels.get(usize::from(*component)).copied().unwrap_or(1.0);
                spread(*color, row.iter().map(level), numbers);
            }
            Self::Picture { color, bit_depth, .. } => {
                let largest = largest(*bit_depth) as f32;
                spread(*color, words(row).map(|component| f32::from(component) / largest), numbers);
            }
            Self::Array(array) => match array.number {
                NumberType::U8 => array.read(row.iter().copied(), numbers),
                NumberType::I8 => array.read(row.iter().map(|sample| *sample as i8), numbers),
                NumberType::U16 => array.read(words(row), numbers),
                NumberType::I16 => array.read(words(row).map(|sample| sample as i16), numbers),
                NumberType::F32 => array.read(floats(row), numbers),
            },
        }
    }

    /// Appends the samples of a row of numbers, none of which is a NaN.
    pub(crate) fn write(&self, numbers: &[f32], row: &mut Vec<u8>) {
        match self {
            Self::Picture { color, bit_depth, .. } => {
                let largest = largest(*bit_depth) as f32;
                let component = |number: f32| (number * largest).round_ties_even();
                match (color, *bit_depth <= 8) {
                    (Color::Rgb, true) => row.extend(numbers.iter().map(|n| component(n.clamp(0.0, 1.0)) as u8)),
                    (Color::Rgb, false) => {
                        row.extend(numbers.iter().flat_map(|n| (component(n.clamp(0.0, 1.0)) as u16).to_le_bytes()));
                    }
                    (Color::Grey, true) => row.extend(means(numbers).map(|n| component(n) as u8)),
                    (Color::Grey, false) => {
                        row.extend(means(numbers).flat_map(|n| (component(n) as u16).to_le_bytes()));
                    }
                }
            }
            Self::Array(array) => {
                let samples = numbers.iter().map(|number| array.to_sample(number.clamp(0.0, 1.0)));
                let whole = samples.clone().map(f64::round_ties_even);
                match array.number {
                    NumberType::U8 => row.extend(whole.map(|sample| sample as u8)),
                    NumberType::I8 => row.extend(whole.map(|sample| sample as i8 as u8)),
                    NumberType::U16 => row.extend(whole.flat_map(|sample| (sample as u16).to_le_bytes())),
                    NumberType::I16 => row.extend(whole.flat_map(|sample| (sample as i16).to_le_bytes())),
                    NumberType::F32 => row.extend(samples.flat_map(|sample| (sample as f32).to_le_bytes())),
                }
            }
        }
    }
}

/// Numbers that the networks of a model take for each pixel: those of a picture are red, green and blue.
pub(crate) fn channels(model: Option<ArraySamples>) -> usize {
    model.map_or(COMPONENTS, |array| array.channels as usize)
}

/// The first sample that is none of `samples`, in words.
pub(crate) fn fault(samples: Samples, data: &[u8]) -> Option<String> {
    match samples {
        Samples::Picture { bit_depth: 8 | 16, .. } => None,
        Samples::Picture { bit_depth, .. } => {
            let largest = largest(bit_depth);
            let bad = |(i, component): (usize, u16)| {
                (u32::from(component) > largest).then(|| format!("component {i} is {component} (0 to {largest})"))
            };
            match samples.number() {
                NumberType::U8 => data.iter().map(|component| u16::from(*component)).enumerate().find_map(bad),
                _ => words(data).enumerate().find_map(bad),
            }
        }
        Samples::Array { number: NumberType::F32, .. } => {
            let bad = |(i, sample): (usize, f32)| {
                (!sample.is_finite()).then(|| format!("sample {i} is {sample}, must be finite"))
            };
            floats(data).enumerate().find_map(bad)
        }
        Samples::Array { .. } => None,
    }
}

/// The largest component of so many bits.
pub(crate) fn largest(bit_depth: u8) -> u32 {
    (1 << bit_depth) - 1
}

/// A grey component is red, green and blue in one.
fn spread(color: Color, components: impl Iterator<Item = f32>, numbers: &mut [f32]) {
    match color {
        Color::Rgb => numbers.iter_mut().zip(components).for_each(|(number, component)| *number = component),
        Color::Grey => numbers.chunks_exact_mut(COMPONENTS).zip(components).for_each(|(pixel, grey)| pixel.fill(grey)),
    }
}

/// Grey from red, green and blue.
fn means(numbers: &[f32]) -> impl Iterator<Item = f32> + '_ {
    numbers.chunks_exact(COMPONENTS).map(|pixel| {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(|number| number.clamp(0.0, 1.0));
        ((red + green) + blue) / COMPONENTS as f32
    })
}

fn words(row: &[u8]) -> impl Iterator<Item = u16> + '_ {
    row.chunks_exact(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn floats(row: &[u8]) -> impl Iterator<Item = f32> + '_ {
    row.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}
