//! PNG and PPM pictures.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

use lcrs_codec::{Picture, PictureMetadata};
use lcrs_core::{Limits, Result};
use lcrs_format::{Color, NumberType, Samples};

use crate::Failure;

/// What a picture file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Ppm,
}

impl Format {
    /// The format that the name of a file asks for.
    pub(crate) fn of(path: &Path) -> std::result::Result<Self, Failure> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("png") => Ok(Self::Png),
            Some("ppm") => Ok(Self::Ppm),
            _ => Err(Failure::Usage(format!("{} must end in .png or .ppm", path.display()))),
        }
    }
}

/// The bytes of a picture file. PPM has no place for metadata.
pub(crate) fn write(
    picture: &Picture,
    metadata: &PictureMetadata,
    format: Format,
) -> std::result::Result<Vec<u8>, Failure> {
    match format {
        Format::Png => {
            let (color, bit_depth) = colors(picture)?;
            if !matches!(bit_depth, 8 | 16) {
                return Err(Failure::Failed(format!("cannot write PNG: {} (8 or 16)", picture.samples())));
            }
            let color = if color == Color::Rgb { png::ColorType::Rgb } else { png::ColorType::Grayscale };
            let written = write_png(picture, metadata, color);
            written.map_err(|e| Failure::Failed(format!("cannot write PNG: {e}")))
        }
        Format::Ppm => {
            let (color, bit_depth) = colors(picture)?;
            let letter = if color == Color::Rgb { "P6" } else { "P5" };
            let largest = (1_u32 << bit_depth) - 1;
            let head = format!("{letter}\n{} {}\n{largest}\n", picture.width(), picture.height());
            Ok([head.into_bytes(), big_endian(picture)].concat())
        }
    }
}

/// What a picture has, but an array has not.
fn colors(picture: &Picture) -> std::result::Result<(Color, u8), Failure> {
    match picture.samples() {
        Samples::Picture { color, bit_depth } => Ok((color, bit_depth)),
        array @ Samples::Array { .. } => Err(Failure::Failed(format!("{array} are no picture"))),
    }
}

/// The components as PNG and PPM have them.
fn big_endian(picture: &Picture) -> Vec<u8> {
    match picture.samples().number() {
        NumberType::U16 => picture.data().chunks_exact(2).flat_map(|bytes| [bytes[1], bytes[0]]).collect(),
        _ => picture.data().to_vec(),
    }
}

fn write_png(
    picture: &Picture,
    metadata: &PictureMetadata,
    color: png::ColorType,
) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut info = png::Info::with_size(picture.width(), picture.height());
    info.color_type = color;
    let is_deep = picture.samples().number() == NumberType::U16;
    info.bit_depth = if is_deep { png::BitDepth::Sixteen } else { png::BitDepth::Eight };
    info.icc_profile = metadata.icc.as_deref().map(Cow::Borrowed);
    info.exif_metadata = metadata.exif.as_deref().map(Cow::Borrowed);
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::with_info(&mut bytes, info)?.write_header()?;
    writer.write_image_data(&big_endian(picture))?;
    writer.finish()?;
    Ok(bytes)
}

/// Reads an 8-bit PNG or PPM without alpha.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> std::result::Result<(Picture, PictureMetadata), Failure> {
    if bytes.starts_with(b"P6") {
        Ok((read_ppm(bytes, limits)?, PictureMetadata::default()))
    } else if bytes.starts_with(b"\x89PNG") {
        read_png(bytes, limits)
    } else {
        Err(Failure::Failed("the picture is neither PNG nor binary PPM".to_owned()))
    }
}

fn read_png(bytes: &[u8], limits: &Limits) -> std::result::Result<(Picture, PictureMetadata), Failure> {
    let broken = |e: png::DecodingError| Failure::Failed(format!("cannot read PNG: {e}"));
    let memory = usize::try_from(limits.max_bytes).unwrap_or(usize::MAX);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: memory });
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(broken)?;
    let (width, height) = reader.info().size();
    limits.check_picture(width, height)?;
    let icc = reader.info().icc_profile.as_ref().map(|profile| profile.to_vec());
    let length = reader.output_buffer_size().ok_or_else(|| Failure::Failed("PNG is too large".to_owned()))?;
    let mut data: Vec<u8> = limits.zeroed(length, "picture")?;
    let frame = reader.next_frame(&mut data).map_err(broken)?;
    data.truncate(frame.buffer_size());
    let data = match (frame.color_type, frame.bit_depth) {
        (png::ColorType::Rgb, png::BitDepth::Eight) => data,
        (png::ColorType::Grayscale, png::BitDepth::Eight) => data.iter().flat_map(|grey| [*grey; 3]).collect(),
        (color, depth) => {
            let message =
                format!("PNG is {color:?} of {} bits; 8-bit RGB or grey without alpha is needed", depth as u8);
            return Err(Failure::Failed(message));
        }
    };
    Ok((Picture::new(width, height, data)?, PictureMetadata { icc, ..PictureMetadata::default() }))
}

/// `P6`, width, height and 255 with white space and comments between, one white space, the components.
fn read_ppm(bytes: &[u8], limits: &Limits) -> Result<Picture> {
    let broken = |what: &str| lcrs_core::Error::corrupt(format!("cannot read PPM: {what}"));
    let mut rest = &bytes[2..];
    let mut numbers = [0_u32; 3];
    for number in &mut numbers {
        rest = skip_blanks(rest);
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&rest[..digits]).unwrap_or_default();
        *number = text.parse().map_err(|_| broken("a number is missing"))?;
        rest = &rest[digits..];
    }
    let [width, height, maximum] = numbers;
    if maximum != 255 {
        return Err(broken(&format!("the largest component is {maximum}, must be 255")));
    }
    limits.check_picture(width, height)?;
    let data = rest.get(1..).ok_or_else(|| broken("it has no components"))?;
    Picture::new(width, height, data.to_vec()).map_err(|e| broken(e.message()))
}

fn skip_blanks(mut bytes: &[u8]) -> &[u8] {
    loop {
        match bytes.first() {
            Some(byte) if byte.is_ascii_whitespace() => bytes = &bytes[1..],
            Some(b'#') => {
                let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
                bytes = &bytes[end..];
            }
            _ => return bytes,
        }
    }
}
