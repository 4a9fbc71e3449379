//! The container against its specification: the worked example, round trips, damage of every kind.

use lcrs_format::{
    bytes_needed, pack, parse, Cicp, Color, Error, Header, Limits, Metadata, MetadataKind, NumberType, Samples,
    Section, FORMAT_VERSION,
};
use proptest::prelude::*;

fn example() -> (Header, Vec<Section<'static>>) {
    let mut header = Header::new("photo", 768, 512);
    header.entropy_digest = [1, 2, 3, 4, 5, 6, 7, 8];
    header.synthesis_digest = [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18];
    header.quality = Some(50.0);
    let sections = vec![
        Section { latent: 0, kind: 1, precision: 16, data: &[0xA1, 0xA2, 0xA3] },
        Section { latent: 1, kind: 1, precision: 16, data: &[0xB1, 0xB2, 0xB3, 0xB4] },
    ];
    (header, sections)
}

/// A file that uses every optional part.
fn full_file() -> Vec<u8> {
    let (mut header, sections) = example();
    header.crop_left = 3;
    header.crop_top = 300;
    header.decoded = Some((1024, 1024));
    header.samples = Samples::Picture { color: Color::Grey, bit_depth: 10 };
    header.is_portable = false;
    header.resolution = Some((300.0, 72.5));
    header.cicp = Some(Cicp { primaries: 12, transfer: 13, matrix: 0, is_full_range: true });
    header.gamma = Some(45_455);
    header.chromaticities = Some([31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000]);
    let metadata = [
        Metadata { kind: MetadataKind::Icc, data: b"profile" },
        Metadata { kind: MetadataKind::Exif, data: b"II*\0exif" },
        Metadata { kind: MetadataKind::Xmp, data: b"<x:xmpmeta/>" },
        Metadata { kind: MetadataKind::Iptc, data: b"\x1C\x02iptc" },
    ];
    pack(&header, &sections, &metadata).unwrap()
}

/// The bytes of the code block in the README, without their comments.
fn readme_bytes() -> Vec<u8> {
    let block = include_str!("../../README.md").split("```hex\n").nth(1).unwrap().split("```").next().unwrap();
    block
        .lines()
        .flat_map(|line| line.split("  ").next().unwrap().split_whitespace())
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

#[test]
fn the_readme_example_is_what_is_written() {
    let (header, sections) = example();
    let file = pack(&header, &sections, &[]).unwrap();
    assert_eq!(file, readme_bytes(), "{file:02X?}");
    let container = parse(&file, &Limits::default()).unwrap();
    assert_eq!((container.header, container.sections), (header, sections));
}

#[test]
fn a_typical_header_takes_at_most_64_bytes() {
    let (header, _) = example();
    let (z, y) = (vec![1; 900], vec![2; 40_000]);
    let sections = [
        Section { latent: 0, kind: 1, precision: 16, data: &z },
        Section { latent: 1, kind: 1, precision: 16, data: &y },
    ];
    let file = pack(&header, &sections, &[]).unwrap();
    let header_bytes = parse(&file, &Limits::default()).unwrap().header_bytes;
    assert_eq!(file.len(), header_bytes + 40_900);
    assert!(header_bytes <= 64, "{header_bytes}");
}

#[test]
fn every_truncation_is_named() {
    let file = full_file();
    for length in 0..file.len() {
        let error = parse(&file[..length], &Limits::default()).unwrap_err();
        assert!(matches!(error, Error::Truncated(_)), "{length} bytes: {error:?}");
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut file = full_file();
    file.push(0);
    assert!(matches!(parse(&file, &Limits::default()), Err(Error::Corrupt(_))));
}

#[test]
fn the_first_bytes_tell_the_length() {
    let file = full_file();
    let limits = Limits::default();
    let header = parse(&file, &limits).unwrap().header_bytes;
    for length in 0..=file.len() {
        let expected = if length < 8 {
            12
        } else if length < header {
            header
        } else {
            file.len()
        };
        assert_eq!(bytes_needed(&file[..length], &limits), Ok(expected as u64), "{length} bytes");
    }
    // Nothing after the end changes it: whoever reads on finds what does not belong to the file.
    let longer = [&file[..], &[0; 100]].concat();
    assert_eq!(bytes_needed(&longer, &limits), Ok(file.len() as u64));
}

#[test]
fn what_cannot_be_a_file_is_refused_at_its_first_byte() {
    let limits = Limits::default();
    for bytes in [&b"\0"[..], b"\x8CLCX", b"\x8CLCS\x02", b"\x8CLCS\x00"] {
        assert!(bytes_needed(bytes, &limits).is_err(), "{bytes:?}");
    }
    // a header length of 65,536, of one that does not end, and of one that is not in its shortest form
    for bytes in [b"\x8CLCS\x01\x80\x80\x04", b"\x8CLCS\x01\xFF\xFF\xFF", b"\x8CLCS\x01\x80\x80\x00"] {
        let error = bytes_needed(bytes, &limits).unwrap_err();
        assert!(matches!(error, Error::Corrupt(_)), "{error:?}");
    }
}

#[test]
fn announced_lengths_above_the_limit_are_refused() {
    let length = 1_000_000_u32;
    let entry = [0, 1, 16, 0xC0, 0x84, 0x3D, 0, 0, 0, 0]; // one latent of a million bytes
    let file = with_body(&body(b"m", &[&[1, 1, 1][..], &entry].concat()));
    let whole = file.len() as u64 + u64::from(length);
    let limits = |max_bytes| Limits { max_bytes, ..Limits::default() };
    assert_eq!(bytes_needed(&file, &limits(whole)), Ok(whole));
    assert!(matches!(bytes_needed(&file, &limits(whole - 1)), Err(Error::Limit(_))));
    let entry = [&[0, 1, 16][..], &[0xFF; 9], &[0x01], &[0; 4]].concat(); // 2^64 - 1 bytes
    let file = with_body(&body(b"m", &[&[1, 1, 1][..], &entry].concat()));
    assert!(matches!(bytes_needed(&file, &Limits::default()), Err(Error::Limit(_))));
}

#[test]
fn every_bit_flip_is_noticed() {
    let file = full_file();
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(parse(&damaged, &Limits::default()).is_err(), "bit {bit}");
    }
}

/// A file around a header body written by hand, with its checksum made right.
fn with_body(body: &[u8]) -> Vec<u8> {
    let mut file = vec![0x8C, b'L', b'C', b'S', FORMAT_VERSION, body.len() as u8];
    assert!(body.len() < 128);
    file.extend_from_slice(body);
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&file);
    file.extend_from_slice(&crc.to_le_bytes());
    file
}

fn body(name: &[u8], rest: &[u8]) -> Vec<u8> {
    [&[1][..], &[0; 16], &[name.len() as u8], name, rest].concat()
}

#[test]
fn the_smallest_body_is_legal() {
    let file = with_body(&body(b"m", &[1, 1, 0]));
    assert_eq!(parse(&file, &Limits::default()).unwrap().header, Header::new("m", 1, 1));
}

#[test]
fn unknown_parts_are_refused_or_ignored_by_their_bit() {
    let critical = with_body(&body(b"m", &[1, 1, 0, 0x7F, 1, 9]));
    assert!(matches!(parse(&critical, &Limits::default()), Err(Error::UnsupportedVersion(_))));
    let ancillary = with_body(&body(b"m", &[1, 1, 0, 0xFF, 1, 9]));
    assert_eq!(parse(&ancillary, &Limits::default()).unwrap().header, Header::new("m", 1, 1));
    let section = with_body(&body(b"m", &[1, 1, 1, 0xF0, 3, 4, 0, 0, 0, 0, 0]));
    let container = parse(&section, &Limits::default()).unwrap();
    assert!(container.sections.is_empty() && container.metadata.is_empty());
    let other_numerics = with_body(&[&[2][..], &[0; 16], &[1, b'm', 1, 1, 0]].concat());
    assert!(matches!(parse(&other_numerics, &Limits::default()), Err(Error::UnsupportedVersion(_))));
    let tiles = with_body(&body(b"m", &[1, 1, 0, 4, 2, 2, 1]));
    assert!(matches!(parse(&tiles, &Limits::default()), Err(Error::UnsupportedVersion(_))));
}

#[test]
fn values_out_of_range_are_corrupt() {
    let nan = f32::NAN.to_le_bytes();
    let hundred_and_one = 101_f32.to_le_bytes();
    let cases: &[(&str, Vec<u8>)] = &[
        ("empty name", body(b"", &[1, 1, 0])),
        ("name that leaves the folder", body(b"../m", &[1, 1, 0])),
        ("name that is not text", body(&[0xFF], &[1, 1, 0])),
        ("no width", body(b"m", &[0, 1, 0])),
        ("no height", body(b"m", &[1, 0, 0])),
        ("width of 33 bits", body(b"m", &[0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 1, 0])),
        ("width in a long form", body(b"m", &[0x81, 0x00, 1, 0])),
        ("quality NaN", body(b"m", &[&[1, 1, 0, 1, 4][..], &nan].concat())),
        ("quality 101", body(b"m", &[&[1, 1, 0, 1, 4][..], &hundred_and_one].concat())),
        ("quality of 3 bytes", body(b"m", &[1, 1, 0, 1, 3, 0, 0, 0])),
        ("quality of 5 bytes", body(b"m", &[1, 1, 0, 1, 5, 0, 0, 0, 0, 0])),
        ("a field twice", body(b"m", &[1, 1, 0, 3, 2, 8, 0, 3, 2, 8, 0])),
        ("fields out of order", body(b"m", &[1, 1, 0, 3, 2, 8, 0, 2, 2, 0, 0])),
        ("bit depth 0", body(b"m", &[1, 1, 0, 3, 2, 0, 0])),
        ("bit depth 17", body(b"m", &[1, 1, 0, 3, 2, 17, 0])),
        ("array without channels", body(b"m", &[1, 1, 0, 6, 1, 0])),
        ("array of 0 channels", body(b"m", &[1, 1, 0, 6, 2, 0, 0])),
        ("array of 2^20 + 1 channels", body(b"m", &[1, 1, 0, 6, 4, 0, 0x81, 0x80, 0x40])),
        ("array of a byte too many", body(b"m", &[1, 1, 0, 6, 3, 0, 5, 0])),
        ("picture and array", body(b"m", &[1, 1, 0, 3, 2, 8, 0, 6, 2, 0, 5])),
        ("one axis", body(b"m", &[1, 1, 0, 3, 2, 8, 1, 0x86, 1, 1])),
        ("four axes", body(b"m", &[1, 1, 0, 3, 2, 8, 1, 0x86, 1, 4])),
        ("three components without an axis", body(b"m", &[1, 1, 0, 0x86, 1, 2])),
        ("resolution of 7 bytes", body(b"m", &[1, 1, 0, 0x81, 7, 0, 0, 0x80, 0x3F, 0, 0, 0x80])),
        ("resolution of 9 bytes", body(b"m", &[1, 1, 0, 0x81, 9, 0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x3F, 0])),
        ("resolution 0", body(b"m", &[1, 1, 0, 0x81, 8, 0, 0, 0x80, 0x3F, 0, 0, 0, 0])),
        ("resolution below 0", body(b"m", &[1, 1, 0, 0x81, 8, 0, 0, 0x80, 0xBF, 0, 0, 0x80, 0x3F])),
        ("resolution NaN", body(b"m", &[&[1, 1, 0, 0x81, 8, 0, 0, 0x80, 0x3F][..], &nan].concat())),
        ("code points of 3 bytes", body(b"m", &[1, 1, 0, 0x82, 3, 1, 13, 0])),
        ("code points of 5 bytes", body(b"m", &[1, 1, 0, 0x82, 5, 1, 13, 0, 1, 0])),
        ("full-range flag 2", body(b"m", &[1, 1, 0, 0x82, 4, 1, 13, 0, 2])),
        ("gamma 0", body(b"m", &[1, 1, 0, 0x83, 4, 0, 0, 0, 0])),
        ("gamma of 3 bytes", body(b"m", &[1, 1, 0, 0x83, 3, 1, 0, 0])),
        ("chromaticities of 31 bytes", body(b"m", &[&[1, 1, 0, 0x84, 31][..], &[1; 31]].concat())),
        ("chromaticities of 33 bytes", body(b"m", &[&[1, 1, 0, 0x84, 33][..], &[1; 33]].concat())),
        ("XMP of a coded kind", body(b"m", &[1, 1, 1, 0x83, 1, 16, 0, 0, 0, 0, 0])),
        ("crop past the end", body(b"m", &[2, 1, 0, 2, 6, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0])),
        ("field longer than the body", body(b"m", &[1, 1, 0, 0xFF, 9])),
        ("missing section entry", body(b"m", &[1, 1, 1])),
        ("latent without precision", body(b"m", &[1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0])),
        ("precision 17", body(b"m", &[1, 1, 1, 0, 1, 17, 0, 0, 0, 0, 0])),
        ("raw latent", body(b"m", &[1, 1, 1, 0, 255, 0, 0, 0, 0, 0, 0])),
        ("coded profile", body(b"m", &[1, 1, 1, 0x81, 1, 16, 0, 0, 0, 0, 0])),
        ("a latent twice", body(b"m", &[1, 1, 2, 0, 1, 16, 0, 0, 0, 0, 0, 0, 1, 16, 0, 0, 0, 0, 0])),
    ];
    for (what, bytes) in cases {
        let result = parse(&with_body(bytes), &Limits::default()).map(|container| container.header);
        assert!(matches!(result, Err(Error::Corrupt(_))), "{what}: {result:?}");
    }
}

#[test]
fn later_samples_are_unsupported() {
    for fields in [[3, 2, 8, 2], [6, 2, 5, 1]] {
        let file = with_body(&body(b"m", &[&[1, 1, 0][..], &fields].concat()));
        assert!(matches!(parse(&file, &Limits::default()), Err(Error::UnsupportedVersion(_))), "{fields:?}");
    }
}

#[test]
fn a_single_channel_has_an_axis_where_the_file_says_so() {
    let has_axis = |fields: &[u8]| {
        let file = with_body(&body(b"m", &[&[1, 1, 0], fields].concat()));
        parse(&file, &Limits::default()).unwrap().header.has_channel_axis
    };
    assert!(has_axis(&[]));
    assert!(has_axis(&[0x86, 1, 3]));
    assert!(has_axis(&[6, 2, 4, 7]));
    for single in [&[3, 2, 16, 1], &[6, 2, 4, 1]] {
        assert!(!has_axis(single));
        assert!(!has_axis(&[&single[..], &[0x86, 1, 2]].concat()));
        assert!(has_axis(&[&single[..], &[0x86, 1, 3]].concat()));
    }
}

#[test]
fn limits_are_respected() {
    let file = full_file();
    let defaults = Limits::default();
    for limits in [
        Limits { max_side: 767, ..defaults },
        Limits { max_pixels: 768 * 512 - 1, ..defaults },
        Limits { max_metadata_bytes: 32, ..defaults },
    ] {
        assert!(matches!(parse(&file, &limits), Err(Error::Limit(_))), "{limits:?}");
    }
    let exact = Limits { max_side: 768, max_pixels: 768 * 512, max_metadata_bytes: 33, ..Limits::default() };
    assert!(parse(&file, &exact).is_ok());
}

#[test]
fn what_the_format_cannot_hold_is_not_written() {
    let (header, sections) = example();
    let refused = |header: &Header, sections: &[Section<'_>], metadata: &[Metadata<'_>]| {
        matches!(pack(header, sections, metadata), Err(Error::InvalidArgument(_)))
    };
    assert!(refused(&Header { model: "a/b".into(), ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { width: 0, ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { quality: Some(f32::NAN), ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { quality: Some(-1.0), ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { tiles: (2, 1), ..header.clone() }, &sections, &[]));
    for samples in [
        Samples::Picture { color: Color::Rgb, bit_depth: 0 },
        Samples::Picture { color: Color::Grey, bit_depth: 17 },
        Samples::Array { number: NumberType::F32, channels: 0 },
        Samples::Array { number: NumberType::F32, channels: (1 << 20) + 1 },
    ] {
        assert!(refused(&Header { samples, ..header.clone() }, &sections, &[]), "{samples}");
    }
    assert!(refused(&Header { has_channel_axis: false, ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { crop_left: u32::MAX, ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { crop_left: 1, decoded: Some((768, 512)), ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { decoded: Some((768, 511)), ..header.clone() }, &sections, &[]));
    assert!(refused(&header, &[sections[1], sections[0]], &[]));
    assert!(refused(&header, &[Section { latent: 128, ..sections[0] }], &[]));
    assert!(refused(&header, &[Section { kind: 255, ..sections[0] }], &[]));
    assert!(refused(&header, &[Section { precision: 17, ..sections[0] }], &[]));
    assert!(refused(&Header { resolution: Some((300.0, f32::INFINITY)), ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { resolution: Some((0.0, 300.0)), ..header.clone() }, &sections, &[]));
    assert!(refused(&Header { gamma: Some(0), ..header.clone() }, &sections, &[]));
    let icc = Metadata { kind: MetadataKind::Icc, data: b"p" };
    let xmp = Metadata { kind: MetadataKind::Xmp, data: b"x" };
    assert!(refused(&header, &sections, &[xmp, icc]));
    assert!(refused(&header, &sections, &[icc, icc]));
}

fn samples() -> impl Strategy<Value = Samples> {
    let color = prop_oneof![Just(Color::Rgb), Just(Color::Grey)];
    let picture = (color, 1_u8..=16).prop_map(|(color, bit_depth)| Samples::Picture { color, bit_depth });
    let number = proptest::sample::select(NumberType::ALL.to_vec());
    let channels = prop_oneof![1_u32..5, 1_u32..=1 << 20];
    prop_oneof![picture, (number, channels).prop_map(|(number, channels)| Samples::Array { number, channels })]
}

fn headers() -> impl Strategy<Value = Header> {
    let identity = ("[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", any::<[u8; 8]>(), any::<[u8; 8]>(), any::<bool>());
    let geometry = (1_u32..65_536, 1_u32..4096, any::<u16>(), any::<u16>());
    let colors = (
        proptest::option::of((1e-3_f32..1e6, 1e-3_f32..1e6)),
        proptest::option::of(any::<(u8, u8, u8, bool)>()),
        proptest::option::of(1_u32..),
        proptest::option::of(any::<[u32; 8]>()),
    );
    let samples = (samples(), any::<bool>(), proptest::option::of(0.0_f32..=100.0));
    (identity, geometry, samples, colors).prop_map(
        |(
            (model, entropy, synthesis, portable),
            (w, h, left, top),
            (samples, has_channel_axis, q),
            (resolution, cicp, gamma, xy),
        )| {
            let mut header = Header::new(&model, w, h);
            header.entropy_digest = entropy;
            header.synthesis_digest = synthesis;
            header.is_portable = portable;
            header.crop_left = left.into();
            header.crop_top = top.into();
            header.samples = samples;
            header.has_channel_axis = has_channel_axis || samples.channels() > 1;
            header.quality = q;
            header.resolution = resolution;
            header.cicp = cicp.map(|(primaries, transfer, matrix, is_full_range)| Cicp {
                primaries,
                transfer,
                matrix,
                is_full_range,
            });
            header.gamma = gamma;
            header.chromaticities = xy;
            header.decoded = q.map(|q| (w + u32::from(left) + q as u32, h + u32::from(top)));
            header
        },
    )
}

proptest! {
    #[test]
    fn files_round_trip(
        header in headers(),
        payloads in proptest::collection::vec((0_u8..255, 1_u8..=16, proptest::collection::vec(any::<u8>(), 0..200)), 0..9),
        blocks in proptest::array::uniform4(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50))),
    ) {
        let sections: Vec<_> = payloads
            .iter()
            .enumerate()
            .map(|(i, (kind, precision, data))| Section { latent: i as u8, kind: *kind, precision: *precision, data })
            .collect();
        let blocks = MetadataKind::ALL.into_iter().zip(&blocks);
        let metadata: Vec<_> = blocks.filter_map(|(kind, data)| data.as_ref().map(|data| Metadata { kind, data })).collect();
        let file = pack(&header, &sections, &metadata).unwrap();
        let container = parse(&file, &Limits::default()).unwrap();
        prop_assert_eq!(&container.header, &header);
        prop_assert_eq!(&container.sections, &sections);
        prop_assert_eq!(&container.metadata, &metadata);
        prop_assert_eq!(pack(&container.header, &container.sections, &container.metadata).unwrap(), file);
    }

    #[test]
    fn garbage_is_an_error(tail in proptest::collection::vec(any::<u8>(), 0..300), has_magic in any::<bool>()) {
        let mut file = if has_magic { vec![0x8C, b'L', b'C', b'S', FORMAT_VERSION] } else { Vec::new() };
        file.extend(tail);
        prop_assert!(parse(&file, &Limits::default()).is_err());
    }

    /// A checksum that holds does not make the body legal: whatever it says, reading it must end well.
    #[test]
    fn hostile_bodies_never_panic(rest in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = parse(&with_body(&body(b"m", &rest)), &Limits::default());
        let _ = parse(&with_body(&rest), &Limits::default());
    }

    #[test]
    fn several_damaged_bytes_are_noticed(damage in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..=255), 1..6)) {
        let original = full_file();
        let mut file = original.clone();
        for (index, mask) in damage {
            let at = index.index(file.len());
            file[at] ^= mask;
        }
        prop_assume!(file != original);
        prop_assert!(parse(&file, &Limits::default()).is_err());
    }
}

#[test]
fn files_that_are_short_empty_or_of_another_kind_are_told_as_that() {
    let file = pack(&Header::new("photo", 8, 8), &[Section { latent: 0, kind: 1, precision: 16, data: &[7; 40] }], &[])
        .unwrap();
    let told = |data: &[u8]| parse(data, &Limits::default()).unwrap_err();
    for length in 1..file.len() {
        let error = told(&file[..length]);
        assert!(matches!(&error, Error::Truncated(words) if words.starts_with("the file is cut short: ")), "{error}");
    }
    assert!(matches!(told(&[]), Error::Truncated(words) if words.starts_with("the file is empty")));
    let package = [&40_u64.to_le_bytes()[..], b"{\"__metadata__\""].concat();
    for (start, words) in [
        (&b"\x89PNG\r\n\x1a\n"[..], "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"GIF89a", "GIF"),
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"RIFF\0\0\0\0WEBP", "WebP"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (&package, ".lcrm"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
        (b"BM6\x10\x0e\0", "BMP"),
        (b"hello", "does not begin as one"),
    ] {
        let error = told(start);
        assert!(
            matches!(&error, Error::Corrupt(said) if said.contains(words) && said.starts_with("not an lcrs")),
            "{error}"
        );
    }
}
