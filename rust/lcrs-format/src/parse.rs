//! Reading a container. Nothing is copied but the header; nothing is built before its size is checked.

use crate::constants::{
    crc32c, ANCILLARY, AXES_ALONE, AXES_WITH_CHANNELS, CRC_LENGTH, FIELD_ARRAY, FIELD_ATTRIBUTES, FIELD_AXES,
    FIELD_CHROMATICITIES, FIELD_CICP, FIELD_CLOUD, FIELD_CROP, FIELD_DECODED, FIELD_GAMMA, FIELD_LOSSLESS,
    FIELD_QUALITY, FIELD_RESOLUTION, FIELD_SAMPLES, FIELD_TILES, FORMAT_VERSION, KIND_RAW, MAGIC, MAX_HEADER_LENGTH,
    MAX_PRECISION, NOT_PORTABLE, PREAMBLE_LENGTH, PRECISION_RAW, UNSTABLE_VERSION,
};
use crate::reader::{AtEnd, Reader};
use crate::{
    Cicp, Cloud, Color, Error, Header, Limits, Metadata, MetadataKind, NumberType, Numerics, Result, Samples, Section,
};

/// A parsed file. Payloads are slices of the bytes that were parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Container<'a> {
    /// What the file says about itself.
    pub header: Header,
    /// The entropy-coded sections in coding order.
    pub sections: Vec<Section<'a>>,
    /// The metadata that this version knows.
    pub metadata: Vec<Metadata<'a>>,
    /// Bytes from the start of the file to its first section.
    pub header_bytes: usize,
}

/// What a header says before any payload is read.
struct Opening {
    header: Header,
    entries: Vec<Entry>,
    /// Bytes from the start of the file to its first section.
    header_bytes: usize,
    /// Bytes of all sections together, as announced.
    payload_bytes: u64,
}

struct Entry {
    id: u8,
    kind: u8,
    precision: u8,
    length: u64,
    checksum: u32,
}

/// Reads and checks a whole file.
///
/// # Errors
/// [`Error::Truncated`] if the bytes end early, [`Error::Corrupt`] for a wrong checksum, a value out
/// of range or bytes after the last section, [`Error::UnsupportedVersion`] for another version or an
/// unknown critical field or section, [`Error::Limit`] for a picture or metadata above `limits`.
pub fn parse<'a>(data: &'a [u8], limits: &Limits) -> Result<Container<'a>> {
    let Opening { header, entries, header_bytes, payload_bytes } = open(data, limits)?;
    let (sections, metadata) = read_payloads(&data[header_bytes..], &entries, payload_bytes)?;
    Ok(Container { header, sections, metadata, header_bytes })
}

/// How many bytes must be at hand before more can be said of a file that begins with `first`. As soon as that is not
/// more than `first` has, it is the length of the file.
///
/// Whoever reads until then, and asks again, reads a file in three steps, and never more than it announces:
///
/// ```
/// # use lcrs_format::{bytes_needed, pack, Header, Limits};
/// # let file = pack(&Header::new("photo", 768, 512), &[], &[])?;
/// let mut known = 0;
/// while bytes_needed(&file[..known], &Limits::default())? > known as u64 {
///     known = bytes_needed(&file[..known], &Limits::default())? as usize;
/// }
/// assert_eq!(known, file.len());
/// # Ok::<(), lcrs_format::Error>(())
/// ```
///
/// # Errors
/// As [`parse`] for what the first bytes show; [`Error::Limit`] for a file above [`Limits::max_bytes`].
pub fn bytes_needed(first: &[u8], limits: &Limits) -> Result<u64> {
    check_preamble(first)?;
    if first.len() < PREAMBLE_LENGTH {
        return Ok(KIND_LENGTH as u64);
    }
    let mut reader = Reader::new(&first[..PREAMBLE_LENGTH], AtEnd::Corrupt);
    let length = read_header_length(&mut reader)
        .map_err(|_| Error::Corrupt(format!("header length is no number up to {MAX_HEADER_LENGTH}")))?;
    let header_bytes = (reader.position() + length + CRC_LENGTH) as u64;
    if (first.len() as u64) < header_bytes {
        return Ok(header_bytes);
    }
    let bytes = header_bytes.saturating_add(open(first, limits)?.payload_bytes);
    if bytes > limits.max_bytes {
        return Err(Error::Limit(format!(
            "file of {bytes} bytes, at most {} are allowed (max_bytes)",
            limits.max_bytes
        )));
    }
    Ok(bytes)
}

/// Reads and checks all of the header.
fn open(data: &[u8], limits: &Limits) -> Result<Opening> {
    let (body, header_bytes) = checked_header(data)?;
    let mut reader = Reader::new(body, AtEnd::Corrupt);
    let mut header = read_base(&mut reader)?;
    limits.check_picture(header.width, header.height)?;
    let entries = read_entries(&mut reader)?;
    read_fields(&mut reader, &mut header)?;
    if let Some(fault) = header.fault() {
        return Err(Error::Corrupt(fault));
    }
    if header.tiles != (1, 1) {
        let (columns, rows) = header.tiles;
        return Err(Error::UnsupportedVersion(format!("tile grid of {columns} x {rows}, this build knows 1 x 1")));
    }
    let total = |entries: &mut dyn Iterator<Item = &Entry>| entries.fold(0, |sum: u64, e| sum.saturating_add(e.length));
    limits.check_metadata(total(&mut entries.iter().filter(|entry| entry.id & ANCILLARY != 0)))?;
    let payload_bytes = total(&mut entries.iter());
    Ok(Opening { header, entries, header_bytes, payload_bytes })
}

/// Bytes that show what a file is that begins otherwise: fewer than any header has, and more than the preamble.
const KIND_LENGTH: usize = 12;

/// What a file is that begins otherwise, for those who took one for another, and what it is for.
fn kind_of(data: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], usize, &str); 12] = [
        (b"\x89PNG", 0, "a PNG picture, which `lcrs encode` compresses"),
        (b"\xff\xd8\xff", 0, "a JPEG picture, which `lcrs encode` compresses"),
        (b"GIF8", 0, "a GIF picture, which `lcrs encode` compresses"),
        (b"II*\0", 0, "a TIFF picture, which `lcrs encode` compresses"),
        (b"MM\0*", 0, "a TIFF picture, which `lcrs encode` compresses"),
        (b"WEBP", 8, "a WebP picture, which `lcrs encode` compresses"),
        (b"ftypavif", 4, "an AVIF picture, which `lcrs encode` compresses"),
        (b"ftypheic", 4, "a HEIC picture, which `lcrs encode` compresses"),
        (b"ftypmif1", 4, "a HEIC picture, which `lcrs encode` compresses"),
        (b"jP  ", 4, "a JPEG 2000 picture, which `lcrs encode` compresses"),
        (b"BM", 0, "a BMP picture, which `lcrs encode` compresses"),
        (b"{\"", 8, "a model package (.lcrm), which --model takes"),
    ];
    KINDS.iter().find(|(start, at, _)| data.get(*at..).is_some_and(|rest| rest.starts_with(start))).map(|kind| kind.2)
}

/// Refuses bytes that begin otherwise than a file of this version, however few they are.
fn check_preamble(data: &[u8]) -> Result<()> {
    let start = &data[..data.len().min(MAGIC.len())];
    if start != &MAGIC[..start.len()] {
        let what = kind_of(data).map_or_else(
            || "it does not begin as one does".to_owned(),
            |kind| format!("by its first bytes it is {kind}"),
        );
        return Err(Error::Corrupt(format!("not an lcrs file: {what}")));
    }
    match data.get(MAGIC.len()) {
        Some(&UNSTABLE_VERSION) => Err(Error::UnsupportedVersion(format!(
            "format version {UNSTABLE_VERSION} was never stable, this build reads {FORMAT_VERSION}: encode the picture again"
        ))),
        Some(&version) if version != FORMAT_VERSION => {
            Err(Error::UnsupportedVersion(format!("format version {version}, this build reads {FORMAT_VERSION}")))
        }
        _ => Ok(()),
    }
}

/// Reads up to where the header body begins; gives its length.
fn read_header_length(reader: &mut Reader<'_>) -> Result<usize> {
    if reader.remaining() == 0 {
        return Err(Error::Truncated("the file is empty: it has 0 bytes".to_owned()));
    }
    reader.bytes(MAGIC.len(), "magic number")?;
    reader.byte("format version")?;
    let length = reader.varint("header length")?;
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= MAX_HEADER_LENGTH)
        .ok_or_else(|| Error::Corrupt(format!("header of {length} bytes (at most {MAX_HEADER_LENGTH})")))
}

/// The header body, after its checksum held, and where the payloads begin.
fn checked_header(data: &[u8]) -> Result<(&[u8], usize)> {
    check_preamble(data)?;
    let mut reader = Reader::new(data, AtEnd::Truncated);
    let length = read_header_length(&mut reader)?;
    let body = reader.bytes(length, "header")?;
    let covered = &data[..reader.position()];
    let checksum = u32::from_le_bytes(reader.array::<CRC_LENGTH>("header checksum")?);
    if crc32c(covered) != checksum {
        return Err(Error::Corrupt(format!("header checksum is {checksum:#010x}, not {:#010x}", crc32c(covered))));
    }
    Ok((body, reader.position()))
}

fn read_base(reader: &mut Reader<'_>) -> Result<Header> {
    let code = reader.byte("numerics")?;
    let numerics = Numerics::from_code(code & !NOT_PORTABLE)
        .ok_or_else(|| Error::UnsupportedVersion(format!("numerics {}, this build knows 1", code & !NOT_PORTABLE)))?;
    let entropy_digest = reader.array("entropy digest")?;
    let synthesis_digest = reader.array("synthesis digest")?;
    let name_length = reader.byte("model name length")?;
    let name = reader.bytes(name_length.into(), "model name")?;
    let name = std::str::from_utf8(name).map_err(|_| Error::Corrupt("model name is not text".to_owned()))?;
    let width = reader.varint_u32("width")?;
    let height = reader.varint_u32("height")?;
    let mut header = Header::new(name, width, height);
    header.entropy_digest = entropy_digest;
    header.synthesis_digest = synthesis_digest;
    header.numerics = numerics;
    header.is_portable = code & NOT_PORTABLE == 0;
    Ok(header)
}

fn read_entries(reader: &mut Reader<'_>) -> Result<Vec<Entry>> {
    let count = reader.byte("number of sections")?;
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..count {
        let [id, kind, precision] = reader.array("section entry")?;
        let length = reader.varint("section length")?;
        let checksum = u32::from_le_bytes(reader.array::<CRC_LENGTH>("section checksum")?);
        if let Some(last) = entries.last().filter(|last| last.id >= id) {
            return Err(Error::Corrupt(format!("section {id} comes after section {}: ids must ascend", last.id)));
        }
        let is_raw = kind == KIND_RAW && precision == PRECISION_RAW;
        let is_coded = kind != KIND_RAW && (1..=MAX_PRECISION).contains(&precision);
        if (id & ANCILLARY == 0 && !is_coded) || (MetadataKind::from_section_id(id).is_some() && !is_raw) {
            return Err(Error::Corrupt(format!("section {id} has kind {kind} and precision {precision}")));
        }
        entries.push(Entry { id, kind, precision, length, checksum });
    }
    Ok(entries)
}

fn read_fields(reader: &mut Reader<'_>, header: &mut Header) -> Result<()> {
    let (mut last_tag, mut is_picture, mut axes) = (None, false, None);
    while reader.remaining() > 0 {
        let tag = reader.byte("field tag")?;
        if last_tag.is_some_and(|last| last >= tag) {
            return Err(Error::Corrupt(format!("field {tag:#04x} is out of order: tags must ascend")));
        }
        let is_of_picture = match tag {
            FIELD_CLOUD => last_tag.is_some(), // all below are
            FIELD_LOSSLESS | FIELD_RESOLUTION | FIELD_CICP | FIELD_GAMMA | FIELD_CHROMATICITIES | FIELD_AXES => {
                header.cloud.is_some()
            }
            _ => false,
        };
        if is_of_picture {
            return Err(Error::Corrupt("a point cloud with a field of a picture".to_owned()));
        }
        last_tag = Some(tag);
        let length = reader.varint("field length")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut value = Reader::new(reader.bytes(length, "field")?, AtEnd::Corrupt);
        match tag {
            FIELD_QUALITY => header.quality = Some(f32::from_le_bytes(value.array("quality")?)),
            FIELD_CROP => {
                header.crop_left = value.varint_u32("crop offset")?;
                header.crop_top = value.varint_u32("crop offset")?;
            }
            FIELD_SAMPLES => {
                let bit_depth = value.byte("bit depth")?;
                let color = value.byte("colour")?;
                let color = Color::from_code(color)
                    .ok_or_else(|| Error::UnsupportedVersion(format!("colour {color}, this build knows 0 and 1")))?;
                header.samples = Samples::Picture { color, bit_depth };
                is_picture = true;
            }
            FIELD_TILES => header.tiles = (value.varint_u32("tile columns")?, value.varint_u32("tile rows")?),
            FIELD_DECODED => {
                header.decoded = Some((value.varint_u32("decoded size")?, value.varint_u32("decoded size")?))
            }
            FIELD_RESOLUTION => {
                let mut number = || Ok(f32::from_le_bytes(value.array("resolution")?));
                header.resolution = Some((number()?, number()?));
            }
            FIELD_CICP => {
                let cicp = Cicp::from_bytes(value.array("colour code points")?);
                header.cicp = Some(cicp.ok_or_else(|| Error::Corrupt("full-range flag is above 1".to_owned()))?);
            }
            FIELD_GAMMA => header.gamma = Some(u32::from_le_bytes(value.array("gamma")?)),
            FIELD_CHROMATICITIES => {
                let mut numbers = [0; 8];
                for number in &mut numbers {
                    *number = u32::from_le_bytes(value.array("chromaticities")?);
                }
                header.chromaticities = Some(numbers);
            }
            FIELD_ARRAY if is_picture => {
                return Err(Error::Corrupt("the samples are those of a picture and of an array".to_owned()))
            }
            FIELD_ARRAY => {
                let number = value.byte("number type")?;
                let number = NumberType::from_code(number).ok_or_else(|| {
                    Error::UnsupportedVersion(format!("number type {number}, this build knows 0 to 4"))
                })?;
                header.samples = Samples::Array { number, channels: value.varint_u32("channels")? };
            }
            FIELD_CLOUD => header.cloud = Some(Cloud::read(&mut value)?),
            FIELD_ATTRIBUTES => match &mut header.cloud {
                Some(cloud) => cloud.attributes = Cloud::read_attributes(&mut value)?,
                None => return Err(Error::Corrupt("attributes without a point cloud".to_owned())),
            },
            FIELD_LOSSLESS => header.lossless_rows = Some(value.varint_u32("rows of a band")?),
            FIELD_AXES => {
                axes = match value.byte("axes")? {
                    axes @ (AXES_ALONE | AXES_WITH_CHANNELS) => Some(axes),
                    axes => return Err(Error::Corrupt(format!("array of {axes} axes (2 or 3)"))),
                }
            }
            _ if tag & ANCILLARY != 0 => continue,
            _ => return Err(Error::UnsupportedVersion(format!("unknown critical field {tag:#04x}"))),
        }
        if value.remaining() > 0 {
            return Err(Error::Corrupt(format!("field {tag:#04x} has {} bytes too many", value.remaining())));
        }
    }
    header.has_channel_axis = axes.map_or(header.samples.channels() != 1, |axes| axes == AXES_WITH_CHANNELS);
    Ok(())
}

/// The payloads in `data`, which must be `announced` bytes long.
fn read_payloads<'a>(
    data: &'a [u8],
    entries: &[Entry],
    announced: u64,
) -> Result<(Vec<Section<'a>>, Vec<Metadata<'a>>)> {
    if announced > data.len() as u64 {
        return Err(Error::Truncated(format!(
            "the file is cut short: sections need {announced} bytes, {} are left",
            data.len()
        )));
    }
    if announced < data.len() as u64 {
        // Whoever reads as far as is needed has one byte of what follows: how many there are is not known.
        return Err(Error::Corrupt(
            "the file goes on after its last section: something was appended, or files were joined".to_owned(),
        ));
    }
    let mut reader = Reader::new(data, AtEnd::Truncated);
    let (mut sections, mut metadata) = (Vec::new(), Vec::new());
    for entry in entries {
        let payload = reader.bytes(entry.length as usize, "section")?;
        if crc32c(payload) != entry.checksum {
            return Err(Error::Corrupt(format!(
                "checksum of section {} is {:#010x}, not {:#010x}",
                entry.id,
                entry.checksum,
                crc32c(payload)
            )));
        }
        let (latent, kind, precision) = (entry.id, entry.kind, entry.precision);
        if let Some(kind) = MetadataKind::from_section_id(entry.id) {
            metadata.push(Metadata { kind, data: payload });
        } else if latent & ANCILLARY == 0 {
            sections.push(Section { latent, kind, precision, data: payload });
        }
    }
    Ok((sections, metadata))
}
