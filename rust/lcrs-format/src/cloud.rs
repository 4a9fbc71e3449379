//! What a file says of a point cloud.

use crate::constants::{
    GRID_BINARY, GRID_PRODUCT, GRID_RATIONAL, MAX_ATTRIBUTES, MAX_ATTRIBUTE_NAME_LENGTH, MAX_CLOUD_BITS,
    MAX_GRID_NUMBER,
};
use crate::reader::Reader;
use crate::varint::write_varint;
use crate::{Error, Result};

/// The type of a coordinate or of a property of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarType {
    /// 0 to 255.
    U8,
    /// -128 to 127.
    I8,
    /// 0 to 65,535.
    U16,
    /// -32,768 to 32,767.
    I16,
    /// 0 to 2^32 - 1.
    U32,
    /// -2^31 to 2^31 - 1.
    I32,
    /// 0 to 2^64 - 1.
    U64,
    /// -2^63 to 2^63 - 1.
    I64,
    /// binary32.
    F32,
    /// binary64.
    F64,
}

impl ScalarType {
    /// All of them, by their codes.
    pub const ALL: [Self; 10] =
        [Self::U8, Self::I8, Self::U16, Self::I16, Self::U32, Self::I32, Self::U64, Self::I64, Self::F32, Self::F64];

    /// The name that `info` uses, which is NumPy's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
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
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether numbers of this type have fractions.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    fn code(self) -> u8 {
        self as u8
    }

    fn from_code(code: u8) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|number| number.code() == code);
        known.ok_or_else(|| Error::UnsupportedVersion(format!("scalar type {code}, this build knows 0 to 9")))
    }
}

/// Where the voxels of a cloud lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Grid {
    /// The coordinate of voxel v is `(origin + v) * numerator / denominator`.
    Rational {
        /// By axis.
        origin: [i64; 3],
        /// 1 to 2^53.
        numerator: u64,
        /// 1 to 2^53.
        denominator: u64,
    },
    /// The coordinate of voxel v is `(origin + v) * step`.
    Product {
        /// By axis.
        origin: [i64; 3],
        /// Finite, above 0.
        step: f64,
    },
    /// The coordinate of voxel v is `origin + v * step`.
    Binary {
        /// By axis, finite.
        origin: [f64; 3],
        /// Finite, above 0.
        step: f64,
    },
}

impl Grid {
    /// The distance of neighbouring voxels.
    #[must_use]
    pub fn step(&self) -> f64 {
        match self {
            Self::Rational { numerator, denominator, .. } => *numerator as f64 / *denominator as f64,
            Self::Product { step, .. } | Self::Binary { step, .. } => *step,
        }
    }
}

/// A property of points beside their position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name in files: 1 to 255 bytes of UTF-8 without spaces and control characters, not `x`, `y` or `z`.
    pub name: String,
    /// The type of its values.
    pub number: ScalarType,
}

/// What a file says of a point cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloud {
    /// The type of coordinates.
    pub positions: ScalarType,
    /// Whether coordinates are those that were given.
    pub is_lossless: bool,
    /// Points.
    pub num_points: u64,
    /// Leaves of the octree.
    pub num_leaves: u64,
    /// Levels of the octree above its leaves.
    pub depth: u8,
    /// Bits of each coordinate of a voxel below those of its leaf.
    pub low_bits: u8,
    /// Where voxels lie.
    pub grid: Grid,
    /// Properties in the order in which they were given.
    pub attributes: Vec<Attribute>,
}

/// Refuses names of attributes that a file cannot hold, and more of them.
///
/// # Errors
/// [`Error::InvalidArgument`] with the name that is wrong.
pub fn check_attributes<'a>(names: impl ExactSizeIterator<Item = &'a str> + Clone) -> Result<()> {
    attributes_fault(names).map_or(Ok(()), |fault| Err(Error::InvalidArgument(fault)))
}

/// What is illegal about the names of attributes, if anything.
fn attributes_fault<'a>(names: impl ExactSizeIterator<Item = &'a str> + Clone) -> Option<String> {
    if names.len() > MAX_ATTRIBUTES {
        return Some(format!("{} attributes (at most {MAX_ATTRIBUTES})", names.len()));
    }
    let is_legal = |name: &str| {
        let is_plain = !name.chars().any(|c| c.is_whitespace() || c.is_control());
        (1..=MAX_ATTRIBUTE_NAME_LENGTH).contains(&name.len()) && is_plain && !["x", "y", "z"].contains(&name)
    };
    if let Some(name) = names.clone().find(|name| !is_legal(name)) {
        return Some(format!("attribute {} (1 to 255 bytes without spaces, not an axis)", shown(name)));
    }
    let twice = names.clone().enumerate().find(|(i, name)| names.clone().take(*i).any(|known| known == *name));
    twice.map(|(_, name)| format!("attribute {} is there twice", shown(name)))
}

/// A name as a message can show it.
fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}... of {} bytes", &name[..end], name.len()),
        None => format!("{name:?}"),
    }
}

/// Letters of a name that is shown.
const MAX_SHOWN: usize = 40;

/// Whole numbers by axis.
fn read_origin(value: &mut Reader<'_>) -> Result<[i64; 3]> {
    let mut origin = [0; 3];
    for axis in &mut origin {
        *axis = i64::from_le_bytes(value.array("origin")?);
    }
    Ok(origin)
}

impl Cloud {
    /// What is illegal about the values, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        let bits = u32::from(self.depth) + u32::from(self.low_bits);
        if bits > MAX_CLOUD_BITS {
            return Some(format!("{bits} bits of a coordinate (at most {MAX_CLOUD_BITS})"));
        }
        let most = 8_u128.pow(self.depth.into());
        if self.num_leaves > self.num_points
            || (self.num_leaves == 0) != (self.num_points == 0)
            || u128::from(self.num_leaves) > most
            || (self.num_points == 0 && bits > 0)
        {
            let (points, leaves, depth) = (self.num_points, self.num_leaves, self.depth);
            return Some(format!("{points} points in {leaves} leaves of an octree of depth {depth}"));
        }
        if let Some(fault) = self.grid_fault() {
            return Some(fault);
        }
        attributes_fault(self.attributes.iter().map(|attribute| &attribute.name[..]))
    }

    fn grid_fault(&self) -> Option<String> {
        match self.grid {
            Grid::Rational { numerator, denominator, .. } => {
                let legal = 1..=MAX_GRID_NUMBER;
                if !legal.contains(&numerator) || !legal.contains(&denominator) {
                    return Some(format!("voxels of {numerator} / {denominator} (1 to 2^53 each)"));
                }
                (denominator != 1 && !self.positions.is_float())
                    .then(|| format!("voxels of {numerator} / {denominator} for {} coordinates", self.positions.name()))
            }
            Grid::Product { step, .. } => {
                if !step.is_finite() || step <= 0.0 {
                    return Some(format!("voxels of {step:?} (finite, above 0)"));
                }
                (!self.positions.is_float())
                    .then(|| format!("a grid of products for {} coordinates", self.positions.name()))
            }
            Grid::Binary { origin, step } => {
                if !step.is_finite() || step <= 0.0 || origin.iter().any(|v| !v.is_finite()) {
                    return Some(format!("voxels of {step:?} from {origin:?} (finite, above 0)"));
                }
                (!self.positions.is_float())
                    .then(|| format!("a grid of binary64 numbers for {} coordinates", self.positions.name()))
            }
        }
    }

    /// The value of the field of a cloud.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut out = vec![self.positions.code(), self.is_lossless.into()];
        write_varint(&mut out, self.num_points);
        write_varint(&mut out, self.num_leaves);
        out.extend([self.depth, self.low_bits]);
        match self.grid {
            Grid::Rational { origin, numerator, denominator } => {
                out.push(GRID_RATIONAL);
                origin.iter().for_each(|v| out.extend(v.to_le_bytes()));
                write_varint(&mut out, numerator);
                write_varint(&mut out, denominator);
            }
            Grid::Product { origin, step } => {
                out.push(GRID_PRODUCT);
                origin.iter().for_each(|v| out.extend(v.to_le_bytes()));
                out.extend(step.to_le_bytes());
            }
            Grid::Binary { origin, step } => {
                out.push(GRID_BINARY);
                origin.iter().chain([&step]).for_each(|v| out.extend(v.to_le_bytes()));
            }
        }
        out
    }

    /// The value of the field of its attributes; nothing if it has none.
    pub(crate) fn attributes_value(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for attribute in &self.attributes {
            out.extend([attribute.number.code(), attribute.name.len() as u8]);
            out.extend(attribute.name.as_bytes());
        }
        out
    }

    /// Reads the field of a cloud.
    pub(crate) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let positions = ScalarType::from_code(value.byte("type of coordinates")?)?;
        let is_lossless = match value.byte("lossless flag")? {
            flag @ (0 | 1) => flag == 1,
            flag => return Err(Error::Corrupt(format!("lossless flag is {flag} (0 or 1)"))),
        };
        let (num_points, num_leaves) = (value.varint("number of points")?, value.varint("number of leaves")?);
        let [depth, low_bits] = value.array("depth")?;
        let grid = match value.byte("grid")? {
            GRID_RATIONAL => Grid::Rational {
                origin: read_origin(value)?,
                numerator: value.varint("step")?,
                denominator: value.varint("step")?,
            },
            GRID_PRODUCT => {
                Grid::Product { origin: read_origin(value)?, step: f64::from_le_bytes(value.array("step")?) }
            }
            GRID_BINARY => {
                let mut number = || Ok(f64::from_le_bytes(value.array("grid")?));
                Grid::Binary { origin: [number()?, number()?, number()?], step: number()? }
            }
            kind => return Err(Error::UnsupportedVersion(format!("grid {kind}, this build knows 0 to 2"))),
        };
        Ok(Self { positions, is_lossless, num_points, num_leaves, depth, low_bits, grid, attributes: Vec::new() })
    }

    /// Reads the field of attributes.
    pub(crate) fn read_attributes(value: &mut Reader<'_>) -> Result<Vec<Attribute>> {
        let mut attributes = Vec::new();
        while value.remaining() > 0 {
            let [number, length] = value.array("attribute")?;
            let name = value.bytes(length.into(), "name of an attribute")?;
            let name = std::str::from_utf8(name)
                .map_err(|_| Error::Corrupt(format!("name of attribute {} is not UTF-8", attributes.len())))?;
            attributes.push(Attribute { name: name.to_owned(), number: ScalarType::from_code(number)? });
        }
        Ok(attributes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reader::AtEnd;

    #[test]
    fn codes_are_those_of_the_specification() {
        let codes: Vec<u8> = ScalarType::ALL.iter().map(|number| number.code()).collect();
        assert_eq!(codes, (0..10).collect::<Vec<u8>>());
        assert!(ScalarType::ALL.iter().all(|number| ScalarType::from_name(number.name()) == Some(*number)));
        let mut reader = Reader::new(&[3, b'a'], AtEnd::Corrupt);
        assert!(matches!(Cloud::read_attributes(&mut reader), Err(Error::Corrupt(_))));
    }
}
