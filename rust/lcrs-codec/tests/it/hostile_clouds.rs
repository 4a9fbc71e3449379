//! Files and packages of point clouds that were cut, damaged or made to mislead: always an error of one line.

use crate::common::{check_bit_flips, check_truncations, cloud_model, cloud_package, limits, surface, Model, Random};
use lcrs_codec::{
    compress_cloud, decompress_cloud, package_digests, CloudOptions, CloudPackage, Package, PointCloud, Resolution,
    Values,
};
use lcrs_core::{Error, ErrorKind, Limits, Runtime};
use lcrs_format::{pack, parse, Cloud, Grid, Header, ScalarType, Section};
use serde_json::json;

fn sample() -> (CloudPackage, Vec<u8>) {
    let package = cloud_package(&cloud_model()).unwrap();
    let points = surface(9, 8);
    let count = points.len();
    let attributes = vec![
        ("red".to_owned(), Values::U8((0..count).map(|i| (i * 3) as u8).collect())),
        ("green".to_owned(), Values::U8((0..count).map(|i| (i * 3 + i % 2) as u8).collect())),
        ("intensity".to_owned(), Values::F32((0..count).map(|i| (i % 5) as f32 / 10.0).collect())),
    ];
    let cloud = PointCloud { positions: Values::I32(points.as_flattened().into()), attributes };
    let options = CloudOptions { resolution: Resolution::Lossless, keep_duplicates: true };
    let file = compress_cloud(&package, &cloud, &options, &Runtime::serial(), &limits()).unwrap().data;
    (package, file)
}

fn restore(package: &CloudPackage, data: &[u8]) -> Result<PointCloud<'static>, Error> {
    decompress_cloud(package, data, &Runtime::serial(), &limits())
}

/// The parts of a file, for one that is written anew with right checksums.
fn parts(file: &[u8]) -> (Header, Vec<(u8, Vec<u8>)>) {
    let container = parse(file, &lcrs_format::Limits::default()).unwrap();
    let sections = container.sections.iter().map(|section| (section.latent, section.data.to_vec())).collect();
    (container.header, sections)
}

fn packed(header: &Header, sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let sections: Vec<Section<'_>> =
        sections.iter().map(|(latent, data)| Section { latent: *latent, kind: 1, precision: 16, data }).collect();
    pack(header, &sections, &[]).unwrap()
}

#[test]
fn every_truncation_and_bit_flip_is_an_error() {
    let (package, file) = sample();
    check_truncations(&file, |data| restore(&package, data));
    check_bit_flips(&file, |data| restore(&package, data));
}

/// Checksums that are made right again: what lies behind them must hold by itself.
#[test]
fn damaged_sections_are_errors_or_other_points() {
    let (package, file) = sample();
    let (header, sections) = parts(&file);
    let mut random = Random(4);
    let mut refused = 0;
    for _ in 0..400 {
        let mut sections = sections.clone();
        let section = random.below(sections.len());
        let data = &mut sections[section].1;
        match random.below(3) {
            0 => data.truncate(random.below(data.len())),
            1 => data.push(random.bits() as u8),
            _ => {
                let at = random.below(data.len());
                data[at] ^= 1 << random.below(8);
            }
        }
        match restore(&package, &packed(&header, &sections)) {
            Ok(cloud) => assert_eq!(cloud.positions.len() as u64, 3 * header.cloud.as_ref().unwrap().num_points),
            Err(error) => {
                assert!(!matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::Limit), "{error}");
                assert!(!error.message().contains('\n'));
                refused += 1;
            }
        }
    }
    assert!(refused > 300, "{refused}"); // plain bits of values have nothing to check
}

#[test]
fn numbers_that_are_not_true_are_refused() {
    let (package, file) = sample();
    let (header, sections) = parts(&file);
    let refused = |change: &dyn Fn(&mut Cloud), words: &str| {
        let mut header = header.clone();
        change(header.cloud.as_mut().unwrap());
        let error = restore(&package, &packed(&header, &sections)).unwrap_err();
        assert!(error.message().contains(words), "{error} without {words}");
        error.kind()
    };
    let corrupt = ErrorKind::Corrupt;
    assert_eq!(refused(&|cloud| cloud.num_points += 1, "the file announces"), corrupt);
    assert_eq!(refused(&|cloud| cloud.num_leaves -= 1, "leaves"), corrupt);
    assert_eq!(refused(&|cloud| cloud.num_leaves = cloud.num_points, "the file announces"), corrupt);
    refused(&|cloud| cloud.depth += 1, "occupancies");
    refused(&|cloud| cloud.depth -= 1, "");
    assert_eq!(refused(&|cloud| cloud.low_bits = 1, "section 2 (low bits) is missing"), corrupt);
    assert_eq!(refused(&|cloud| drop(cloud.attributes.pop()), "section 5 of a cloud that has no such part"), corrupt);
    refused(&|cloud| cloud.attributes[1].number = ScalarType::F64, "attribute 'green'");
    // what is announced is refused before it is allocated
    let bomb =
        |points: u64| move |cloud: &mut Cloud| (cloud.num_points, cloud.num_leaves, cloud.depth) = (points, points, 32);
    for points in [1 << 60, u64::MAX, 1 << 40] {
        assert_eq!(refused(&bomb(points), "max_bytes"), ErrorKind::Limit);
    }
    assert!(matches!(
        refused(&bomb(20_000_000), "occupancies"),
        ErrorKind::Corrupt | ErrorKind::Truncated | ErrorKind::Desync
    ));
}

/// A few bytes that decode to more nodes than they announce, as deep as it gets.
#[test]
fn small_files_cannot_grow_without_end() {
    let (package, file) = sample();
    let (mut header, _) = parts(&file);
    let cloud = header.cloud.as_mut().unwrap();
    (cloud.num_points, cloud.num_leaves, cloud.depth, cloud.attributes) = (1000, 1000, 32, Vec::new());
    let mut random = Random(6);
    for _ in 0..30 {
        let mut stream: Vec<u8> = (0..40).map(|_| random.bits() as u8).collect();
        stream[32] = 0b0010_1000; // one lane, five bytes of state
        let error = restore(&package, &packed(&header, &[(0, stream)])).unwrap_err();
        assert!(error.message().starts_with("occupancies: "), "{error}");
    }
}

#[test]
fn files_are_told_apart() {
    let (package, file) = sample();
    let mut header = Header::new("photo", 8, 8);
    header.entropy_digest = parts(&file).0.entropy_digest;
    let picture = pack(&header, &[], &[]).unwrap();
    assert!(restore(&package, &picture).unwrap_err().message().contains("holds a picture, made with model 'photo'"));
    let other = Model { ..cloud_model() };
    let mut description = other.description.clone();
    description["codec"]["resolution"] = 9.into();
    let other = cloud_package(&Model { description, ..other }).unwrap();
    let error = restore(&other, &file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingModel, "{error}");
    let bytes = cloud_model().to_bytes();
    let error = Package::from_bytes(&bytes, &limits()).unwrap_err();
    assert!(error.message().contains("'tiny-cloud' codes point clouds, not pictures"), "{error}");
    let error = CloudPackage::from_bytes(&crate::common::factorized().to_bytes(), &limits()).unwrap_err();
    assert!(error.message().contains("codes pictures, not point clouds"), "{error}");
    let mut few = Limits::default();
    few.max_bytes = 20_000;
    let error = decompress_cloud(&package, &file, &Runtime::serial(), &few).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
}

#[test]
fn packages_that_do_not_fit_together_are_refused() {
    let refused = |place: &str, value: serde_json::Value, words: &str| {
        let model = cloud_model();
        let mut description = model.description.clone();
        *description.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value;
        let error = cloud_package(&Model { description, ..model }).unwrap_err();
        assert!(error.message().contains(words), "{place}: {error} without {words}");
        assert_ne!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    };
    refused("/codec/window", json!(3), "'window' is 3, must be 0 to 2");
    refused("/codec/window", json!(2), "graph 'trunk'");
    refused("/codec/ancestors", json!([2, 3]), "'ancestors' is not a list of 0 to 2");
    refused("/codec/ancestors", json!(vec![0; 17]), "17 ancestors, at most 16");
    refused("/codec/scalars", json!(["weight"]), "unknown number of a level \"weight\"");
    refused(
        "/codec/scalars",
        json!(["growth", "growth", "growth", "growth", "growth", "growth"]),
        "6 numbers of a level",
    );
    refused("/codec/order", json!([0, 1, 2, 3, 4, 5, 6, 6]), "each of 0 to 7 is needed once");
    refused("/codec/order", json!([0, 1, 2]), "not a list of 8 octants");
    refused("/codec/known", json!(1), "graph 'head2'");
    refused("/codec/trunk", json!("head0"), "graph 'head0'");
    refused("/codec/heads/3", json!("nowhere"), "there is no graph 'nowhere'");
    refused("/codec/heads", json!(["head0"]), "'heads' is not a list of 8 names");
    refused("/codec/resolution", json!(0), "'resolution' is 0");
    refused("/codec/adaptation/block", json!(0), "'block' is 0, must be 1 to 1048576");
    refused("/codec/adaptation/rows", json!(1.5), "'rows' is 1.5");
    refused("/codec/table/precision", json!(15), "table");
    refused("/graphs/trunk/nodes/0/padding", json!([1, 1]), "graph 'trunk'");
    refused("/graphs/trunk/nodes/1/op", json!("pixel_shuffle"), "");
    let mut more = cloud_model();
    more.description["pad"] = json!(8);
    let error = package_digests(&more.description.to_string(), &more.weights.tensors).unwrap_err();
    assert!(error.message().contains("unknown key 'pad'"), "{error}");
    let mut model = cloud_model();
    model.weights.i32("table.lengths", &[81], vec![3; 81]);
    assert!(cloud_package(&model).unwrap_err().message().contains("table"));
    // a head whose logits are no numbers says so, with its place
    let mut wild = cloud_model();
    wild.weights.change("head2.1.weight", |_, _| 3e38);
    let package = cloud_package(&wild).unwrap();
    let points = surface(6, 1);
    let cloud = PointCloud { positions: Values::I32(points.as_flattened().into()), attributes: Vec::new() };
    let error = compress_cloud(&package, &cloud, &CloudOptions::default(), &Runtime::serial(), &limits()).unwrap_err();
    assert!(error.message().contains("graph 'head2'"), "{error}");
}

#[test]
fn grids_of_all_kinds_are_checked_by_the_container() {
    let (_, file) = sample();
    let (header, sections) = parts(&file);
    let mut wrong = header.clone();
    wrong.cloud.as_mut().unwrap().grid = Grid::Binary { origin: [0.0; 3], step: 1.0 };
    let sections: Vec<Section<'_>> =
        sections.iter().map(|(latent, data)| Section { latent: *latent, kind: 1, precision: 16, data }).collect();
    assert!(pack(&wrong, &sections, &[]).unwrap_err().message().contains("a grid of binary64 numbers for int32"));
}
