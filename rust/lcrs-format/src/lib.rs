//! The `.lcrs` container: what a file says about itself, and where its entropy-coded sections lie.
//!
//! This crate knows bytes, lengths and checksums; it knows no model, no coder and no picture. The
//! format itself is specified, field by field, below.
//!
//! [`pack`] writes a file from a [`Header`] and its sections, [`parse`] reads one without copying
//! any payload, [`bytes_needed`] tells how long a file is from its first bytes. Every byte of a file is covered by a CRC-32C or is checked by value, so a damaged
//! file is an [`Error`], never a wrong picture.
//!
//! ```
//! use lcrs_format::{pack, parse, Header, Limits, Section};
//!
//! let header = Header::new("photo", 768, 512);
//! let latent = Section { latent: 0, kind: 1, precision: 16, data: b"entropy-coded bytes" };
//! let file = pack(&header, &[latent], &[])?;
//! let container = parse(&file, &Limits::default())?;
//! assert_eq!(container.header, header);
//! assert_eq!(container.sections, [latent]);
//! # Ok::<(), lcrs_format::Error>(())
//! ```
#![doc = "\n# Specification\n"]
#![doc = include_str!("../README.md")]

mod cloud;
mod constants;
mod error;
mod header;
mod limits;
mod pack;
mod parse;
mod reader;
mod samples;
mod varint;

pub use cloud::{check_attributes, Attribute, Cloud, Grid, ScalarType};
pub use constants::{
    DEFAULT_BIT_DEPTH, DIGEST_PREFIX_LENGTH, FORMAT_VERSION, LOSSLESS, MAGIC, MAX_HEADER_LENGTH, MAX_NAME_LENGTH,
    MAX_SECTIONS,
};
pub use error::{Error, Result};
pub use header::{check_model_name, Cicp, Header, Numerics};
pub use limits::Limits;
pub use pack::pack;
pub use parse::{bytes_needed, parse, Container};
pub use samples::{Color, NumberType, Samples};
pub use varint::{read_varint, write_varint};

/// One entropy-coded section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Position of the latent in the model's coding order, or number of the part of a cloud, 0 to 127.
    pub latent: u8,
    /// Code of the stream kind; its meaning belongs to the coder.
    pub kind: u8,
    /// Precision of the tables in bits.
    pub precision: u8,
    /// The coded bytes.
    pub data: &'a [u8],
}

/// What a piece of metadata is. Decoders may ignore all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetadataKind {
    /// An ICC profile, kept as it was, never applied.
    Icc,
    /// An EXIF block, from its TIFF header on.
    Exif,
    /// An XMP packet, UTF-8.
    Xmp,
    /// IPTC-IIM records, from the first tag marker on.
    Iptc,
}

impl MetadataKind {
    /// All kinds, in the order in which files hold them.
    pub const ALL: [Self; 4] = [Self::Icc, Self::Exif, Self::Xmp, Self::Iptc];

    pub(crate) fn section_id(self) -> u8 {
        match self {
            Self::Icc => constants::SECTION_ICC,
            Self::Exif => constants::SECTION_EXIF,
            Self::Xmp => constants::SECTION_XMP,
            Self::Iptc => constants::SECTION_IPTC,
        }
    }

    pub(crate) fn from_section_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.section_id() == id)
    }
}

/// Metadata that travels with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// What the bytes are.
    pub kind: MetadataKind,
    /// The bytes as they were given.
    pub data: &'a [u8],
}
