//! What the headers of picture files say that their decoders leave out.

use image::{ExtendedColorType, ImageFormat};

use super::directory::Directory;

/// Frames of an animation, or pages.
pub(super) fn count_frames(bytes: &[u8], format: ImageFormat) -> usize {
    match format {
        ImageFormat::Tiff => Directory::first(bytes).map_or(1, Directory::count_pages),
        ImageFormat::Png => png_frames(bytes).unwrap_or(1),
        ImageFormat::WebP => webp_frames(bytes),
        _ => 1,
    }
}

/// The number that an animation control chunk says, if one comes before the pixels.
fn png_frames(bytes: &[u8]) -> Option<usize> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?) as usize;
        let name = bytes.get(at + 4..)?.first_chunk::<4>()?;
        match name {
            b"acTL" => return Some(u32::from_be_bytes(*bytes.get(at + 8..)?.first_chunk()?) as usize),
            b"IDAT" => return None,
            _ => at = at.checked_add(length)?.checked_add(12)?,
        }
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

/// How the picture is to be seen; what is damaged says nothing.
pub(super) fn orientation(bytes: &[u8], format: ImageFormat, exif: Option<&[u8]>) -> u8 {
    let block = if format == ImageFormat::Tiff { Some(bytes) } else { exif };
    block.and_then(Directory::first).map_or(1, |directory| directory.orientation())
}
