//! What the headers of picture files say that their decoders leave out.

use std::collections::BTreeMap;

use image::{ExtendedColorType, ImageFormat};

use lcrs_codec::Cicp;

use super::directory::Directory;

/// Frames of an animation, or pages.
pub(super) fn count_frames(bytes: &[u8], format: ImageFormat) -> usize {
    match format {
        ImageFormat::Tiff => Directory::first(bytes).map_or(1, Directory::count_pages),
        ImageFormat::Png => PngChunks::of(bytes, format).numbers(b"acTL").map_or(1, |[frames, _]| frames as usize),
        ImageFormat::WebP => webp_frames(bytes),
        _ => 1,
    }
}

/// Chunks that hold a frame each.
fn webp_frames(bytes: &[u8]) -> usize {
    let (mut at, mut frames) = (12, 0);
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        frames += usize::from(head.starts_with(b"ANMF"));
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        at += 8 + length.next_multiple_of(2);
    }
    frames
}

/// The chunks of a PNG file before its pixels, the first one of each name.
pub(super) struct PngChunks<'a>(BTreeMap<[u8; 4], &'a [u8]>);

impl<'a> PngChunks<'a> {
    /// None for other files.
    pub(super) fn of(bytes: &'a [u8], format: ImageFormat) -> Self {
        let mut chunks = BTreeMap::new();
        let mut at = 8;
        while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let [l3, l2, l1, l0, name @ ..] = *head;
            let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
            let Some(data) = bytes.get(at + 8..).and_then(|rest| rest.get(..length)) else { break };
            if format != ImageFormat::Png || &name == b"IDAT" {
                break;
            }
            chunks.entry(name).or_insert(data);
            at += 12 + length;
        }
        Self(chunks)
    }

    pub(super) fn has(&self, name: &[u8; 4]) -> bool {
        self.0.contains_key(name)
    }

    /// A chunk of so many numbers.
    pub(super) fn numbers<const N: usize>(&self, name: &[u8; 4]) -> Option<[u32; N]> {
        let (numbers, rest) = self.0.get(name)?.as_chunks();
        let numbers: &[[u8; 4]; N] = numbers.try_into().ok().filter(|_| rest.is_empty())?;
        Some(numbers.map(u32::from_be_bytes))
    }

    /// What the components mean as colours, unless that is sRGB.
    pub(super) fn cicp(&self) -> Option<Cicp> {
        let [primaries, transfer, matrix, range] = **self.0.get(b"cICP")? else { return None };
        let is_usual = [primaries, transfer, matrix, range] == [1, 13, 0, 1];
        (range <= 1 && !is_usual).then_some(Cicp { primaries, transfer, matrix, is_full_range: range == 1 })
    }
}

/// Pixels an inch, across and down, if the file says so, or its EXIF block.
pub(super) fn resolution(bytes: &[u8], format: ImageFormat, exif: Option<&[u8]>) -> Option<(f32, f32)> {
    const METRE: f64 = 0.0254;
    let stated = match format {
        ImageFormat::Png => png_resolution(bytes).map(|(x, y)| (x * METRE, y * METRE)),
        ImageFormat::Jpeg => jfif_resolution(bytes),
        ImageFormat::Bmp => bmp_resolution(bytes).map(|(x, y)| (x / 39.3701, y / 39.3701)),
        ImageFormat::Tiff => Directory::first(bytes).and_then(|file| file.resolution()),
        _ => None,
    };
    // That is what EXIF blocks say when they do not know.
    let no_claim = Some((72.0, 72.0));
    let said = exif.and_then(Directory::first).and_then(|block| block.resolution());
    let (x, y) = stated.or(said.filter(|said| Some(*said) != no_claim))?;
    let (x, y) = (x as f32, y as f32);
    [x, y].iter().all(|number| number.is_finite() && *number > 0.0).then_some((x, y))
}

fn png_resolution(bytes: &[u8]) -> Option<(f64, f64)> {
    let chunks = PngChunks::of(bytes, ImageFormat::Png);
    let [x3, x2, x1, x0, y3, y2, y1, y0, 1] = **chunks.0.get(b"pHYs")? else { return None };
    Some((u32::from_be_bytes([x3, x2, x1, x0]).into(), u32::from_be_bytes([y3, y2, y1, y0]).into()))
}

/// By the JFIF header, which comes first where there is one.
fn jfif_resolution(bytes: &[u8]) -> Option<(f64, f64)> {
    let header = bytes.get(2..18).filter(|header| header.starts_with(&[0xFF, 0xE0]) && &header[4..9] == b"JFIF\0")?;
    let scale = match header[11] {
        1 => 1.0,
        2 => 2.54,
        _ => return None,
    };
    let number = |at: usize| f64::from(u16::from_be_bytes([header[at], header[at + 1]])) * scale;
    Some((number(12), number(14)))
}

fn bmp_resolution(bytes: &[u8]) -> Option<(f64, f64)> {
    let number = |at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    // Headers of 12 bytes have no place for it.
    number(14).filter(|length| *length >= 40)?;
    Some((number(38)?.into(), number(42)?.into()))
}

/// Whether the components are amounts of ink: decoders would make up what colours those are.
pub(super) fn is_cmyk(bytes: &[u8], format: ImageFormat, color: ExtendedColorType) -> bool {
    matches!(color, ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16)
        || (format == ImageFormat::Jpeg && jpeg_components(bytes) == Some(4))
}

/// Components of a JPEG file, by its frame header.
fn jpeg_components(bytes: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        match *bytes.get(at..)?.first_chunk()? {
            [0xFF, 0xFF] => at += 1,
            // Every start of a frame; between them are tables and arithmetic coding.
            [0xFF, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF] => return bytes.get(at + 9).copied(),
            [0xFF, 0x01 | 0xD0..=0xD8] => at += 2,
            [0xFF, _] => at += 2 + usize::from(u16::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?)),
            _ => return None,
        }
    }
}

/// Whether a JPEG file ends before the end of its picture is marked: decoders make grey of what is missing.
pub(super) fn is_cut_jpeg(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        let next = |from: usize| bytes.get(from..).and_then(|rest| rest.first_chunk::<2>().copied());
        match next(at) {
            None => return true,
            Some([0xFF, 0xD9]) => return false,
            Some([0xFF, 0xFF]) => at += 1,
            Some([0xFF, 0x00 | 0x01 | 0xD0..=0xD8]) => at += 2,
            Some([0xFF, _]) => at += 2 + next(at + 2).map_or(0, |length| usize::from(u16::from_be_bytes(length))),
            // coded components
            Some(_) => at += 1,
        }
    }
}

/// How the picture is to be seen, by its EXIF block or, where that says nothing of it, by XMP; what is damaged says nothing.
pub(super) fn orientation(bytes: &[u8], format: ImageFormat, exif: Option<&[u8]>, xmp: Option<&[u8]>) -> u8 {
    let block = if format == ImageFormat::Tiff { Some(bytes) } else { exif };
    let stated = block.and_then(Directory::first).and_then(|directory| directory.orientation());
    stated.or_else(|| xmp.and_then(orientation_of_xmp)).unwrap_or(1)
}

/// The first orientation that an XMP packet states, in one of its two forms.
fn orientation_of_xmp(packet: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    let after = packet.windows(NAME.len()).enumerate().filter(|(_, text)| *text == NAME).map(|(at, _)| at + NAME.len());
    let digit = after.into_iter().find_map(|at| match packet.get(at..).unwrap_or_default() {
        [b'=', b'"', digit @ b'0'..=b'9', ..] | [b'>', digit @ b'0'..=b'9', ..] => Some(digit - b'0'),
        _ => None,
    })?;
    Some(if (1..=8).contains(&digit) { digit } else { 1 })
}
