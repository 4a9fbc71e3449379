//! Lossless pictures in the container: round trips, damage, and what it refuses.

use crate::damage::check_damage;
use lcrs_format::{
    bytes_needed, pack, parse, Attribute, Cicp, Cloud, Color, Error, Grid, Header, Limits, NumberType, Samples,
    ScalarType, Section,
};
use proptest::prelude::*;

const DATA: Section<'static> = Section { latent: 0, kind: 2, precision: 16, data: b"bits" };

fn file(header: &Header) -> Result<Vec<u8>, Error> {
    pack(header, &[DATA], &[])
}

fn full() -> Header {
    Header {
        samples: Samples::Picture { color: Color::Grey, bit_depth: 12 },
        has_channel_axis: true,
        resolution: Some((300.0, 72.5)),
        cicp: Some(Cicp { primaries: 12, transfer: 13, matrix: 0, is_full_range: true }),
        gamma: Some(45_455),
        chromaticities: Some([31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000]),
        ..Header::of_lossless(300, 1000, 219)
    }
}

/// The same file with other bytes from `at` on, its checksum made right.
fn with_fields(header: &Header, fields: &[u8]) -> Vec<u8> {
    let whole = file(header).unwrap();
    let length = usize::from(whole[5]);
    let plain = file(&Header { lossless_rows: None, ..header.clone() }).unwrap();
    let body = [&plain[6..6 + usize::from(plain[5])], fields].concat();
    let mut out = [&whole[..5], &[body.len() as u8], &body].concat();
    out.extend(crc32c(&out).to_le_bytes());
    out.extend(&whole[6 + length + 4..]);
    out
}

fn crc32c(data: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0x82F6_3B78 * (c & 1)));
    !data.iter().fold(u32::MAX, step)
}

#[test]
fn lossless_pictures_round_trip() {
    for header in [Header::of_lossless(1, 1, 1), Header::of_lossless(65_535, 65_535, 2), full()] {
        let written = file(&header).unwrap();
        let limits = Limits { max_pixels: u64::MAX, ..Limits::default() };
        let container = parse(&written, &limits).unwrap();
        assert_eq!((&container.header, &container.sections[..]), (&header, &[DATA][..]));
        assert_eq!(bytes_needed(&written, &limits).unwrap(), written.len() as u64);
        assert!(container.header_bytes <= 140, "{}", container.header_bytes);
    }
    let header = &parse(&file(&Header::of_lossless(7, 5, 5)).unwrap(), &Limits::default()).unwrap().header;
    assert_eq!((header.model.as_str(), header.entropy_digest, header.synthesis_digest), ("lossless", [0; 8], [0; 8]));
}

#[test]
fn every_truncation_and_bit_flip_is_noticed() {
    check_damage(&file(&full()).unwrap());
}

#[test]
fn what_only_a_model_has_is_not_written() {
    let refused = |change: &dyn Fn(&mut Header), words: &str| {
        let mut header = full();
        change(&mut header);
        let error = file(&header).unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument(_)) && error.message().contains(words),
            "{error} without {words}"
        );
    };
    refused(&|h| h.lossless_rows = Some(0), "bands of 0 rows (1 to 1000)");
    refused(&|h| h.lossless_rows = Some(1001), "bands of 1001 rows (1 to 1000)");
    refused(&|h| h.lossless_rows = Some(218), "bands of 65400 pixels, several have at least 65536 each");
    let of_model = "a lossless picture with the name, digests, rate or size of a model";
    refused(&|h| h.model = "photo".to_owned(), of_model);
    refused(&|h| h.entropy_digest[7] = 1, of_model);
    refused(&|h| h.synthesis_digest[0] = 1, of_model);
    refused(&|h| h.quality = Some(50.0), of_model);
    refused(&|h| h.quality = Some(f32::NAN), of_model);
    refused(&|h| h.crop_left = 1, of_model);
    refused(&|h| h.crop_top = 1, of_model);
    refused(&|h| h.decoded = Some((300, 1000)), of_model);
    refused(&|h| h.tiles = (2, 1), of_model);
    refused(&|h| h.is_portable = false, of_model);
    refused(&|h| h.samples = Samples::Array { number: NumberType::U8, channels: 3 }, "a lossless array");
    refused(&|h| h.samples = Samples::Picture { color: Color::Rgb, bit_depth: 17 }, "17");
    refused(&|h| h.resolution = Some((f32::NAN, 1.0)), "resolution is NaN");
    refused(&|h| h.gamma = Some(0), "gamma is 0");
}

#[test]
fn clouds_have_no_bands() {
    let cloud = Cloud {
        positions: ScalarType::U8,
        is_lossless: true,
        num_points: 1,
        num_leaves: 1,
        depth: 0,
        low_bits: 0,
        grid: Grid::Rational { origin: [0; 3], numerator: 1, denominator: 1 },
        attributes: vec![Attribute { name: "a".to_owned(), number: ScalarType::U8 }],
    };
    let header = Header { lossless_rows: Some(1), ..Header::of_cloud("lossless", cloud.clone()) };
    assert!(file(&header).unwrap_err().message().contains("a point cloud with the size"));
    let told = with_fields(&Header::of_cloud("lossless", cloud), &[9, 1, 1]);
    assert_eq!(
        parse(&told, &Limits::default()).unwrap_err(),
        Error::Corrupt("a point cloud with a field of a picture".to_owned())
    );
}

#[test]
fn fields_that_do_not_hold_are_refused() {
    let header = Header::of_lossless(40, 30, 30);
    assert_eq!(with_fields(&header, &[9, 1, 30]), file(&header).unwrap());
    let cases: [(&[u8], &str); 9] = [
        (&[9, 1, 0], "bands of 0 rows (1 to 30)"),
        (&[9, 1, 31], "bands of 31 rows (1 to 30)"),
        (&[9, 1, 29], "bands of 1160 pixels, several have at least 65536 each"),
        (&[9, 0], "rows of a band needs 1 bytes, 0 are left"),
        (&[9, 2, 30, 0], "field 0x09 has 1 bytes too many"),
        (&[9, 2, 0x9E, 0], "rows of a band is not in its shortest form"),
        (&[9, 5, 0x9E, 0x80, 0x80, 0x80, 0x10], "rows of a band is 4294967326 (below 2^32)"),
        (&[9, 1, 30, 9, 1, 30], "field 0x09 is out of order"),
        (&[9, 1, 30, 3, 2, 8, 0], "field 0x03 is out of order"),
    ];
    for (fields, words) in cases {
        let error = parse(&with_fields(&header, fields), &Limits::default()).unwrap_err();
        assert!(matches!(error, Error::Corrupt(_)) && error.message().contains(words), "{error} without {words}");
    }
    let error = parse(&with_fields(&header, &[10, 0]), &Limits::default()).unwrap_err();
    assert!(matches!(error, Error::UnsupportedVersion(_)), "{error}");
}

proptest! {
    #[test]
    fn any_rows_are_written_or_refused(width in 1_u32..70_000, height in 1_u32..70_000, rows in 0_u32..70_000) {
        let header = Header::of_lossless(width, height, rows);
        let is_legal = rows == height || (1..height).contains(&rows) && u64::from(width) * u64::from(rows) >= 1 << 16;
        match file(&header) {
            Ok(file) => {
                prop_assert!(is_legal);
                let limits = Limits { max_pixels: u64::MAX, max_side: u32::MAX, ..Limits::default() };
                prop_assert_eq!(parse(&file, &limits).unwrap().header, header);
            }
            Err(error) => prop_assert!(!is_legal && error.message().contains("bands of"), "{}", error),
        }
    }
}
