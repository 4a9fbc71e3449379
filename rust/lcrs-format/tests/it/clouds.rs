//! Point clouds in the container: round trips, damage, and what it refuses.

use crate::damage::check_damage;
use lcrs_format::{pack, parse, Attribute, Cloud, Error, Grid, Header, Limits, ScalarType, Section};
use proptest::prelude::*;

fn cloud() -> Cloud {
    Cloud {
        positions: ScalarType::F32,
        is_lossless: true,
        num_points: 1000,
        num_leaves: 900,
        depth: 10,
        low_bits: 2,
        grid: Grid::Rational { origin: [-5, 0, i64::MAX], numerator: 1, denominator: 50 },
        attributes: vec![
            Attribute { name: "red".to_owned(), number: ScalarType::U8 },
            Attribute { name: "größe".to_owned(), number: ScalarType::F64 },
        ],
    }
}

fn file(cloud: Cloud) -> Result<Vec<u8>, Error> {
    let sections = [
        Section { latent: 0, kind: 1, precision: 16, data: b"tree" },
        Section { latent: 3, kind: 1, precision: 16, data: b"red" },
    ];
    pack(&Header::of_cloud("geometry", cloud), &sections, &[])
}

#[test]
fn clouds_round_trip() {
    let written = file(cloud()).unwrap();
    let container = parse(&written, &Limits::default()).unwrap();
    assert_eq!(container.header, Header::of_cloud("geometry", cloud()));
    assert_eq!(container.sections.iter().map(|section| section.latent).collect::<Vec<_>>(), [0, 3]);
    let mut other = cloud();
    (other.grid, other.attributes) = (Grid::Binary { origin: [1e9, -0.0, 1e-9], step: 1e-3 }, Vec::new());
    let written = file(other.clone()).unwrap();
    assert_eq!(parse(&written, &Limits::default()).unwrap().header.cloud, Some(other.clone()));
    other.grid = Grid::Product { origin: [-1, 0, i64::MIN], step: 1e-3 };
    let written = file(other.clone()).unwrap();
    assert_eq!(parse(&written, &Limits::default()).unwrap().header.cloud, Some(other));
}

#[test]
fn every_truncation_and_bit_flip_is_noticed() {
    check_damage(&file(cloud()).unwrap());
}

#[test]
fn what_no_cloud_is_is_not_written() {
    let refused = |change: &dyn Fn(&mut Cloud), words: &str| {
        let mut changed = cloud();
        change(&mut changed);
        let error = file(changed).unwrap_err();
        assert!(error.message().contains(words), "{error} without {words}");
    };
    refused(&|c| c.num_leaves = 1001, "1000 points in 1001 leaves");
    refused(&|c| c.num_leaves = 0, "1000 points in 0 leaves");
    refused(&|c| c.depth = 3, "in 900 leaves of an octree of depth 3");
    refused(&|c| (c.num_points, c.num_leaves) = (0, 0), "0 points");
    refused(&|c| c.low_bits = 23, "33 bits of a coordinate (at most 32)");
    refused(&|c| c.positions = ScalarType::I32, "voxels of 1 / 50 for int32 coordinates");
    refused(&|c| c.grid = Grid::Rational { origin: [0; 3], numerator: 0, denominator: 1 }, "voxels of 0 / 1");
    refused(&|c| c.grid = Grid::Rational { origin: [0; 3], numerator: 1 << 54, denominator: 1 }, "(1 to 2^53 each)");
    refused(&|c| c.grid = Grid::Binary { origin: [f64::NAN; 3], step: 1.0 }, "(finite, above 0)");
    refused(&|c| c.grid = Grid::Binary { origin: [0.0; 3], step: -1.0 }, "(finite, above 0)");
    refused(&|c| c.grid = Grid::Product { origin: [0; 3], step: f64::INFINITY }, "voxels of inf (finite, above 0)");
    let products = Grid::Product { origin: [0; 3], step: 0.5 };
    refused(&|c| (c.positions, c.grid) = (ScalarType::U8, products), "a grid of products for uint8 coordinates");
    for name in ["", "a b", "x", "tab\t", &"n".repeat(256)] {
        refused(&|c| c.attributes[0].name = name.to_owned(), "1 to 255 bytes");
    }
    refused(&|c| c.attributes[1].name = "red".to_owned(), "\"red\" is there twice");
    refused(
        &|c| c.attributes = (0..126).map(|i| Attribute { name: format!("a{i}"), number: ScalarType::U8 }).collect(),
        "126 attributes",
    );
    let mut sized = Header::of_cloud("geometry", cloud());
    sized.width = 2;
    assert!(pack(&sized, &[], &[]).unwrap_err().message().contains("a point cloud with the size"));
    let mut rated = Header::of_cloud("geometry", cloud());
    rated.quality = Some(50.0);
    assert!(pack(&rated, &[], &[]).is_err());
}

/// A header with these fields and a right checksum.
fn with_fields(fields: &[u8]) -> Vec<u8> {
    let plain = pack(&Header::new("m", 1, 1), &[], &[]).unwrap();
    let mut body = plain[6..plain.len() - 4].to_vec();
    body.extend(fields);
    let mut file = plain[..5].to_vec();
    file.push(body.len() as u8);
    file.extend(body);
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&file);
    file.extend(checksum.to_le_bytes());
    file
}

#[test]
fn fields_of_pictures_and_unknown_codes_are_refused() {
    let point = [&[7, 33, 0, 1, 1, 1, 0, 0, 0][..], &[0; 24], &[1, 1]].concat();
    let refused = |fields: &[&[u8]]| parse(&with_fields(&fields.concat()), &Limits::default()).unwrap_err();
    assert!(parse(&with_fields(&point), &Limits::default()).is_ok());
    assert!(matches!(refused(&[&[3, 2, 8, 0], &point]), Error::Corrupt(_)));
    assert!(matches!(refused(&[&point, &[0x86, 1, 2]]), Error::Corrupt(_)));
    assert!(matches!(refused(&[&[8, 3, 0, 1, b'a']]), Error::Corrupt(_)));
    assert!(matches!(refused(&[&point, &[8, 3, 10, 1, b'a']]), Error::UnsupportedVersion(_)));
    assert!(matches!(refused(&[&point, &[8, 3, 0, 1, 0xFF]]), Error::Corrupt(_)));
    for (at, code, is_unsupported) in [(2, 10, true), (3, 2, false), (8, 3, true)] {
        let mut changed = point.clone();
        changed[at] = code;
        assert_eq!(matches!(refused(&[&changed]), Error::UnsupportedVersion(_)), is_unsupported, "{at}");
    }
    let longer = [&[7, 34], &point[2..], &[0]].concat();
    assert!(refused(&[&longer]).message().contains("1 bytes too many"));
}

proptest! {
    #[test]
    fn garbage_behind_a_right_checksum_never_panics(value in prop::collection::vec(any::<u8>(), 0..90)) {
        let mut field = vec![7, value.len() as u8];
        field.extend(&value);
        if let Ok(container) = parse(&with_fields(&field), &Limits::default()) {
            let written = pack(&container.header, &[], &[]).unwrap();
            prop_assert_eq!(parse(&written, &Limits::default()).unwrap().header, container.header);
        }
    }
}
