//! Writing a container.

use crate::constants::{
    crc32c, ANCILLARY, AXES_WITH_CHANNELS, FIELD_ARRAY, FIELD_ATTRIBUTES, FIELD_AXES, FIELD_CHROMATICITIES, FIELD_CICP,
    FIELD_CLOUD, FIELD_CROP, FIELD_DECODED, FIELD_GAMMA, FIELD_LOSSLESS, FIELD_QUALITY, FIELD_RESOLUTION,
    FIELD_SAMPLES, FIELD_TILES, FORMAT_VERSION, KIND_RAW, MAGIC, MAX_PRECISION, MAX_SECTIONS, NOT_PORTABLE,
    PRECISION_RAW,
};
use crate::varint::write_varint;
use crate::{Error, Header, Metadata, Result, Samples, Section};

/// Writes a file from a header, its sections in coding order and optional metadata.
///
/// # Errors
/// [`Error::InvalidArgument`] for a header or a section that the format cannot hold: a value out of
/// the range that [`Header`] states, latents not ascending, metadata twice or not in the order of
/// [`crate::MetadataKind`], more than one tile. [`Error::Limit`] if memory is short.
pub fn pack(header: &Header, sections: &[Section<'_>], metadata: &[Metadata<'_>]) -> Result<Vec<u8>> {
    check(header, sections, metadata)?;
    let mut body = Vec::with_capacity(128);
    write_base(&mut body, header);
    body.push((sections.len() + metadata.len()) as u8);
    for section in sections {
        write_entry(&mut body, section.latent, section.kind, section.precision, section.data);
    }
    for item in metadata {
        write_entry(&mut body, item.kind.section_id(), KIND_RAW, PRECISION_RAW, item.data);
    }
    write_fields(&mut body, header);

    let payloads = || sections.iter().map(|s| s.data).chain(metadata.iter().map(|m| m.data));
    let size = body.len() + 16 + payloads().map(<[u8]>::len).sum::<usize>();
    let mut file = Vec::new();
    file.try_reserve_exact(size).map_err(|_| Error::Limit(format!("no memory for a file of {size} bytes")))?;
    file.extend_from_slice(&MAGIC);
    file.push(FORMAT_VERSION);
    write_varint(&mut file, body.len() as u64);
    file.extend_from_slice(&body);
    let checksum = crc32c(&file);
    file.extend_from_slice(&checksum.to_le_bytes());
    payloads().for_each(|payload| file.extend_from_slice(payload));
    Ok(file)
}

fn check(header: &Header, sections: &[Section<'_>], metadata: &[Metadata<'_>]) -> Result<()> {
    let invalid = |message: String| Err(Error::InvalidArgument(message));
    if let Some(fault) = header.fault() {
        return invalid(fault);
    }
    if header.tiles != (1, 1) {
        return invalid(format!("tile grid of {} x {}, version 1 has 1 x 1", header.tiles.0, header.tiles.1));
    }
    if sections.len() + metadata.len() > MAX_SECTIONS {
        return invalid(format!("{} sections, at most {MAX_SECTIONS} fit", sections.len() + metadata.len()));
    }
    for section in sections {
        if section.latent & ANCILLARY != 0 || section.kind == KIND_RAW {
            return invalid(format!(
                "section of latent {} and kind {} (0 to 127, 0 to 254)",
                section.latent, section.kind
            ));
        }
        if !(1..=MAX_PRECISION).contains(&section.precision) {
            return invalid(format!("precision of latent {} is {} (1 to 16)", section.latent, section.precision));
        }
    }
    if let Some(pair) = sections.windows(2).find(|pair| pair[0].latent >= pair[1].latent) {
        return invalid(format!("latent {} comes after latent {}: ids must ascend", pair[1].latent, pair[0].latent));
    }
    if let Some(pair) = metadata.windows(2).find(|pair| pair[0].kind >= pair[1].kind) {
        return invalid(format!("metadata {:?} comes after {:?}", pair[1].kind, pair[0].kind));
    }
    Ok(())
}

fn write_base(out: &mut Vec<u8>, header: &Header) {
    out.push(header.numerics.code() | if header.is_portable { 0 } else { NOT_PORTABLE });
    out.extend_from_slice(&header.entropy_digest);
    out.extend_from_slice(&header.synthesis_digest);
    out.push(header.model.len() as u8);
    out.extend_from_slice(header.model.as_bytes());
    write_varint(out, header.width.into());
    write_varint(out, header.height.into());
}

fn write_entry(out: &mut Vec<u8>, id: u8, kind: u8, precision: u8, data: &[u8]) {
    out.extend_from_slice(&[id, kind, precision]);
    write_varint(out, data.len() as u64);
    out.extend_from_slice(&crc32c(data).to_le_bytes());
}

/// Fields hold what differs from the default, in ascending order of their tags.
fn write_fields(out: &mut Vec<u8>, header: &Header) {
    if let Some(quality) = header.quality {
        write_field(out, FIELD_QUALITY, &quality.to_le_bytes());
    }
    if (header.crop_left, header.crop_top) != (0, 0) {
        write_field(out, FIELD_CROP, &varint_pair(header.crop_left, header.crop_top));
    }
    match header.samples {
        Samples::Picture { color, bit_depth } if header.samples != Samples::RGB8 => {
            write_field(out, FIELD_SAMPLES, &[bit_depth, color.code()]);
        }
        _ => {}
    }
    if header.tiles != (1, 1) {
        write_field(out, FIELD_TILES, &varint_pair(header.tiles.0, header.tiles.1));
    }
    if let Some((width, height)) = header.decoded {
        write_field(out, FIELD_DECODED, &varint_pair(width, height));
    }
    if let Samples::Array { number, channels } = header.samples {
        let mut value = vec![number.code()];
        write_varint(&mut value, channels.into());
        write_field(out, FIELD_ARRAY, &value);
    }
    if let Some(cloud) = &header.cloud {
        write_field(out, FIELD_CLOUD, &cloud.value());
        if !cloud.attributes.is_empty() {
            write_field(out, FIELD_ATTRIBUTES, &cloud.attributes_value());
        }
    }
    if let Some(rows) = header.lossless_rows {
        let mut value = Vec::new();
        write_varint(&mut value, rows.into());
        write_field(out, FIELD_LOSSLESS, &value);
    }
    if let Some((x, y)) = header.resolution {
        write_field(out, FIELD_RESOLUTION, &[x.to_le_bytes(), y.to_le_bytes()].concat());
    }
    if let Some(cicp) = header.cicp {
        write_field(out, FIELD_CICP, &cicp.to_bytes());
    }
    if let Some(gamma) = header.gamma {
        write_field(out, FIELD_GAMMA, &gamma.to_le_bytes());
    }
    if let Some(chromaticities) = header.chromaticities {
        write_field(out, FIELD_CHROMATICITIES, &chromaticities.map(u32::to_le_bytes).concat());
    }
    if header.samples.channels() == 1 && header.has_channel_axis {
        write_field(out, FIELD_AXES, &[AXES_WITH_CHANNELS]);
    }
}

fn write_field(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    write_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint_pair(a: u32, b: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    write_varint(&mut out, a.into());
    write_varint(&mut out, b.into());
    out
}
