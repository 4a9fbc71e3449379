//! What travels with a picture.

use lcrs_core::{Error, Limits, Result};
use lcrs_format::{Container, Header, Metadata, MetadataKind};

pub use lcrs_format::Cicp;

/// Metadata that travels with a picture: kept as it is, never applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PictureMetadata {
    /// An ICC profile.
    pub icc: Option<Vec<u8>>,
    /// An EXIF block from its TIFF header on.
    pub exif: Option<Vec<u8>>,
    /// An XMP packet, UTF-8.
    pub xmp: Option<Vec<u8>>,
    /// IPTC-IIM records.
    pub iptc: Option<Vec<u8>>,
    /// Pixels an inch, across and down: finite, above 0.
    pub resolution: Option<(f32, f32)>,
    /// What the components mean as colours.
    pub cicp: Option<Cicp>,
    /// Exponent from light to components, in units of 1/100,000, above 0.
    pub gamma: Option<u32>,
    /// x and y of the white point, of red, of green and of blue, in units of 1/100,000.
    pub chromaticities: Option<[u32; 8]>,
}

impl PictureMetadata {
    /// What a file carries.
    pub(crate) fn of(container: &Container<'_>) -> Self {
        let (header, sections) = (&container.header, &container.metadata);
        let of = |kind| sections.iter().find(|metadata| metadata.kind == kind).map(|metadata| metadata.data.to_vec());
        Self {
            icc: of(MetadataKind::Icc),
            exif: of(MetadataKind::Exif),
            xmp: of(MetadataKind::Xmp),
            iptc: of(MetadataKind::Iptc),
            resolution: header.resolution,
            cicp: header.cicp,
            gamma: header.gamma,
            chromaticities: header.chromaticities,
        }
    }

    /// What has a section of its own, in the order in which files hold them.
    pub(crate) fn sections(&self) -> Vec<Metadata<'_>> {
        let of = |kind| match kind {
            MetadataKind::Icc => &self.icc,
            MetadataKind::Exif => &self.exif,
            MetadataKind::Xmp => &self.xmp,
            MetadataKind::Iptc => &self.iptc,
        };
        MetadataKind::ALL
            .into_iter()
            .filter_map(|kind| of(kind).as_deref().map(|data| Metadata { kind, data }))
            .collect()
    }

    /// Puts into a header what has its place there.
    pub(crate) fn write_fields(&self, header: &mut Header) {
        header.resolution = self.resolution;
        header.cicp = self.cicp;
        header.gamma = self.gamma;
        header.chromaticities = self.chromaticities;
    }

    /// Bytes of all sections.
    pub(crate) fn num_bytes(&self) -> u64 {
        self.sections().iter().map(|metadata| metadata.data.len() as u64).sum()
    }

    /// Refuses more than the limits allow.
    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        let bytes = self.num_bytes();
        if bytes > limits.max_metadata_bytes {
            let limit = limits.max_metadata_bytes;
            let message = format!("metadata of {bytes} bytes, at most {limit} are allowed (max_metadata_bytes)");
            return Err(Error::limit(message));
        }
        Ok(())
    }
}
