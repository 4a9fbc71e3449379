//! Lossless pictures: they come back to the bit, files cost what they announce, and what is none is refused.

use crate::common::{
    check_bit_flips, check_truncations, cloud_model, cloud_package, factorized, limits, picture, runtimes, Random,
};
use lcrs_codec::{
    compress, compress_lossless, decompress, decompress_cloud, decompress_latent, decompress_lossless, info,
    lossless_if_no_larger, metadata, DecompressOptions, Layout, Picture, PictureMetadata, LOSSLESS,
};
use lcrs_core::{Error, ErrorKind, Limits, Runtime, Simd};
use lcrs_format::{pack, parse, Color, Header, Metadata, MetadataKind, NumberType, Samples, Section};
use proptest::prelude::*;

/// What a picture shows: the closer to a drawing, the fewer bits it takes.
#[derive(Debug, Clone, Copy)]
enum Content {
    Flat,
    FewColours(u64),
    Gradient,
    Shapes,
    Noise,
}

const CONTENTS: [Content; 6] =
    [Content::Flat, Content::FewColours(2), Content::FewColours(7), Content::Gradient, Content::Shapes, Content::Noise];

fn made(layout: Layout, content: Content, seed: u64) -> Picture {
    let Samples::Picture { bit_depth, .. } = layout.samples else { panic!("pictures alone") };
    let (mut random, mask) = (Random(seed), (1_u64 << bit_depth) - 1);
    let base = random.bits();
    let mut data = Vec::new();
    for (y, x) in (0..u64::from(layout.height)).flat_map(|y| (0..u64::from(layout.width)).map(move |x| (y, x))) {
        let colour = match content {
            Content::Flat => base,
            Content::FewColours(count) => (random.bits() % count).wrapping_mul(0x1234_5678_9ABC_DEF1),
            Content::Gradient => base.wrapping_add(3 * x + (y << 17) + ((x + y) << 33)),
            Content::Shapes => [base, !base, base >> 7][((x % 9) * (y % 7) / 11 % 3) as usize],
            Content::Noise => random.bits(),
        };
        for channel in 0..layout.samples.channels() {
            let component = (colour >> (16 * channel) & mask) as u16;
            match layout.samples.number() {
                NumberType::U8 => data.push(component as u8),
                _ => data.extend(component.to_le_bytes()),
            }
        }
    }
    Picture::with_layout(layout, data).unwrap()
}

fn layout(width: u32, height: u32, color: Color, bit_depth: u8) -> Layout {
    let samples = Samples::Picture { color, bit_depth };
    Layout { width, height, samples, has_channel_axis: color == Color::Rgb }
}

fn encoded(picture: &Picture) -> Vec<u8> {
    compress_lossless(picture, &PictureMetadata::default(), &Runtime::serial(), &limits()).unwrap()
}

fn restored(file: &[u8]) -> Result<Picture, Error> {
    decompress_lossless(file, &Runtime::serial(), &limits())
}

/// A small picture that uses every part of the coder, and its file.
fn sample() -> (Picture, Vec<u8>) {
    let picture = made(layout(23, 17, Color::Rgb, 8), Content::FewColours(7), 3);
    let file = encoded(&picture);
    (picture, file)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pictures_come_back(
        (width, height) in (1_u32..40, 1_u32..40),
        is_grey in any::<bool>(),
        bit_depth in 1_u8..=16,
        content in prop::sample::select(CONTENTS.to_vec()),
        has_channel_axis in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut layout = layout(width, height, if is_grey { Color::Grey } else { Color::Rgb }, bit_depth);
        layout.has_channel_axis |= has_channel_axis;
        let picture = made(layout, content, seed);
        let file = encoded(&picture);
        prop_assert_eq!(&restored(&file).unwrap(), &picture);
        // a bit more than noise has, and a header
        prop_assert!(file.len() <= picture.data().len() * 5 / 4 + 100, "{} bytes", file.len());
        let said = info(&file, &limits()).unwrap();
        prop_assert!(said.is_lossless);
        prop_assert_eq!((said.width, said.height, said.model.as_str()), (width, height, LOSSLESS));
        prop_assert_eq!(said.sections.iter().map(|section| section.kind).collect::<Vec<_>>(), ["binary"]);
    }
}

#[test]
fn bytes_depend_on_nothing_else() {
    for content in CONTENTS {
        let picture = made(layout(61, 45, Color::Rgb, 8), content, 5);
        let file = encoded(&picture);
        for rt in runtimes() {
            let again = compress_lossless(&picture, &PictureMetadata::default(), &rt, &limits()).unwrap();
            assert_eq!(again, file, "{content:?} with {rt:?}");
            assert_eq!(decompress_lossless(&file, &rt, &limits()).unwrap(), picture, "{content:?} with {rt:?}");
        }
    }
}

#[test]
fn several_bands_come_back_with_any_number_of_threads() {
    // just above the pixels of a band
    let picture = made(layout(2100, 2000, Color::Grey, 8), Content::Shapes, 1);
    let file = encoded(&picture);
    assert_eq!(parse(&file, &lcrs_format::Limits::default()).unwrap().header.lossless_rows, Some(1000));
    for rt in [2, 3].map(|threads| Runtime::new(Simd::detect(), threads).unwrap()) {
        assert_eq!(decompress_lossless(&file, &rt, &limits()).unwrap(), picture, "{rt:?}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    check_truncations(&sample().1, restored);
}

#[test]
fn every_bit_flip_is_an_error() {
    check_bit_flips(&sample().1, restored);
}

/// With its checksum made right again, damage reaches the decoder: what comes out may be a picture of this size, but never a
/// panic or a caller's error.
#[test]
fn damaged_payloads_with_right_checksums_end_well() {
    let (picture, file) = sample();
    let payload = payload(&file);
    let mut num_errors = 0;
    let mut check = |damaged: &[u8]| match restored(&with_payload(&picture, damaged)) {
        Ok(restored) => assert_eq!(restored.layout(), picture.layout()),
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            num_errors += 1;
        }
    };
    for length in 0..payload.len() {
        check(&payload[..length]);
    }
    for bit in 0..8 * payload.len() {
        let mut damaged = payload.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        check(&damaged);
    }
    assert!(num_errors > 8 * payload.len(), "{num_errors} of {}", 9 * payload.len());
    for length in 0..payload.len() {
        let error = restored(&with_payload(&picture, &payload[..length])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{length} bytes: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes that nobody encoded are a picture or an error.
    #[test]
    fn garbage_ends_well(bytes in prop::collection::vec(any::<u8>(), 6..200), bit_depth in 1_u8..=16, is_grey in any::<bool>()) {
        let mut bytes = bytes;
        bytes[4] |= 1; // a state
        let color = if is_grey { Color::Grey } else { Color::Rgb };
        let picture = made(layout(9, 7, color, bit_depth), Content::Flat, 0);
        match restored(&with_payload(&picture, &bytes)) {
            Ok(restored) => prop_assert_eq!(restored.layout(), picture.layout()),
            Err(error) => prop_assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Desync), "{}", error),
        }
    }
}

fn payload(file: &[u8]) -> Vec<u8> {
    parse(file, &lcrs_format::Limits::default()).unwrap().sections[0].data.to_vec()
}

fn with_payload(picture: &Picture, payload: &[u8]) -> Vec<u8> {
    let Layout { width, height, samples, has_channel_axis } = picture.layout();
    let header = Header { samples, has_channel_axis, ..Header::of_lossless(width, height, height) };
    pack(&header, &[section(0, 2, 16, payload)], &[]).unwrap()
}

fn section(latent: u8, kind: u8, precision: u8, data: &[u8]) -> Section<'_> {
    Section { latent, kind, precision, data }
}

#[test]
fn sections_of_others_are_refused() {
    let (picture, file) = sample();
    let (payload, header) = (payload(&file), Header::of_lossless(picture.width(), picture.height(), picture.height()));
    assert_eq!(pack(&header, &[section(0, 2, 16, &payload)], &[]).unwrap(), file);
    let cases: [(&[Section<'_>], ErrorKind, &str); 6] = [
        (&[], ErrorKind::Corrupt, "lossless picture of 0 sections (1)"),
        (&[section(0, 2, 16, &payload), section(1, 2, 16, &[])], ErrorKind::Corrupt, "of 2 sections (1)"),
        (&[section(1, 2, 16, &payload)], ErrorKind::UnsupportedVersion, "in section 1 of kind 2 and precision 16"),
        (&[section(0, 0, 16, &payload)], ErrorKind::UnsupportedVersion, "in section 0 of kind 0 and precision 16"),
        (&[section(0, 3, 16, &payload)], ErrorKind::UnsupportedVersion, "this build knows 0, 2 and 16"),
        (&[section(0, 2, 12, &payload)], ErrorKind::UnsupportedVersion, "of kind 2 and precision 12"),
    ];
    for (sections, kind, words) in cases {
        let error = restored(&pack(&header, sections, &[]).unwrap()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(words), "{error} without {words}");
    }
}

#[test]
fn files_are_told_apart() {
    let (package, (_, lossless)) = (factorized().package(), sample());
    let rt = Runtime::serial();
    let of_model = compress(&package, &picture(20, 20, 1), &Default::default(), &rt, &limits()).unwrap();
    let error = restored(&of_model).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("the file is not lossless: it was made with model"), "{error}");
    for error in [
        decompress(&package, &lossless, &DecompressOptions::default(), &rt, &limits()).unwrap_err(),
        decompress_cloud(&cloud_package(&cloud_model()).unwrap(), &lossless, &rt, &limits()).unwrap_err(),
        decompress_latent(&package, &lossless, &DecompressOptions::default(), &rt, &limits()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    // the kind of a lossless picture is none of a model's
    let container = parse(&of_model, &lcrs_format::Limits::default()).unwrap();
    let data = container.sections[0].data;
    let file = pack(&container.header, &[section(0, 2, 16, data)], &[]).unwrap();
    assert_eq!(info(&file, &limits()).unwrap_err().kind(), ErrorKind::UnsupportedVersion);
}

#[test]
fn metadata_stands_beside_it() {
    let (picture, file) = sample();
    let given = PictureMetadata {
        icc: Some(b"profile".to_vec()),
        resolution: Some((300.0, 72.5)),
        gamma: Some(45_455),
        ..Default::default()
    };
    let with = compress_lossless(&picture, &given, &Runtime::serial(), &limits()).unwrap();
    assert_eq!(metadata(&with, &limits()).unwrap(), given);
    assert_eq!(restored(&with).unwrap(), picture);
    assert_eq!(payload(&with), payload(&file));
    let mut limits = limits();
    limits.max_metadata_bytes = 6;
    for error in [
        compress_lossless(&picture, &given, &Runtime::serial(), &limits).unwrap_err(),
        decompress_lossless(&with, &Runtime::serial(), &limits).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
    // of an unknown ancillary section nothing is looked at
    let container = parse(&with, &lcrs_format::Limits::default()).unwrap();
    let metadata = Metadata { kind: MetadataKind::Icc, data: b"profile" };
    assert_eq!(container.metadata, [metadata]);
}

#[test]
fn arrays_are_no_pictures() {
    let samples = Samples::Array { number: NumberType::U8, channels: 3 };
    let array =
        Picture::with_layout(Layout { width: 4, height: 3, samples, has_channel_axis: true }, vec![0; 36]).unwrap();
    let (rt, none) = (Runtime::serial(), PictureMetadata::default());
    let error = compress_lossless(&array, &none, &rt, &limits()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("lossless files hold pictures, not arrays"), "{error}");
    assert_eq!(lossless_if_no_larger(&array, &none, usize::MAX, &rt, &limits()).unwrap(), None);
}

#[test]
fn a_file_that_would_be_larger_is_none() {
    let none = PictureMetadata::default();
    let some = PictureMetadata { icc: Some(vec![7; 50]), ..Default::default() };
    for rt in [1, 3].map(|threads| Runtime::new(Simd::detect(), threads).unwrap()) {
        for (width, height) in [(1, 1), (40, 30), (1, 200), (200, 1), (2, 2)] {
            let picture = made(layout(width, height, Color::Rgb, 8), Content::Shapes, 2);
            for metadata in [&none, &some] {
                let file = compress_lossless(&picture, metadata, &rt, &limits()).unwrap();
                let within = |most| lossless_if_no_larger(&picture, metadata, most, &rt, &limits()).unwrap();
                assert_eq!(within(file.len()).as_ref(), Some(&file));
                assert_eq!(within(usize::MAX).as_ref(), Some(&file));
                assert_eq!(within(file.len() - 1), None);
                assert_eq!(within(0), None);
            }
        }
        let noise = made(layout(64, 64, Color::Rgb, 8), Content::Noise, 2);
        assert_eq!(lossless_if_no_larger(&noise, &none, noise.data().len(), &rt, &limits()).unwrap(), None);
    }
}

/// Many segments: whoever has too many bytes ends before the end of the picture.
#[test]
fn a_large_file_that_would_be_larger_is_none() {
    let picture = made(layout(400, 300, Color::Grey, 8), Content::FewColours(2), 2);
    let file = encoded(&picture);
    assert!(file.len() > 10_000, "{} bytes", file.len());
    let within = |most| {
        lossless_if_no_larger(&picture, &PictureMetadata::default(), most, &Runtime::serial(), &limits()).unwrap()
    };
    assert_eq!(within(file.len()), Some(file.clone()));
    assert_eq!(within(file.len() - 1), None);
    assert_eq!(within(1), None);
}

#[test]
fn jobs_stay_within_their_limits() {
    let (picture, file) = sample();
    let refused = |change: &dyn Fn(&mut Limits), words: &str| {
        let mut limits = limits();
        change(&mut limits);
        for error in [
            compress_lossless(&picture, &PictureMetadata::default(), &Runtime::serial(), &limits).unwrap_err(),
            decompress_lossless(&file, &Runtime::serial(), &limits).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
            assert!(error.message().contains(words), "{error} without {words}");
        }
    };
    refused(&|limits| limits.max_pixels = 23 * 17 - 1, "23 x 17");
    refused(&|limits| limits.max_side = 22, "at most 22 a side are allowed (max_side)");
    for bytes in [0, 100, 1000, 1 << 16, 1 << 20] {
        refused(&|limits| limits.max_bytes = bytes, "(max_bytes)");
    }
}

/// A few bytes that announce a large picture are refused before there is room for it.
#[test]
fn announcements_cost_nothing() {
    let samples = Samples::RGB8;
    for (width, height, rows) in [(16_384, 16_384, 16_384), (65_535, 4096, 4096), (65_535, 4096, 2), (4096, 65_535, 16)]
    {
        let header = Header { samples, ..Header::of_lossless(width, height, rows) };
        let file = pack(&header, &[section(0, 2, 16, &[1; 40])], &[]).unwrap();
        let error = restored(&file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    }
}
