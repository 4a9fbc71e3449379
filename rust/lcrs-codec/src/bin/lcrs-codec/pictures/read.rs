//! From picture files to pixels, losing nothing silently: by the rules of the Python program, so that both write the same
//! bytes for the same pixels.

use std::io::Cursor;

use image::error::{UnsupportedError, UnsupportedErrorKind};
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};
use lcrs_codec::{Layout, Picture, PictureMetadata};
use lcrs_core::Limits;
use lcrs_format::{Color, Samples};

use super::directory::{upright, Directory};
use super::icc::{color_space, is_whole};
use super::pixels::{Components, Pixels};
use super::pnm;
use super::sources::{count_frames, is_cmyk, is_cut_jpeg, orientation, resolution, PngChunks};

/// What the caller says of what a picture cannot hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choices {
    /// The colour that transparency is flattened on.
    pub background: Option<[u8; 3]>,
    /// Whether deeper components are rounded to 8 bits.
    pub to_8bit: bool,
    /// Whether the EXIF block goes along.
    pub keep_exif: bool,
}

/// A picture, what travels with it, and what its file has that cannot, each in a few words.
#[derive(Debug)]
pub(crate) struct Read {
    pub picture: Picture,
    pub metadata: PictureMetadata,
    pub losses: Vec<String>,
}

/// What is wrong with a picture, in one line without the file's name.
type Result<T> = std::result::Result<T, String>;

/// Formats that are read, by the names that messages have for them.
const FORMATS: [(ImageFormat, &str); 6] = [
    (ImageFormat::Png, "PNG"),
    (ImageFormat::Jpeg, "JPEG"),
    (ImageFormat::Tiff, "TIFF"),
    (ImageFormat::WebP, "WebP"),
    (ImageFormat::Pnm, "PNM"),
    (ImageFormat::Bmp, "BMP"),
];

/// Reads a picture file.
///
/// # Errors
/// What is wrong with it, or what it holds that a picture cannot hold and the choices do not say what to do with.
pub(crate) fn read(bytes: &[u8], choices: Choices, limits: &Limits) -> Result<Read> {
    let (format, name) = format_of(bytes)?;
    let frames = count_frames(bytes, format);
    if frames > 1 {
        return Err(format!("image has {frames} frames, one is needed: lcrs encode --frame 0 takes the first"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder_limits = image::Limits::default();
    decoder_limits.max_alloc = Some(limits.max_bytes);
    reader.limits(decoder_limits);
    let broken = |error: ImageError| format!("image cannot be decoded as {name}: {}", words(&error));
    let mut decoder = reader.into_decoder().map_err(|error| match &error {
        // A TIFF file of one component of 32 bits; of three, the decoder knows what they are.
        ImageError::Unsupported(unknown) if is_deeper(unknown) => NOT_8_OR_16_BITS.to_owned(),
        _ => broken(error),
    })?;
    let (width, height) = decoder.dimensions();
    limits.check_picture(width, height).map_err(text)?;
    if format == ImageFormat::Jpeg && is_cut_jpeg(bytes) {
        return Err(format!("image cannot be decoded as {name}: it ends before its last pixel"));
    }
    let is_cmyk = is_cmyk(bytes, format, decoder.original_color_type());
    let icc = match format {
        // The decoder does not find those that are marked as bytes of no meaning, as they should be.
        ImageFormat::Tiff => Directory::first(bytes).and_then(|file| file.profile().map(<[u8]>::to_vec)),
        _ => decoder.icc_profile().map_err(broken)?,
    };
    if is_cmyk {
        let words = match icc {
            Some(_) => "image is CMYK, which has no one meaning in RGB: lcrs encode --to-srgb converts it by its profile",
            None => {
                "image is CMYK without a profile that says what its inks look like: convert it to RGB with a program that knows"
            }
        };
        return Err(words.to_owned());
    }
    let exif = decoder.exif_metadata().unwrap_or_default();
    let [xmp, iptc] = [decoder.xmp_metadata(), decoder.iptc_metadata()].map(|found| found.ok().flatten());
    let orientation = orientation(bytes, format, exif.as_deref(), xmp.as_deref());
    let shape = Shape::of(&decoder)?;
    let mut pixels = shape.decode(decoder, limits, broken)?;
    if let (ImageFormat::Pnm, Some(largest)) = (format, pnm::largest(bytes)) {
        pixels = pnm::as_in_file(pixels, largest);
    }
    let pixels = pixels.oriented(orientation, limits).map_err(text)?;
    let flat = pixels.flattened(choices.background, limits).map_err(text)?.ok_or_else(|| {
        "image has transparent parts, which are not kept: --background white or another colour to flatten them on"
            .to_owned()
    })?;
    let pixels = if choices.to_8bit { flat.rounded(limits).map_err(text)? } else { flat };
    let mut losses = Vec::new();
    let icc = icc.and_then(|icc| fitting_profile(icc, pixels.channels, &mut losses));
    let size = (pixels.width, pixels.height);
    let resolution = resolution(bytes, format, exif.as_deref());
    let exif = exif.and_then(|exif| {
        upright(exif, size, orientation != 1).unwrap_or_else(|loss| {
            losses.push(loss.to_owned());
            None
        })
    });
    let directory = Directory::first(bytes).filter(|_| format == ImageFormat::Tiff);
    if directory.as_ref().is_some_and(Directory::is_descriptive) {
        losses.push("EXIF (lcrs encode --keep-exif keeps it)".to_owned());
    } else if exif.is_some() && !choices.keep_exif {
        losses.push("EXIF (--keep-exif keeps it)".to_owned());
    }
    let exif = exif.filter(|_| choices.keep_exif);
    let has_iptc = iptc.is_some() || directory.as_ref().is_some_and(Directory::has_iptc);
    for (is_there, name) in [(xmp.is_some(), "XMP"), (has_iptc, "IPTC")] {
        if is_there {
            losses.push(format!("{name} (lcrs encode --keep-metadata keeps it)"));
        }
    }
    let mut metadata = PictureMetadata { icc, exif, resolution, ..PictureMetadata::default() };
    add_png_colors(&mut metadata, &PngChunks::of(bytes, format));
    Ok(Read { picture: into_picture(pixels, limits)?, metadata, losses })
}

/// What a PNG file says of its colours in numbers; what says sRGB says nothing.
fn add_png_colors(metadata: &mut PictureMetadata, chunks: &PngChunks<'_>) {
    metadata.cicp = chunks.cicp();
    if metadata.icc.is_some() || chunks.has(b"cICP") || chunks.has(b"sRGB") {
        return;
    }
    let gamma = chunks.numbers::<1>(b"gAMA").map(|[gamma]| gamma).filter(|gamma| *gamma > 0);
    let chromaticities = chunks.numbers(b"cHRM");
    let is_usual = gamma.is_none_or(|gamma| gamma == SRGB_GAMMA)
        && chromaticities.is_none_or(|numbers| numbers == SRGB_CHROMATICITIES);
    if !is_usual {
        (metadata.gamma, metadata.chromaticities) = (gamma, chromaticities);
    }
}

/// What PNG says of sRGB.
const SRGB_GAMMA: u32 = 45_455;
const SRGB_CHROMATICITIES: [u32; 8] = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];

fn text(error: lcrs_core::Error) -> String {
    error.to_string()
}

/// Refuses what begins as no picture does that is read here.
///
/// # Errors
/// What is wrong, without the file's name.
pub(crate) fn refuse_no_picture(head: &[u8]) -> Result<()> {
    format_of(head).map(|_| ())
}

fn format_of(bytes: &[u8]) -> Result<(ImageFormat, &'static str)> {
    if bytes.is_empty() {
        return Err("image is empty: it has 0 bytes".to_owned());
    }
    if bytes.starts_with(&lcrs_format::MAGIC) {
        return Err("image is an .lcrs file already: it is decoded, not encoded".to_owned());
    }
    let found = image::guess_format(bytes).ok();
    FORMATS.into_iter().find(|(format, _)| Some(*format) == found).ok_or_else(|| {
        let known = FORMATS.map(|(_, name)| name).join(", ");
        format!("image is of no format that is read here ({known}); lcrs encode knows more")
    })
}

const NOT_8_OR_16_BITS: &str =
    "image has floating-point components or more than 16 bits of them: convert it to 8 or 16 bits first";

/// Whether the decoder says that it does not know components of so many bits.
fn is_deeper(unsupported: &UnsupportedError) -> bool {
    matches!(unsupported.kind(), UnsupportedErrorKind::Color(ExtendedColorType::Unknown(17..)))
}

/// What a decoder gives.
#[derive(Debug, Clone, Copy)]
struct Shape {
    width: u32,
    height: u32,
    channels: usize,
    is_deep: bool,
}

impl Shape {
    fn of(decoder: &impl ImageDecoder) -> Result<Self> {
        let (channels, is_deep) = match decoder.color_type() {
            ColorType::L8 => (1, false),
            ColorType::La8 => (2, false),
            ColorType::Rgb8 => (3, false),
            ColorType::Rgba8 => (4, false),
            ColorType::L16 => (1, true),
            ColorType::La16 => (2, true),
            ColorType::Rgb16 => (3, true),
            ColorType::Rgba16 => (4, true),
            _ => return Err(NOT_8_OR_16_BITS.to_owned()),
        };
        let (width, height) = decoder.dimensions();
        Ok(Self { width, height, channels, is_deep })
    }

    fn decode(
        self,
        decoder: impl ImageDecoder,
        limits: &Limits,
        broken: impl Fn(ImageError) -> String,
    ) -> Result<Pixels> {
        let Self { width, height, channels, is_deep } = self;
        let total = decoder.total_bytes();
        // Decoders take about as much again, and end the process if that is not to be had.
        let room = total.saturating_mul(2).saturating_add(1 << 20);
        limits.rehearse(room.min(limits.max_bytes), "picture").map_err(text)?;
        let length = usize::try_from(total).unwrap_or(usize::MAX);
        let mut bytes: Vec<u8> = limits.zeroed(length, "picture").map_err(text)?;
        decoder.read_image(&mut bytes).map_err(broken)?;
        let data = if is_deep {
            let mut words: Vec<u16> = limits.zeroed(length / 2, "picture").map_err(text)?;
            words.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = u16::from_ne_bytes(*bytes));
            Components::Words(words)
        } else {
            Components::Bytes(bytes)
        };
        let bit_depth = if is_deep { 16 } else { 8 };
        Ok(Pixels { width, height, channels, bit_depth, data })
    }
}

/// The profile, if it is one for the colours that are kept.
fn fitting_profile(icc: Vec<u8>, channels: usize, losses: &mut Vec<String>) -> Option<Vec<u8>> {
    if !is_whole(&icc) {
        losses.push("a damaged colour profile".to_owned());
        return None;
    }
    let space = color_space(&icc);
    if space == b"RGB " || (space == b"GRAY" && channels == 1) {
        return Some(icc);
    }
    let space = String::from_utf8_lossy(space).trim().to_owned();
    losses.push(format!("a colour profile for {}", if space.is_empty() { "nothing" } else { &space }));
    None
}

fn into_picture(pixels: Pixels, limits: &Limits) -> Result<Picture> {
    let color = if pixels.channels == 1 { Color::Grey } else { Color::Rgb };
    let bit_depth = pixels.bit_depth;
    let data = match pixels.data {
        Components::Bytes(bytes) => bytes,
        Components::Words(words) => {
            let mut bytes: Vec<u8> = limits.zeroed(2 * words.len(), "picture").map_err(text)?;
            bytes.as_chunks_mut().0.iter_mut().zip(&words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
            bytes
        }
    };
    let samples = Samples::Picture { color, bit_depth };
    let (width, height, has_channel_axis) = (pixels.width, pixels.height, color == Color::Rgb);
    Picture::with_layout(Layout { width, height, samples, has_channel_axis }, data).map_err(text)
}

/// The decoder's words, without those of the library around it, which name the format again.
fn words(error: &ImageError) -> String {
    match error {
        ImageError::Decoding(error) => {
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
        }
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it ends before its last pixel".to_owned()
        }
        other => other.to_string(),
    }
}
