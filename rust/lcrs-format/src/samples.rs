//! What the numbers of a picture or of an array are.

use crate::constants::{
    COLOR_GREY, COLOR_RGB, DEFAULT_BIT_DEPTH, MAX_CHANNELS, NUMBER_F32, NUMBER_I16, NUMBER_I8, NUMBER_U16, NUMBER_U8,
};

/// Colour components of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Red, green, blue.
    Rgb,
    /// One component.
    Grey,
}

impl Color {
    /// The name that `info` uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Grey => "grey",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Rgb => COLOR_RGB,
            Self::Grey => COLOR_GREY,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            COLOR_RGB => Some(Self::Rgb),
            COLOR_GREY => Some(Self::Grey),
            _ => None,
        }
    }
}

/// The type of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// 0 to 255.
    U8,
    /// -128 to 127.
    I8,
    /// 0 to 65,535.
    U16,
    /// -32,768 to 32,767.
    I16,
    /// binary32.
    F32,
}

impl NumberType {
    /// All of them, by their codes.
    pub const ALL: [Self; 5] = [Self::U8, Self::I8, Self::U16, Self::I16, Self::F32];

    /// The name that packages and `info` use, which is NumPy's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::F32 => "float32",
        }
    }

    /// The type of this name, if known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|number| number.name() == name)
    }

    /// Bytes of a number.
    #[must_use]
    pub fn num_bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::F32 => 4,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::U8 => NUMBER_U8,
            Self::I8 => NUMBER_I8,
            Self::U16 => NUMBER_U16,
            Self::I16 => NUMBER_I16,
            Self::F32 => NUMBER_F32,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|number| number.code() == code)
    }
}

/// What is stored for each pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    /// Colours, whose components are whole numbers from 0 to `2^bit_depth - 1`.
    Picture {
        /// Which components there are.
        color: Color,
        /// Bits of a component, 1 to 16.
        bit_depth: u8,
    },
    /// Numbers without a meaning for the eye, of a range that the model knows.
    Array {
        /// Their type.
        number: NumberType,
        /// How many for each pixel, 1 to 2^20.
        channels: u32,
    },
}

impl Samples {
    /// 8-bit red, green, blue: what files have that do not say otherwise.
    pub const RGB8: Self = Self::Picture { color: Color::Rgb, bit_depth: DEFAULT_BIT_DEPTH };

    /// Numbers for each pixel.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Picture { color: Color::Rgb, .. } => 3,
            Self::Picture { color: Color::Grey, .. } => 1,
            Self::Array { channels, .. } => channels as usize,
        }
    }

    /// The type of each number: of pictures the smallest one that holds the bits.
    #[must_use]
    pub fn number(self) -> NumberType {
        match self {
            Self::Picture { bit_depth, .. } if bit_depth <= 8 => NumberType::U8,
            Self::Picture { .. } => NumberType::U16,
            Self::Array { number, .. } => number,
        }
    }

    /// What is illegal about the values, if anything.
    pub(crate) fn fault(self) -> Option<String> {
        match self {
            Self::Picture { bit_depth, .. } if !(1..=16).contains(&bit_depth) => {
                Some(format!("bit depth is {bit_depth} (1 to 16)"))
            }
            Self::Array { channels, .. } if !(1..=MAX_CHANNELS).contains(&channels) => {
                Some(format!("{channels} channels (1 to {MAX_CHANNELS})"))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Picture { color, bit_depth } => write!(f, "{bit_depth}-bit {}", color.name()),
            Self::Array { number, channels } => write!(f, "{channels} channels of {}", number.name()),
        }
    }
}
