//! Point clouds to files and back: the same points, on every instruction set and number of threads.
#![allow(clippy::float_cmp)]

use crate::common::{cloud, cloud_model, cloud_package, limits, runtimes, surface, Random};
use lcrs_codec::{
    compress_cloud, decompress_cloud, info, CloudOptions, CloudPackage, CompressedCloud, PointCloud, Resolution, Values,
};
use lcrs_core::{ErrorKind, Runtime};
use proptest::prelude::*;
use std::sync::LazyLock;

static PACKAGE: LazyLock<CloudPackage> = LazyLock::new(|| cloud_package(&cloud_model()).unwrap());

const KEEP: CloudOptions = CloudOptions { resolution: Resolution::Lossless, keep_duplicates: true };

fn compress(cloud: &PointCloud<'_>, options: &CloudOptions) -> lcrs_core::Result<CompressedCloud> {
    compress_cloud(&PACKAGE, cloud, options, &Runtime::serial(), &limits())
}

fn restore(data: &[u8]) -> PointCloud<'static> {
    decompress_cloud(&PACKAGE, data, &Runtime::serial(), &limits()).unwrap()
}

fn wholes(values: &Values<'_>) -> Vec<[i64; 3]> {
    let Values::I32(values) = values else { panic!("{values:?}") };
    values.as_chunks::<3>().0.iter().map(|point| point.map(i64::from)).collect()
}

fn floats(values: &Values<'_>) -> Vec<[f64; 3]> {
    let wide: Vec<f64> = match values {
        Values::F32(values) => values.iter().map(|v| f64::from(*v)).collect(),
        Values::F64(values) => values.to_vec(),
        other => panic!("{other:?}"),
    };
    wide.as_chunks::<3>().0.to_vec()
}

fn sorted<T: PartialOrd>(mut points: Vec<T>) -> Vec<T> {
    points.sort_by(|a, b| a.partial_cmp(b).unwrap());
    points
}

#[test]
fn one_file_for_every_instruction_set_and_number_of_threads() {
    let points = surface(70, 3);
    let whole = cloud(&points);
    let file = compress(&whole, &KEEP).unwrap().data;
    for rt in runtimes() {
        assert_eq!(compress_cloud(&PACKAGE, &whole, &KEEP, &rt, &limits()).unwrap().data, file);
        let restored = decompress_cloud(&PACKAGE, &file, &rt, &limits()).unwrap();
        assert_eq!(sorted(wholes(&restored.positions)), sorted(wholes(&whole.positions)));
    }
}

/// Products of whole numbers and a decimal step are other floats than the decimal fractions that they stand for.
#[test]
fn products_of_decimal_steps_come_back_to_the_bit() {
    let wholes: Vec<i32> = surface(20, 6).into_iter().flatten().map(|v| 7 * v - 99).collect();
    for step in [0.1, 1e-3, 0.02, 0.05, 1e-9] {
        let double: Vec<f64> = wholes.iter().map(|v| f64::from(*v) * step).collect();
        let single: Vec<f32> = wholes.iter().map(|v| *v as f32 * step as f32).collect();
        for positions in [Values::F64(double.into()), Values::F32(single.into())] {
            let given = floats(&positions);
            let file = compress(&PointCloud { positions, attributes: Vec::new() }, &KEEP).unwrap().data;
            let cloud = info(&file, &limits()).unwrap().cloud.unwrap();
            assert!(cloud.is_lossless && (cloud.grid.step() / step - 1.0).abs() < 1e-6, "{:?}", cloud.grid);
            assert_eq!(sorted(floats(&restore(&file).positions)), sorted(given));
        }
    }
}

#[test]
fn duplicates_are_merged_unless_they_are_to_be_kept() {
    let points = surface(12, 4);
    let mut once = sorted(wholes(&cloud(&points).positions));
    once.dedup();
    let merged = compress(&cloud(&points), &CloudOptions::default()).unwrap();
    assert_eq!(merged.num_merged as usize, points.len() - once.len());
    assert_eq!(sorted(wholes(&restore(&merged.data).positions)), once);
    let kept = compress(&cloud(&points), &KEEP).unwrap();
    assert_eq!((kept.num_merged, restore(&kept.data).positions.len()), (0, 3 * points.len()));
}

#[test]
fn attributes_of_every_type_come_back_with_their_points() {
    let mut random = Random(9);
    let points = surface(15, 5);
    let count = points.len();
    let mut bits = || -> Vec<u64> { (0..count).map(|_| random.bits()).collect() };
    let smooth: Vec<u8> = points.iter().map(|[x, y, z]| (3 * x + y + z) as u8).collect();
    let number: Vec<u32> = (0..count as u32).collect();
    let attributes = vec![
        ("number".to_owned(), Values::U32(number.clone().into())),
        ("red".to_owned(), Values::U8(smooth.clone().into())),
        ("green".to_owned(), Values::U8(smooth.iter().map(|v| v.wrapping_add(7)).collect())),
        ("i8".to_owned(), Values::I8(bits().iter().map(|v| *v as i8 % 3).collect())),
        ("u16".to_owned(), Values::U16(bits().iter().map(|v| *v as u16).collect())),
        ("i16".to_owned(), Values::I16(bits().iter().map(|v| *v as i16).collect())),
        ("i32".to_owned(), Values::I32(bits().iter().map(|v| *v as i32).collect())),
        ("u64".to_owned(), Values::U64(bits().into())),
        ("i64".to_owned(), Values::I64(bits().iter().map(|v| *v as i64 >> 40).collect())),
        ("nx".to_owned(), Values::F32(bits().iter().map(|v| f32::from_bits(*v as u32)).collect())),
        ("intensity".to_owned(), Values::F32(bits().iter().map(|v| (v % 9) as f32 / 100.0).collect())),
        ("f64".to_owned(), Values::F64(bits().iter().map(|v| f64::from_bits(*v)).collect())),
    ];
    let given = PointCloud { attributes, ..cloud(&points) };
    let restored = restore(&compress(&given, &KEEP).unwrap().data);
    let Values::U32(order) = &restored.attributes[0].1 else { panic!() };
    assert_eq!(sorted(order.to_vec()), number);
    let (found, wanted) = (wholes(&restored.positions), wholes(&given.positions));
    for (place, index) in order.iter().enumerate() {
        assert_eq!(found[place], wanted[*index as usize]);
    }
    // points at one place keep their order
    assert!((1..count).all(|i| found[i - 1] != found[i] || order[i - 1] < order[i]));
    macro_rules! same {
        ($($name:ident),*) => {
            for (given, restored) in given.attributes.iter().zip(&restored.attributes) {
                match (&given.1, &restored.1) {
                    $((Values::$name(given), Values::$name(restored)) => {
                        let moved: Vec<_> = order.iter().map(|i| given[*i as usize].to_le_bytes()).collect();
                        assert_eq!(moved, restored.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>());
                    })*
                    _ => panic!("{} has another type", given.0),
                }
            }
        };
    }
    same!(U8, I8, U16, I16, U32, I32, U64, I64, F32, F64);
    let merged = restore(&compress(&given, &CloudOptions::default()).unwrap().data);
    let Values::U32(order) = &merged.attributes[0].1 else { panic!() };
    assert!(order.iter().all(|index| wanted[..*index as usize].iter().all(|point| *point != wanted[*index as usize])));
}

#[test]
fn few_points_and_none() {
    for points in
        [&[][..], &[[7, -3, 2_000_000_000]], &[[5; 3]; 4], &[[i32::MIN; 3], [i32::MAX; 3]], &[[0, 0, 1], [0; 3]]]
    {
        for options in [KEEP, CloudOptions::default()] {
            let file = compress(&cloud(points), &options).unwrap().data;
            let mut wanted = sorted(wholes(&cloud(points).positions));
            if !options.keep_duplicates {
                wanted.dedup();
            }
            assert_eq!(sorted(wholes(&restore(&file).positions)), wanted, "{points:?}");
            assert!(file.len() < 300, "{} bytes", file.len());
        }
    }
}

/// Coordinates of `bits` bits spread over a volume: nothing is to be seen around most nodes.
#[test]
fn scattered_points_have_plain_low_bits() {
    let mut random = Random(2);
    let points: Vec<[i32; 3]> =
        (0..900).map(|_| [random.bits() as i32, random.bits() as i32, random.bits() as i32]).collect();
    let file = compress(&cloud(&points), &KEEP).unwrap().data;
    assert_eq!(sorted(wholes(&restore(&file).positions)), sorted(wholes(&cloud(&points).positions)));
    let header = lcrs_format::parse(&file, &lcrs_format::Limits::default()).unwrap().header.cloud.unwrap();
    assert!(header.low_bits > 20 && header.depth + header.low_bits == 32, "{header:?}");
    let bits = 8.0 * file.len() as f64 / 900.0;
    assert!(bits < 96.0, "{bits} bits a point");
}

#[test]
fn integers_of_every_type_come_back() {
    fn check(values: Values<'_>, voxel: f64, expected: &Values<'_>) {
        let given = PointCloud { positions: values, attributes: Vec::new() };
        assert_eq!(restore(&compress(&given, &CloudOptions::default()).unwrap().data), given);
        let options = CloudOptions { resolution: Resolution::Voxel(voxel), ..CloudOptions::default() };
        assert_eq!(restore(&compress(&given, &options).unwrap().data).positions, *expected);
    }
    check(Values::U8(vec![0, 1, 255].into()), 2.0, &Values::U8(vec![0, 2, 255].into()));
    check(Values::I8(vec![-128, 127, -1].into()), 10.0, &Values::I8(vec![-128, 127, 0].into()));
    check(Values::U16(vec![9, 65_535, 3].into()), 3.0, &Values::U16(vec![9, 65_535, 3].into()));
    check(Values::I16(vec![-32_768, 0, 14].into()), 7.0, &Values::I16(vec![-32_767, 0, 14].into()));
    check(Values::U32(vec![u32::MAX, 0, 0].into()), 1.0, &Values::U32(vec![u32::MAX, 0, 0].into()));
    check(Values::I64(vec![i64::MIN, i64::MAX, 0].into()), 1.0, &Values::I64(vec![i64::MIN, i64::MAX, 0].into()));
    check(Values::U64(vec![1 << 62, 5, 0].into()), 5.0, &Values::U64(vec![(1 << 62) + 1, 5, 0].into()));
}

#[test]
fn floats_on_a_grid_come_back_to_the_bit() {
    let hundredths: Vec<f32> = surface(9, 1).as_flattened().iter().map(|v| *v as f32 * 0.02 - 3.0).collect();
    let exact: Vec<f32> = hundredths.iter().map(|v| ((f64::from(*v) * 50.0).round() / 50.0) as f32).collect();
    let cases: [(Values<'_>, f64); 6] = [
        (Values::F32(exact.into()), 0.02),
        (Values::F32(vec![-4.0, 1e9, 8.0].into()), 4.0),
        (Values::F64(vec![-1.0, 2.0, 3.0, 2.5e9, 7.0, 1.0].into()), 1.0),
        (Values::F64(vec![4.5e6 + 0.001, 5e5 + 0.123, 99.999, 4.5e6, 5e5 + 1.0, 7.5].into()), 0.001),
        (Values::F32(vec![1e-9, 3e-9, -2e-9].into()), 1e-9),
        (Values::F64(vec![0.1 + 0.2, 1e300, -1e-300].into()), f64::NAN),
    ];
    for (positions, step) in cases {
        let given = PointCloud { positions, attributes: Vec::new() };
        let file = compress(&given, &KEEP).unwrap().data;
        assert_eq!(sorted(floats(&restore(&file).positions)), sorted(floats(&given.positions)));
        let cloud = lcrs_format::parse(&file, &lcrs_format::Limits::default()).unwrap().header.cloud.unwrap();
        assert!(cloud.is_lossless && (step.is_nan() || (cloud.grid.step() / step - 1.0).abs() < 1e-9), "{cloud:?}");
    }
}

#[test]
fn what_cannot_be_coded_is_named() {
    let refused = |positions: Vec<f64>, resolution| {
        let given = PointCloud { positions: Values::F64(positions.into()), attributes: Vec::new() };
        let error = compress(&given, &CloudOptions { resolution, ..CloudOptions::default() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        error.to_string()
    };
    let lossless = Resolution::Lossless;
    assert_eq!(refused(vec![0.0, 1.0, 2.0, 0.0, f64::NAN, 1.0], lossless), "point 1: y is NaN, must be finite");
    assert_eq!(
        refused(vec![0.0, 1.0, f64::NEG_INFINITY], Resolution::Voxel(1.0)),
        "point 0: z is -inf, must be finite"
    );
    assert!(refused(vec![0.0, 1.0, 0.0, 1e-9, 1e9, 0.3], lossless).contains("give a voxel size or a number of bits"));
    assert!(refused(vec![0.0, 1.0, 0.0, 0.0, 1e9, 0.0], Resolution::Voxel(1e-3)).contains("point 1: y is "));
    for size in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(refused(vec![0.0; 3], Resolution::Voxel(size)).contains("voxel size is"));
    }
    assert!(refused(vec![0.0; 3], Resolution::Bits(33)).contains("33 bits a coordinate (1 to 32)"));
    let uneven = PointCloud { positions: Values::U8(vec![0; 4].into()), attributes: Vec::new() };
    assert!(compress(&uneven, &KEEP).unwrap_err().to_string().contains("4 coordinates, must be three a point"));
    let column = |name: &str, values| PointCloud {
        positions: Values::U8(vec![0; 3].into()),
        attributes: vec![(name.to_owned(), Values::U8(values))],
    };
    assert!(compress(&column("a", vec![0; 2].into()), &KEEP)
        .unwrap_err()
        .to_string()
        .contains("2 values, there are 1 points"));
    assert!(compress(&column("a b", vec![0; 1].into()), &KEEP).unwrap_err().to_string().contains("\"a b\""));
    assert!(compress(&column("x", vec![0; 1].into()), &KEEP).unwrap_err().to_string().contains("not an axis"));
    let big = PointCloud { positions: Values::U64(vec![0, u64::MAX, 0].into()), attributes: Vec::new() };
    assert!(compress(&big, &KEEP).unwrap_err().to_string().contains("point 0: y is 18446744073709551615"));
}

/// The distance of two floats next to `v`.
fn spacing(v: f64, is_wide: bool) -> f64 {
    if is_wide {
        v.abs().next_up() - v.abs()
    } else {
        f64::from((v as f32).abs().next_up()) - f64::from((v as f32).abs())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn coordinates_come_back_within_half_a_voxel(
        scale in prop::sample::select(vec![1e-9, 1e-3, 1.0, 1e3, 1e9]),
        offset in prop::sample::select(vec![0.0, -1.0, 1e3]),
        fineness in 1_i32..20,
        bits in 1_u32..20,
        is_wide: bool,
        raw in prop::collection::vec(prop::array::uniform3(-1.0_f64..1.0), 1..40),
    ) {
        let numbers: Vec<f64> = raw.as_flattened().iter().map(|v| (v + offset) * scale).collect();
        let positions = if is_wide { Values::F64(numbers.into()) } else { Values::F32(numbers.iter().map(|v| *v as f32).collect()) };
        let given = PointCloud { positions, attributes: vec![("i".into(), Values::U16((0..raw.len() as u16).collect()))] };
        let points = floats(&given.positions);
        let range = (0..3).map(|axis| {
            let axis = || points.iter().map(|point| point[axis]);
            axis().fold(f64::MIN, f64::max) - axis().fold(f64::MAX, f64::min)
        }).fold(0.0, f64::max);
        let voxel = scale * 2.0_f64.powi(-fineness);
        for (resolution, size) in [
            (Resolution::Voxel(voxel), voxel),
            (Resolution::Bits(bits), range / ((1_u64 << bits) - 1) as f64),
        ] {
            let options = CloudOptions { resolution, keep_duplicates: true };
            let file = compress(&given, &options).unwrap().data;
            let restored = restore(&file);
            let Values::U16(order) = &restored.attributes[0].1 else { panic!() };
            prop_assert_eq!(order.len(), points.len());
            for (point, index) in floats(&restored.positions).iter().zip(order.iter()) {
                for axis in 0..3 {
                    let (found, wanted) = (point[axis], points[usize::from(*index)][axis]);
                    let bound = size / 2.0 * (1.0 + 1e-9) + spacing(wanted, is_wide);
                    prop_assert!((found - wanted).abs() <= bound, "{} for {} with {}", found, wanted, size);
                }
            }
            // what was rounded stays what it is
            let again = PointCloud { positions: restored.positions.clone(), attributes: Vec::new() };
            let again = restore(&compress(&again, &CloudOptions { resolution: Resolution::Voxel(size.max(1e-300)), ..options }).unwrap().data);
            if size > 4.0 * spacing(scale * (1.0 + offset.abs()), is_wide) {
                prop_assert_eq!(sorted(floats(&again.positions)).len(), points.len());
            }
        }
    }

    #[test]
    fn whole_coordinates_come_back(
        points in prop::collection::vec(prop::array::uniform3(-40_i32..40), 0..120),
        offset in prop::array::uniform3(prop::sample::select(vec![0, -7, 1 << 20, 700_000_000])),
        step in 1_i32..4,
    ) {
        let points: Vec<[i32; 3]> = points.iter().map(|p| [0, 1, 2].map(|axis| step * (p[axis] + offset[axis]))).collect();
        for options in [KEEP, CloudOptions { resolution: Resolution::Bits(32), ..KEEP }] {
            let file = compress(&cloud(&points), &options).unwrap().data;
            prop_assert_eq!(sorted(wholes(&restore(&file).positions)), sorted(wholes(&cloud(&points).positions)));
            prop_assert!(info(&file, &limits()).is_ok());
        }
    }
}

/// The golden files, on every instruction set and number of threads.
#[test]
fn golden_files_decode_and_are_written_again() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/clouds");
    let package = CloudPackage::from_file(&folder.join("tiny-cloud.lcrm"), &limits()).unwrap();
    for name in ["whole", "hundredths", "products", "voxels", "bits", "scattered", "one", "none"] {
        let file = std::fs::read(folder.join(format!("{name}.lcrs"))).unwrap();
        let decoded: Vec<PointCloud<'_>> =
            runtimes().iter().map(|rt| decompress_cloud(&package, &file, rt, &limits()).unwrap()).collect();
        // NaN are no matter here: bytes tell
        assert!(decoded.iter().all(|cloud| format!("{cloud:?}") == format!("{:?}", decoded[0])), "{name}");
        if !["voxels", "bits"].contains(&name) {
            for rt in runtimes() {
                let again = compress_cloud(&package, &decoded[0], &KEEP, &rt, &limits()).unwrap().data;
                assert!(again == file, "{name}");
            }
        }
    }
}
