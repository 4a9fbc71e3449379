//! Picture files from pixels, with what travels with them and has a place in the format.

use std::borrow::Cow;
use std::path::Path;

use image::codecs::bmp::BmpEncoder;
use image::codecs::jpeg::{JpegEncoder, PixelDensity, PixelDensityUnit};
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use lcrs_codec::{Picture, PictureMetadata};
use lcrs_core::Limits;
use lcrs_format::{Color, Samples};

use crate::failure::Failure;
use crate::places::Place;

/// What a picture file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    /// Colours, of a grey picture too.
    Ppm,
    Pgm,
    Tiff,
    WebP,
    Jpeg,
    Bmp,
}

/// Endings of names, and what `--format` may be.
const ENDINGS: [(&str, Format); 9] = [
    ("png", Format::Png),
    ("ppm", Format::Ppm),
    ("pgm", Format::Pgm),
    ("tif", Format::Tiff),
    ("tiff", Format::Tiff),
    ("webp", Format::WebP),
    ("jpg", Format::Jpeg),
    ("jpeg", Format::Jpeg),
    ("bmp", Format::Bmp),
];

/// Like the Python program's.
const JPEG_QUALITY: u8 = 95;

impl Format {
    /// The format that is asked for, or that the name of a file asks for.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it is none that is written here.
    pub(crate) fn of(path: &Path, asked: Option<&str>) -> Result<Self, Failure> {
        let known = ENDINGS.map(|(ending, _)| ending).join(", ");
        let find = |name: &str| ENDINGS.iter().find(|(ending, _)| *ending == name).map(|(_, format)| *format);
        if let Some(asked) = asked {
            let found = find(&asked.to_ascii_lowercase());
            return found.ok_or_else(|| Failure::Usage(format!("--format is '{asked}' ({known})")));
        }
        let place = Place::of(path);
        if matches!(place, Ok(Place::Standard | Place::Descriptor(_))) {
            return Ok(Self::Png);
        }
        if matches!(place, Ok(Place::Stream(_))) && path.extension().is_none() {
            return Ok(Self::Png);
        }
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        find(&ending).ok_or_else(|| {
            let path = path.display();
            let problem = match &ending[..] {
                "" => "has no ending that tells what to write".to_owned(),
                ending => format!("ends in '.{ending}', which is not written here"),
            };
            Failure::Usage(format!("{path} {problem} ({known}); --format tells what to write"))
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Ppm => "PPM",
            Self::Pgm => "PGM",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
            Self::Jpeg => "JPEG",
            Self::Bmp => "BMP",
        }
    }

    /// Whether 16 bits a component have a place.
    fn is_deep(self) -> bool {
        matches!(self, Self::Png | Self::Ppm | Self::Pgm | Self::Tiff)
    }
}

/// The bytes of a picture file, and what travels with the picture that is not written to the format.
///
/// # Errors
/// What the format cannot hold, without the file's name.
pub(crate) fn write(
    picture: &Picture,
    metadata: &PictureMetadata,
    format: Format,
    limits: &Limits,
) -> Result<(Vec<u8>, Vec<String>), String> {
    let Samples::Picture { color, bit_depth } = picture.samples() else {
        return Err(format!("holds {}, which are no picture: lcrs.decompress restores them", picture.samples()));
    };
    if format == Format::Pgm && color == Color::Rgb {
        return Err("the picture has colours, which .pgm cannot hold".to_owned());
    }
    let mut losses = Vec::new();
    // Encoders take as much again and more, and end the process if that is not to be had.
    let room = 4 * picture.data().len() as u64 + (1 << 20);
    limits.rehearse(room.min(limits.max_bytes), "picture file").map_err(|error| error.to_string())?;
    let data = components(picture, bit_depth, format, &mut losses);
    let is_deep = bit_depth > 8 && format.is_deep();
    let bytes = match format {
        Format::Png => png(picture, metadata, color, is_deep, &data),
        Format::Ppm | Format::Pgm => Ok(pnm(picture, (format, color, bit_depth), &data)),
        _ => by_image(picture, metadata, (format, color, is_deep), &data, &mut losses),
    };
    let bytes = bytes.map_err(|why| format!("cannot be written as {}: {why}", format.name()))?;
    lose(metadata, format, &mut losses);
    Ok((bytes, losses))
}

/// The components of 8 bits, or of 16 as the format wants them: big endian, but for TIFF in this machine's order. PNM says
/// itself how many bits of these are used.
fn components<'a>(picture: &'a Picture, bit_depth: u8, format: Format, losses: &mut Vec<String>) -> Cow<'a, [u8]> {
    let (largest, data) = ((1_u64 << bit_depth) - 1, picture.data());
    let rescaled = |component: u64, to: u64| (component * to + largest / 2) / largest;
    let words = || data.as_chunks().0.iter().map(|bytes| u64::from(u16::from_le_bytes(*bytes)));
    match bit_depth {
        8 => Cow::Borrowed(data),
        1..=7 => data.iter().map(|component| rescaled(u64::from(*component), 255) as u8).collect(),
        _ if matches!(format, Format::Ppm | Format::Pgm) => {
            data.as_chunks().0.iter().flat_map(|bytes| u16::from_le_bytes(*bytes).to_be_bytes()).collect()
        }
        _ if format.is_deep() => {
            let bytes = |word: u16| if format == Format::Tiff { word.to_ne_bytes() } else { word.to_be_bytes() };
            words().flat_map(|word| bytes(rescaled(word, 65_535) as u16)).collect()
        }
        _ => {
            losses.push(format!("{bit_depth} bits a component (rounded to 8)"));
            words().map(|word| rescaled(word, 255) as u8).collect()
        }
    }
}

fn png(
    picture: &Picture,
    metadata: &PictureMetadata,
    color: Color,
    is_deep: bool,
    data: &[u8],
) -> Result<Vec<u8>, String> {
    let mut info = png::Info::with_size(picture.width(), picture.height());
    info.color_type = if color == Color::Rgb { png::ColorType::Rgb } else { png::ColorType::Grayscale };
    info.bit_depth = if is_deep { png::BitDepth::Sixteen } else { png::BitDepth::Eight };
    info.icc_profile = metadata.icc.as_deref().map(Cow::Borrowed);
    info.exif_metadata = metadata.exif.as_deref().map(Cow::Borrowed);
    let mut bytes = Vec::new();
    let write = |bytes: &mut Vec<u8>| {
        let mut writer = png::Encoder::with_info(bytes, info)?.write_header()?;
        for (name, data) in png_chunks(metadata) {
            writer.write_chunk(png::chunk::ChunkType(name), &data)?;
        }
        writer.write_image_data(data)?;
        writer.finish()
    };
    write(&mut bytes).map_err(|error: png::EncodingError| error.to_string())?;
    Ok(bytes)
}

/// What a PNG file says of its colours and its size in print.
fn png_chunks(metadata: &PictureMetadata) -> Vec<([u8; 4], Vec<u8>)> {
    let mut chunks = Vec::new();
    if let Some(cicp) = metadata.cicp {
        chunks.push((*b"cICP", vec![cicp.primaries, cicp.transfer, cicp.matrix, cicp.is_full_range.into()]));
    }
    if let Some(gamma) = metadata.gamma {
        chunks.push((*b"gAMA", gamma.to_be_bytes().to_vec()));
    }
    if let Some(numbers) = metadata.chromaticities {
        chunks.push((*b"cHRM", numbers.iter().flat_map(|number| number.to_be_bytes()).collect()));
    }
    if let Some((x, y)) = metadata.resolution {
        let a_metre = |number: f32| ((f64::from(number) / 0.0254 + 0.5) as u32).to_be_bytes();
        chunks.push((*b"pHYs", [&a_metre(x)[..], &a_metre(y), &[1]].concat()));
    }
    if let Some(xmp) = &metadata.xmp {
        chunks.push((*b"iTXt", [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], xmp].concat()));
    }
    chunks
}

fn pnm(picture: &Picture, (format, color, bit_depth): (Format, Color, u8), data: &[u8]) -> Vec<u8> {
    let letter = if format == Format::Ppm { "P6" } else { "P5" };
    let (is_deep, largest) = (bit_depth > 8, (1_u32 << bit_depth.max(8)) - 1);
    let head = format!("{letter}\n{} {}\n{largest}\n", picture.width(), picture.height());
    if format == Format::Ppm && color == Color::Grey {
        let thrice = data.chunks(if is_deep { 2 } else { 1 }).flat_map(|component| [component; 3]);
        return [head.as_bytes()].into_iter().chain(thrice).flatten().copied().collect();
    }
    [head.as_bytes(), data].concat()
}

fn by_image(
    picture: &Picture,
    metadata: &PictureMetadata,
    (format, color, is_deep): (Format, Color, bool),
    data: &[u8],
    losses: &mut Vec<String>,
) -> Result<Vec<u8>, String> {
    let color = match (color, is_deep) {
        (Color::Rgb, false) => ExtendedColorType::Rgb8,
        (Color::Rgb, true) => ExtendedColorType::Rgb16,
        (Color::Grey, false) => ExtendedColorType::L8,
        (Color::Grey, true) => ExtendedColorType::L16,
    };
    let (size, mut bytes) = ((picture.width(), picture.height()), Vec::new());
    let done = match format {
        Format::WebP => encode(WebPEncoder::new_lossless(&mut bytes), metadata, losses, data, size, color),
        Format::Jpeg => {
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
            if let Some((x, y)) = metadata.resolution {
                // There are whole numbers of 16 bits for it.
                let whole = |number: f32| number.round_ties_even().clamp(1.0, 65_535.0) as u16;
                encoder
                    .set_pixel_density(PixelDensity { density: (whole(x), whole(y)), unit: PixelDensityUnit::Inches });
            }
            encode(encoder, metadata, losses, data, size, color)
        }
        Format::Tiff => {
            let mut file = std::io::Cursor::new(Vec::new());
            let done = encode(TiffEncoder::new(&mut file), metadata, losses, data, size, color);
            bytes = file.into_inner();
            done
        }
        _ => {
            let done = encode(BmpEncoder::new(&mut bytes), metadata, losses, data, size, color);
            if let Some((x, y)) = metadata.resolution {
                put_bmp_resolution(&mut bytes, [x, y]);
            }
            done
        }
    };
    done.map(|()| bytes).map_err(|error| error.to_string())
}

/// Says how many pixels a metre has where a BMP header has the place for it.
fn put_bmp_resolution(bytes: &mut [u8], resolution: [f32; 2]) {
    for (at, an_inch) in [38, 42].into_iter().zip(resolution) {
        if let Some(place) = bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&((f64::from(an_inch) * INCHES_A_METRE + 0.5) as u32).to_le_bytes());
        }
    }
}

/// As Pillow has it.
const INCHES_A_METRE: f64 = 39.3701;

fn encode(
    mut encoder: impl ImageEncoder,
    metadata: &PictureMetadata,
    losses: &mut Vec<String>,
    data: &[u8],
    (width, height): (u32, u32),
    color: ExtendedColorType,
) -> image::ImageResult<()> {
    let icc = metadata.icc.clone().is_some_and(|icc| encoder.set_icc_profile(icc).is_err());
    let exif = metadata.exif.clone().is_some_and(|exif| encoder.set_exif_metadata(exif).is_err());
    losses.extend(
        [(icc, PROFILE), (exif, EXIF)].into_iter().filter(|(is_lost, _)| *is_lost).map(|(_, name)| name.to_owned()),
    );
    encoder.write_image(data, width, height, color)
}

/// What travels with a picture, as messages name it.
const PROFILE: &str = "the colour profile";
const EXIF: &str = "EXIF";

/// Tells of what travels with a picture and is not written to the format, though it may have a place for it. Profiles and EXIF
/// are up to the encoder, but that PPM has a place for nothing.
fn lose(metadata: &PictureMetadata, format: Format, losses: &mut Vec<String>) {
    let (is_png, is_pnm) = (format == Format::Png, matches!(format, Format::Ppm | Format::Pgm));
    let holds_resolution = matches!(format, Format::Png | Format::Jpeg | Format::Bmp);
    let parts = [
        (metadata.icc.is_some() && is_pnm, PROFILE),
        (metadata.exif.is_some() && is_pnm, EXIF),
        (metadata.xmp.is_some() && !is_png, "XMP"),
        (metadata.iptc.is_some(), "IPTC"),
        (metadata.resolution.is_some() && !holds_resolution, "the resolution"),
        (metadata.cicp.is_some() && !is_png, "the colour space"),
        (metadata.gamma.is_some() && !is_png, "the gamma"),
        (metadata.chromaticities.is_some() && !is_png, "the chromaticities"),
    ];
    losses.extend(parts.into_iter().filter(|(is_lost, _)| *is_lost).map(|(_, name)| name.to_owned()));
}
