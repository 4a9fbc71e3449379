//! Lossless pictures on arbitrary bytes.

use lcrs_codec::{compress_lossless, decompress_lossless, lossless_if_no_larger, Layout, Picture, PictureMetadata};
use lcrs_core::{Limits, Runtime};
use lcrs_format::{pack, Color, Header, NumberType, Samples, Section};

/// Byte 0: grey or RGB, and bits of a component; byte 1: the width; byte 2: the height of what a payload is read as; the others are
/// the samples of a picture, which comes back, and a payload, whose checksum is made right: that is a picture or an error.
pub fn lossless(data: &[u8]) {
    let Some((&[kind, width, height], rest)) = data.split_first_chunk() else { return };
    let color = if kind & 1 == 0 { Color::Grey } else { Color::Rgb };
    let samples = Samples::Picture { color, bit_depth: 1 + (kind >> 1) % 16 };
    let layout = Layout { width: 1 + u32::from(width), height: 1 + u32::from(height), samples, has_channel_axis: true };
    payload(layout, rest);
    picture(layout, rest);
}

/// The fuzzer finds no checksum.
fn payload(layout: Layout, data: &[u8]) {
    let Layout { width, height, samples, .. } = layout;
    // one band, or several of a picture that is as wide as bands of few rows need
    let (width, rows) = if height % 2 == 0 { (width, height) } else { (65_535, 2.min(height)) };
    let header = Header { samples, ..Header::of_lossless(width, height, rows) };
    let section = Section { latent: 0, kind: 2, precision: 16, data };
    let file = pack(&header, &[section], &[]).expect("a legal header");
    let mut limits = Limits::default();
    limits.max_bytes = 64 << 20;
    if let Ok(picture) = decompress_lossless(&file, &Runtime::serial(), &limits) {
        assert_eq!((picture.width(), picture.height()), (width, height));
    }
}

fn picture(layout: Layout, data: &[u8]) {
    let Samples::Picture { bit_depth, .. } = layout.samples else { unreachable!("a picture") };
    let mask = ((1_u32 << bit_depth) - 1) as u16;
    let is_wide = layout.samples.number() == NumberType::U16;
    let row = layout.width as usize * layout.samples.channels();
    let components: Vec<u16> = match is_wide {
        true => data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]) & mask).collect(),
        false => data.iter().map(|byte| u16::from(*byte) & mask).collect(),
    };
    let height = components.len() / row;
    let samples = components[..height * row].iter().flat_map(|component| {
        let bytes = component.to_le_bytes();
        bytes.into_iter().take(1 + usize::from(is_wide))
    });
    let layout = Layout { height: height as u32, ..layout };
    let Ok(picture) = Picture::with_layout(layout, samples.collect()) else { return }; // no row
    let (none, rt, limits) = (PictureMetadata::default(), Runtime::serial(), Limits::default());
    let file = compress_lossless(&picture, &none, &rt, &limits).expect("any picture can be coded");
    assert_eq!(decompress_lossless(&file, &rt, &limits).expect("what was coded can be decoded"), picture);
    let within = |most| lossless_if_no_larger(&picture, &none, most, &rt, &limits).expect("a trial is no error");
    assert!(within(file.len()).is_none_or(|again| again == file));
    assert_eq!(within(file.len() - 1), None);
}
