//! Point clouds: sections of arbitrary bytes, and arbitrary points there and back.

use std::sync::LazyLock;

use lcrs_codec::{compress_cloud, decompress_cloud, CloudOptions, CloudPackage, PointCloud, Resolution, Values};
use lcrs_core::{Limits, Runtime};
use lcrs_format::{pack, Attribute, Cloud, Grid, Header, ScalarType, Section};

static PACKAGE: LazyLock<CloudPackage> = LazyLock::new(|| {
    let bytes = include_bytes!("../../../tests/golden/clouds/tiny-cloud.lcrm");
    CloudPackage::from_bytes(bytes, &Limits::default()).expect("the golden package is whole")
});

/// Whatever is in the sections of a file: points or an error. Whatever points are given: the same come back.
pub fn cloud(data: &[u8]) {
    sections(data);
    points(data);
}

fn sections(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<8>() else { return };
    let [depth, low_bits, leaves, more, number, cut, width, _] = *head;
    let (depth, low_bits) = (depth % 7, low_bits % 3);
    let cloud = Cloud {
        positions: ScalarType::I16,
        is_lossless: true,
        num_points: u64::from(leaves) + u64::from(more),
        num_leaves: leaves.into(),
        depth,
        low_bits,
        grid: Grid::Rational { origin: [-3, 0, 9], numerator: 2, denominator: 1 },
        attributes: (0..number % 3)
            .map(|i| Attribute { name: format!("a{i}"), number: ScalarType::ALL[usize::from(width) % 10] })
            .collect(),
    };
    let ids = [(depth > 0).then_some(0), (more > 0).then_some(1), (low_bits > 0).then_some(2)];
    let ids: Vec<u8> = ids.into_iter().flatten().chain((3..).take(cloud.attributes.len())).collect();
    let step = usize::from(cut) + 1;
    let sections: Vec<Section<'_>> = ids
        .iter()
        .enumerate()
        .map(|(i, id)| {
            let part = rest.get((i * step).min(rest.len())..((i + 1) * step).min(rest.len())).unwrap_or_default();
            Section { latent: *id, kind: 1, precision: 16, data: part }
        })
        .collect();
    let mut header = Header::of_cloud("tiny-cloud", cloud);
    header.entropy_digest.copy_from_slice(&PACKAGE.digests().entropy[..8]);
    if let Ok(file) = pack(&header, &sections, &[]) {
        let mut limits = Limits::default();
        limits.max_bytes = 64 << 20;
        let _ = decompress_cloud(&PACKAGE, &file, &Runtime::serial(), &limits);
    }
}

fn points(data: &[u8]) {
    let numbers: Vec<i16> = data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let count = numbers.len() / 3;
    let attribute: Vec<u8> = data.iter().copied().take(count).collect();
    let cloud = PointCloud {
        positions: Values::I16(numbers[..3 * count].to_vec().into()),
        attributes: vec![("a".to_owned(), Values::U8(attribute.into()))],
    };
    let options = CloudOptions { resolution: Resolution::Lossless, keep_duplicates: true };
    let (rt, limits) = (Runtime::serial(), Limits::default());
    let file = compress_cloud(&PACKAGE, &cloud, &options, &rt, &limits).expect("whole coordinates can be coded");
    let restored = decompress_cloud(&PACKAGE, &file.data, &rt, &limits).expect("what was coded can be decoded");
    assert_eq!(rows(&restored), rows(&cloud));
}

/// Points with their attribute, sorted.
fn rows(cloud: &PointCloud<'_>) -> Vec<(Vec<i16>, u8)> {
    let (Values::I16(positions), Values::U8(values)) = (&cloud.positions, &cloud.attributes[0].1) else {
        panic!("types stay as they are")
    };
    let mut rows: Vec<_> = positions.chunks_exact(3).map(<[i16]>::to_vec).zip(values.iter().copied()).collect();
    rows.sort_unstable();
    rows
}
