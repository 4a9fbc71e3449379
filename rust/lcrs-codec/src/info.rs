//! What a file says about itself, without its model.

use lcrs_core::rans::StreamKind;
use lcrs_core::{Limits, Result};
use lcrs_format::{parse, Cloud, Grid, MetadataKind, Samples, FORMAT_VERSION};
use serde_json::{json, Value};

use crate::container::{format_limits, from_format};
use crate::digest_text::hex;
use crate::lossless;
use crate::points::{part, FIRST_ATTRIBUTE};

/// One entropy-coded section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionInfo {
    /// Position in the coding order of the model.
    pub latent: u8,
    /// Name of the stream kind.
    pub kind: &'static str,
    /// Bits of table precision.
    pub precision: u8,
    /// Length in bytes.
    pub num_bytes: usize,
}

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// Length of the file.
    pub num_bytes: usize,
    /// Length of everything before the first section.
    pub num_header_bytes: usize,
    /// Columns of the picture.
    pub width: u32,
    /// Rows of the picture.
    pub height: u32,
    /// Name of the model that made the file.
    pub model: String,
    /// From 0 to 100; `None` for a fixed rate.
    pub quality: Option<f32>,
    /// Version of the container.
    pub format_version: u8,
    /// First 16 hexadecimal digits of the entropy digest.
    pub entropy_digest: String,
    /// First 16 hexadecimal digits of the synthesis digest.
    pub synthesis_digest: String,
    /// Whether every machine decodes the same symbols.
    pub portable: bool,
    /// Name of the arithmetic.
    pub numerics: &'static str,
    /// What is stored for each pixel.
    pub samples: Samples,
    /// Whether a single channel has an axis of its own.
    pub has_channel_axis: bool,
    /// The entropy-coded sections.
    pub sections: Vec<SectionInfo>,
    /// Length of the ICC profile, if there is one.
    pub num_icc_bytes: Option<usize>,
    /// Length of the EXIF block, if there is one.
    pub num_exif_bytes: Option<usize>,
    /// Length of the XMP packet, if there is one.
    pub num_xmp_bytes: Option<usize>,
    /// Length of the IPTC records, if there are any.
    pub num_iptc_bytes: Option<usize>,
    /// Pixels an inch, across and down.
    pub resolution: Option<(f32, f32)>,
    /// Colour primaries, transfer characteristics, matrix coefficients and full-range flag of ITU-T H.273.
    pub cicp: Option<(u8, u8, u8, bool)>,
    /// Exponent from light to components, in units of 1/100,000.
    pub gamma: Option<u32>,
    /// x and y of the white point, of red, of green and of blue, in units of 1/100,000.
    pub chromaticities: Option<[u32; 8]>,
    /// Whether the picture is what was given, to the bit; then there is no model.
    pub is_lossless: bool,
    /// A point cloud in place of a picture: then width and height are 1.
    pub cloud: Option<Cloud>,
}

/// What a file says about itself; all of it is checked but the entropy-coded symbols.
///
/// # Errors
/// `Truncated`, `Corrupt` or `UnsupportedVersion` for a file that is not whole or not known, `Limit` for one above the limits.
pub fn info(data: &[u8], limits: &Limits) -> Result<Info> {
    let container = parse(data, &format_limits(limits)).map_err(from_format)?;
    let header = container.header;
    let sections = container.sections.iter().map(|section| {
        let kind = match header.lossless_rows {
            Some(_) if section.kind == lossless::KIND => lossless::KIND_NAME,
            _ => StreamKind::from_code(section.kind)?.name(),
        };
        Ok(SectionInfo { latent: section.latent, kind, precision: section.precision, num_bytes: section.data.len() })
    });
    let length_of = |kind: MetadataKind| {
        container.metadata.iter().find(|metadata| metadata.kind == kind).map(|metadata| metadata.data.len())
    };
    Ok(Info {
        num_bytes: data.len(),
        num_header_bytes: container.header_bytes,
        width: header.width,
        height: header.height,
        model: header.model,
        quality: header.quality,
        format_version: FORMAT_VERSION,
        entropy_digest: hex(&header.entropy_digest),
        synthesis_digest: hex(&header.synthesis_digest),
        portable: header.is_portable,
        numerics: header.numerics.name(),
        samples: header.samples,
        has_channel_axis: header.has_channel_axis,
        sections: sections.collect::<Result<_>>()?,
        num_icc_bytes: length_of(MetadataKind::Icc),
        num_exif_bytes: length_of(MetadataKind::Exif),
        num_xmp_bytes: length_of(MetadataKind::Xmp),
        num_iptc_bytes: length_of(MetadataKind::Iptc),
        resolution: header.resolution,
        cicp: header.cicp.map(|cicp| (cicp.primaries, cicp.transfer, cicp.matrix, cicp.is_full_range)),
        gamma: header.gamma,
        chromaticities: header.chromaticities,
        is_lossless: header.lossless_rows.is_some(),
        cloud: header.cloud,
    })
}

/// How many bytes must be at hand before more can be said of a file that begins with `first`. As soon as that is not
/// more than `first` has, it is the length of the file: so one reads what a file announces, and no more.
///
/// # Errors
/// As [`info`] for what the first bytes show; `Limit` for a file above [`Limits::max_bytes`].
pub fn bytes_needed(first: &[u8], limits: &Limits) -> Result<u64> {
    lcrs_format::bytes_needed(first, &format_limits(limits)).map_err(from_format)
}

impl Info {
    /// The same as a JSON object, member by member.
    #[must_use]
    pub fn to_json(&self) -> String {
        if let Some(cloud) = &self.cloud {
            return self.cloud_json(cloud).to_string();
        }
        let section = |section: &SectionInfo| -> Value {
            json!({
                "latent": section.latent,
                "kind": section.kind,
                "precision": section.precision,
                "num_bytes": section.num_bytes,
            })
        };
        let (color, bit_depth) = match self.samples {
            Samples::Picture { color, bit_depth } => (Some(color.name()), Some(bit_depth)),
            Samples::Array { .. } => (None, None),
        };
        let channels = self.samples.channels();
        let mut shape = vec![self.height as usize, self.width as usize];
        shape.extend(self.has_channel_axis.then_some(channels));
        json!({
            "num_bytes": self.num_bytes,
            "num_header_bytes": self.num_header_bytes,
            "width": self.width,
            "height": self.height,
            "model": self.model,
            "quality": self.quality,
            "lossless": self.is_lossless,
            "format_version": self.format_version,
            "entropy_digest": self.entropy_digest,
            "synthesis_digest": self.synthesis_digest,
            "portable": self.portable,
            "numerics": self.numerics,
            "shape": shape,
            "dtype": self.samples.number().name(),
            "channels": channels,
            "bit_depth": bit_depth,
            "color": color,
            "sections": self.sections.iter().map(section).collect::<Vec<_>>(),
            "num_icc_bytes": self.num_icc_bytes,
            "num_exif_bytes": self.num_exif_bytes,
            "num_xmp_bytes": self.num_xmp_bytes,
            "num_iptc_bytes": self.num_iptc_bytes,
            "resolution": self.resolution,
            "cicp": self.cicp,
            "gamma": self.gamma,
            "chromaticities": self.chromaticities,
        })
        .to_string()
    }

    fn cloud_json(&self, cloud: &Cloud) -> Value {
        let attribute =
            |latent: u8| latent.checked_sub(FIRST_ATTRIBUTE).and_then(|i| cloud.attributes.get(usize::from(i)));
        let bits = |bytes: usize| match cloud.num_points {
            0 => Value::Null,
            points => json!(8.0 * bytes as f64 / points as f64),
        };
        let section = |section: &SectionInfo| -> Value {
            json!({
                "part": part(section.latent),
                "attribute": attribute(section.latent).map(|attribute| &attribute.name),
                "num_bytes": section.num_bytes,
                "bits_per_point": bits(section.num_bytes),
            })
        };
        let (origin, step) = match cloud.grid {
            Grid::Rational { origin, numerator, denominator } => (json!(origin), json!([numerator, denominator])),
            Grid::Product { origin, step } => (json!(origin), json!(step)),
            Grid::Binary { origin, step } => (json!(origin), json!(step)),
        };
        json!({
            "num_bytes": self.num_bytes,
            "num_header_bytes": self.num_header_bytes,
            "num_points": cloud.num_points,
            "bits_per_point": bits(self.num_bytes),
            "model": self.model,
            "format_version": self.format_version,
            "entropy_digest": self.entropy_digest,
            "synthesis_digest": self.synthesis_digest,
            "portable": self.portable,
            "numerics": self.numerics,
            "dtype": cloud.positions.name(),
            "lossless": cloud.is_lossless,
            "order_kept": false,
            "voxel": cloud.grid.step(),
            "grid": {"origin": origin, "step": step},
            "depth": cloud.depth,
            "low_bits": cloud.low_bits,
            "num_leaves": cloud.num_leaves,
            "attributes": cloud.attributes.iter().map(|a| json!({"name": a.name, "dtype": a.number.name()})).collect::<Vec<_>>(),
            "parts": self.sections.iter().map(section).collect::<Vec<_>>(),
        })
    }
}
