//! What a file says about itself, and which of that is legal.

use crate::constants::{DIGEST_PREFIX_LENGTH, LOSSLESS, MAX_NAME_LENGTH, MIN_BAND_PIXELS, NUMERICS_F32_FMA_1};
use crate::{Cloud, Samples};

/// The name of the arithmetic that decided every symbol and pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numerics {
    /// `f32-fma/1`: binary32 chains of fused multiply-adds in a fixed order.
    F32Fma1,
}

impl Numerics {
    /// The name that packages and `info` use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32Fma1 => "f32-fma/1",
        }
    }

    /// The arithmetic of this name, if known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::F32Fma1.name()).then_some(Self::F32Fma1)
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::F32Fma1 => NUMERICS_F32_FMA_1,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        (code == NUMERICS_F32_FMA_1).then_some(Self::F32Fma1)
    }
}

/// What the numbers of the picture mean as colours, by the code points of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cicp {
    /// Colour primaries.
    pub primaries: u8,
    /// Transfer characteristics.
    pub transfer: u8,
    /// Matrix coefficients; 0 for red, green and blue.
    pub matrix: u8,
    /// Whether the numbers use all of their range.
    pub is_full_range: bool,
}

impl Cicp {
    pub(crate) fn to_bytes(self) -> [u8; 4] {
        [self.primaries, self.transfer, self.matrix, self.is_full_range.into()]
    }

    pub(crate) fn from_bytes([primaries, transfer, matrix, range]: [u8; 4]) -> Option<Self> {
        (range <= 1).then_some(Self { primaries, transfer, matrix, is_full_range: range == 1 })
    }
}

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Name of the model that wrote the file: 1 to 64 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
    pub model: String,
    /// First bytes of the SHA-256 over everything that decides a symbol.
    pub entropy_digest: [u8; DIGEST_PREFIX_LENGTH],
    /// First bytes of the SHA-256 over everything that turns symbols into pixels.
    pub synthesis_digest: [u8; DIGEST_PREFIX_LENGTH],
    /// Visible width in pixels, at least 1.
    pub width: u32,
    /// Visible height in pixels, at least 1.
    pub height: u32,
    /// Columns to cut off at the left of what the model decodes.
    pub crop_left: u32,
    /// Rows to cut off at the top of what the model decodes.
    pub crop_top: u32,
    /// Width and height of what the model decodes, where that is more than the uncropped picture, padded as the
    /// model pads.
    pub decoded: Option<(u32, u32)>,
    /// What is stored for each pixel.
    pub samples: Samples,
    /// Whether a single channel has an axis of its own: (height, width, 1), not (height, width). Several always have one.
    pub has_channel_axis: bool,
    /// Quality from 0 to 100 of a variable-rate model; `None` for a fixed rate.
    pub quality: Option<f32>,
    /// Columns and rows of the tile grid; version 1 has one tile.
    pub tiles: (u32, u32),
    /// The arithmetic that the file was made with.
    pub numerics: Numerics,
    /// Whether every machine decodes the same symbols.
    pub is_portable: bool,
    /// Pixels an inch, across and down, for print: finite, above 0.
    pub resolution: Option<(f32, f32)>,
    /// The meaning of the components as colours; it comes before an ICC profile, and that before the next two.
    pub cicp: Option<Cicp>,
    /// Exponent from light to components, in units of 1/100,000, above 0.
    pub gamma: Option<u32>,
    /// x and y of the white point, of red, of green and of blue, in units of 1/100,000.
    pub chromaticities: Option<[u32; 8]>,
    /// Rows of a band of a picture that is kept to the bit, without a model; 1 to the height. Then nothing is said that a model has.
    pub lossless_rows: Option<u32>,
    /// A point cloud in place of a picture: then width and height are 1, and nothing else is said that a picture has.
    pub cloud: Option<Cloud>,
}

impl Header {
    /// The header of an 8-bit RGB picture from a fixed-rate model, uncropped, portable, with digests of zero.
    #[must_use]
    pub fn new(model: &str, width: u32, height: u32) -> Self {
        Self {
            model: model.to_owned(),
            entropy_digest: [0; DIGEST_PREFIX_LENGTH],
            synthesis_digest: [0; DIGEST_PREFIX_LENGTH],
            width,
            height,
            crop_left: 0,
            crop_top: 0,
            decoded: None,
            samples: Samples::RGB8,
            has_channel_axis: true,
            quality: None,
            tiles: (1, 1),
            numerics: Numerics::F32Fma1,
            is_portable: true,
            resolution: None,
            cicp: None,
            gamma: None,
            chromaticities: None,
            lossless_rows: None,
            cloud: None,
        }
    }

    /// The header of a cloud, portable, with digests of zero.
    #[must_use]
    pub fn of_cloud(model: &str, cloud: Cloud) -> Self {
        Self { cloud: Some(cloud), ..Self::new(model, 1, 1) }
    }

    /// The header of an 8-bit RGB picture that is kept to the bit, in bands of so many rows.
    #[must_use]
    pub fn of_lossless(width: u32, height: u32, band_rows: u32) -> Self {
        Self { lossless_rows: Some(band_rows), ..Self::new(LOSSLESS, width, height) }
    }

    /// What a lossless picture says that only one of a model has, or does not say.
    fn fault_of_lossless(&self, rows: u32) -> Option<String> {
        if rows == 0 || rows > self.height {
            return Some(format!("bands of {rows} rows (1 to {})", self.height));
        }
        let pixels = u64::from(self.width) * u64::from(rows);
        if rows < self.height && pixels < MIN_BAND_PIXELS {
            return Some(format!("bands of {pixels} pixels, several have at least {MIN_BAND_PIXELS} each"));
        }
        let of_model = Self {
            width: self.width,
            height: self.height,
            samples: self.samples,
            has_channel_axis: self.has_channel_axis,
            resolution: self.resolution,
            cicp: self.cicp,
            gamma: self.gamma,
            chromaticities: self.chromaticities,
            ..Self::of_lossless(self.width, self.height, rows)
        };
        if *self != of_model {
            return Some("a lossless picture with the name, digests, rate or size of a model".to_owned());
        }
        matches!(self.samples, Samples::Array { .. }).then(|| "a lossless array, must be a picture".to_owned())
    }

    /// Whether something is said that only a picture or an array has.
    fn is_of_picture(&self) -> bool {
        let plain = Self {
            entropy_digest: self.entropy_digest,
            synthesis_digest: self.synthesis_digest,
            numerics: self.numerics,
            is_portable: self.is_portable,
            cloud: self.cloud.clone(),
            ..Self::new(&self.model, 1, 1)
        };
        *self != plain
    }

    /// What is illegal about the values, if anything. The same rules hold for writing and for reading.
    pub(crate) fn fault(&self) -> Option<String> {
        if let Err(message) = check_model_name(&self.model) {
            return Some(message);
        }
        if let Some(cloud) = &self.cloud {
            let is_of_picture = || "a point cloud with the size, samples or colours of a picture".to_owned();
            return cloud.fault().or_else(|| self.is_of_picture().then(is_of_picture));
        }
        if self.width == 0 || self.height == 0 {
            return Some(format!("picture of {} x {}, at least 1 x 1 is needed", self.width, self.height));
        }
        let right = self.crop_left.checked_add(self.width);
        let bottom = self.crop_top.checked_add(self.height);
        if right.is_none() || bottom.is_none() {
            return Some(format!("crop offset {}, {} moves the picture past 2^32", self.crop_left, self.crop_top));
        }
        if let (Some((width, height)), Some(right), Some(bottom)) = (self.decoded, right, bottom) {
            if width < right || height < bottom {
                return Some(format!("decoded size is {width} x {height}, the picture goes to {right} x {bottom}"));
            }
        }
        if let Some(fault) = self.samples.fault() {
            return Some(fault);
        }
        if !self.has_channel_axis && self.samples.channels() != 1 {
            return Some(format!("{} channels without an axis", self.samples.channels()));
        }
        if let Some((x, y)) = self.resolution {
            if ![x, y].iter().all(|number| number.is_finite() && *number > 0.0) {
                return Some(format!("resolution is {x} x {y} pixels an inch (finite, above 0)"));
            }
        }
        if self.gamma == Some(0) {
            return Some("gamma is 0 (above 0)".to_owned());
        }
        if let Some(fault) = self.lossless_rows.and_then(|rows| self.fault_of_lossless(rows)) {
            return Some(fault);
        }
        match self.quality {
            Some(quality) if !(0.0..=100.0).contains(&quality) => Some(format!("quality is {quality} (0 to 100)")),
            _ => None,
        }
    }
}

/// Checks a model name: it names a file in a folder of models, so it must not wander out of it.
///
/// # Errors
/// A message that says what is legal.
pub fn check_model_name(name: &str) -> std::result::Result<(), String> {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.is_empty() || name.len() > MAX_NAME_LENGTH || name.starts_with('.') || !name.bytes().all(is_legal) {
        return Err(format!(
            "model name {name:?} is not 1 to {MAX_NAME_LENGTH} of A-Z a-z 0-9 . _ - without a leading dot"
        ));
    }
    Ok(())
}
