//! Pictures beyond 8-bit RGB and arrays of any channels, through files.

use crate::common::{arrays, hyperprior, limits, picture, runtimes, variable_rate, Model, Random};
use lcrs_codec::{compress, decompress, info, CompressOptions, DecompressOptions, Layout, Package, Picture};
use lcrs_core::{ErrorKind, Result, Runtime};
use lcrs_format::{parse, Color, NumberType, Samples};

const WIDTH: u32 = 21;
const HEIGHT: u32 = 13;

fn layout(samples: Samples) -> Layout {
    Layout { width: WIDTH, height: HEIGHT, samples, has_channel_axis: samples.channels() > 1 }
}

fn colors(color: Color, bit_depth: u8) -> Samples {
    Samples::Picture { color, bit_depth }
}

fn encode(package: &Package, picture: &Picture) -> Result<Vec<u8>> {
    let options = CompressOptions { quality: package.levels().map(|_| 80.0), ..CompressOptions::default() };
    compress(package, picture, &options, &Runtime::serial(), &limits())
}

fn decode(package: &Package, file: &[u8]) -> Picture {
    decompress(package, file, &DecompressOptions::default(), &Runtime::serial(), &limits()).unwrap()
}

/// The coded latents of a file.
fn latents(file: &[u8]) -> Vec<Vec<u8>> {
    let container = parse(file, &lcrs_format::Limits::default()).unwrap();
    container.sections.iter().map(|section| section.data.to_vec()).collect()
}

/// The components of an 8-bit picture, in other bits.
fn scaled(picture: &Picture, bit_depth: u8) -> Picture {
    let largest = (1_u32 << bit_depth) - 1;
    let components = picture.data().iter().map(|component| u32::from(*component) * largest / 255);
    let data = match bit_depth {
        0..=8 => components.map(|component| component as u8).collect(),
        _ => components.flat_map(|component| (component as u16).to_le_bytes()).collect(),
    };
    Picture::with_layout(layout(colors(Color::Rgb, bit_depth)), data).unwrap()
}

fn grey(picture: &Picture) -> Picture {
    let data = picture.data().chunks_exact(3).map(|pixel| pixel[1]).collect();
    Picture::with_layout(layout(colors(Color::Grey, 8)), data).unwrap()
}

#[test]
fn a_grey_picture_is_coded_as_three_equal_components() {
    for model in [hyperprior(), variable_rate()] {
        let package = model.package();
        let grey = grey(&picture(WIDTH, HEIGHT, 1));
        let thrice = grey.data().iter().flat_map(|component| [*component; 3]).collect();
        let thrice = Picture::new(WIDTH, HEIGHT, thrice).unwrap();
        let (file, other) = (encode(&package, &grey).unwrap(), encode(&package, &thrice).unwrap());
        assert_eq!(latents(&file), latents(&other));
        assert_eq!(file.len(), other.len() + 4);
        let restored = decode(&package, &file);
        assert_eq!(restored.layout(), grey.layout());
        for (grey, pixel) in restored.data().iter().zip(decode(&package, &other).data().chunks_exact(3)) {
            // rounding before the mean moves it by less than a half
            let sum: i32 = pixel.iter().map(|component| i32::from(*component)).sum();
            assert!((3 * i32::from(*grey) - sum).abs() <= 3, "{grey} {pixel:?}");
        }
    }
}

/// The same numbers, or nearly, are coded whatever the bits that they were given in.
#[test]
fn depths_are_scales_of_the_same_picture() {
    let package = variable_rate().package();
    let eight = picture(WIDTH, HEIGHT, 2);
    // 65535 is 257 times 255, so these are the same numbers
    let (file, deep) = (encode(&package, &eight).unwrap(), encode(&package, &scaled(&eight, 16)).unwrap());
    assert_eq!(latents(&file), latents(&deep));
    let pixels = decode(&package, &file);
    for (eight, deep) in pixels.data().iter().zip(decode(&package, &deep).data().chunks_exact(2)) {
        let deep = f64::from(u16::from_le_bytes([deep[0], deep[1]])) / 257.0;
        assert!((f64::from(*eight) - deep).abs() <= 0.51, "{eight} {deep}");
    }
    for bit_depth in [1, 4, 7, 9, 12] {
        let given = scaled(&eight, bit_depth);
        let file = encode(&package, &given).unwrap();
        let restored = decode(&package, &file);
        assert_eq!(restored.layout(), given.layout());
        assert_eq!(info(&file, &limits()).unwrap().samples, colors(Color::Rgb, bit_depth));
    }
}

fn numbers(number: NumberType, channels: u32, seed: u64) -> Picture {
    let mut random = Random(seed);
    let samples = Samples::Array { number, channels };
    let count = (WIDTH * HEIGHT * channels) as usize;
    let data = match number {
        NumberType::F32 => (0..count).flat_map(|_| random.signed().to_le_bytes()).collect(),
        _ => (0..count * number.num_bytes()).map(|_| random.below(256) as u8).collect(),
    };
    Picture::with_layout(layout(samples), data).unwrap()
}

fn array_models() -> Vec<(Model, Picture)> {
    [
        (NumberType::U8, 5, 0.0, 255.0),
        (NumberType::I8, 1, -128.0, 127.0),
        (NumberType::U16, 2, 0.0, 4095.0),
        (NumberType::I16, 13, -1000.0, 1000.0),
        (NumberType::F32, 5, -0.3, 0.7),
    ]
    .into_iter()
    .map(|(number, channels, minimum, maximum)| {
        let model = arrays(number.name(), channels as usize, minimum, maximum);
        (model, numbers(number, channels, u64::from(channels)))
    })
    .collect()
}

#[test]
fn arrays_keep_shape_and_type_on_every_path() {
    for (model, array) in array_models() {
        let package = model.package();
        let file = encode(&package, &array).unwrap();
        let restored = decode(&package, &file);
        assert_eq!(restored.layout(), array.layout());
        assert_eq!(info(&file, &limits()).unwrap().samples, array.samples());
        for rt in runtimes() {
            assert_eq!(compress(&package, &array, &CompressOptions::default(), &rt, &limits()).unwrap(), file);
            let again = decompress(&package, &file, &DecompressOptions::default(), &rt, &limits()).unwrap();
            assert_eq!(again, restored, "{} on {rt:?}", array.samples());
        }
    }
}

#[test]
fn restored_arrays_lie_within_the_range() {
    for (model, array) in array_models() {
        let package = model.package();
        let restored = decode(&package, &encode(&package, &array).unwrap());
        let samples = &model.description["samples"];
        let range = samples["minimum"].as_f64().unwrap()..=samples["maximum"].as_f64().unwrap();
        let data = restored.data();
        let values: Vec<f64> = match array.samples().number() {
            NumberType::U8 => data.iter().map(|b| f64::from(*b)).collect(),
            NumberType::I8 => data.iter().map(|b| f64::from(*b as i8)).collect(),
            NumberType::U16 => data.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]).into()).collect(),
            NumberType::I16 => data.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]).into()).collect(),
            NumberType::F32 => {
                data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()).collect()
            }
        };
        assert!(values.iter().all(|value| range.contains(value)), "{}", array.samples());
        // a stretch of the range, not one end of it
        let (low, high) = (range.start(), range.end());
        assert!(values.iter().any(|value| (value - low) / (high - low) > 0.3));
        assert!(values.iter().any(|value| (value - low) / (high - low) < 0.7));
    }
}

#[test]
fn what_the_model_does_not_code_is_refused() {
    let pictures = variable_rate().package();
    let (model, array) = array_models().remove(0);
    let arrays = model.package();
    for (package, given) in [
        (&pictures, array),
        (&arrays, picture(WIDTH, HEIGHT, 3)),
        (&arrays, numbers(NumberType::U8, 4, 3)),
        (&arrays, numbers(NumberType::I8, 5, 3)),
    ] {
        let error = encode(package, &given).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().contains(&given.samples().to_string()), "{error}");
        assert!(error.message().contains(package.name()), "{error}");
    }
}

/// The range decides what symbols mean: another one makes another model.
#[test]
fn the_synthesis_digest_covers_the_samples() {
    let packages = [arrays("float32", 5, 0.0, 1.0), arrays("float32", 5, 0.0, 2.0)].map(|model| model.package());
    let [one, two] = packages.each_ref().map(Package::digests);
    assert_eq!(one.entropy, two.entropy);
    assert_ne!(one.synthesis, two.synthesis);
    assert_ne!(one.analysis, two.analysis);
    let file = encode(&packages[0], &numbers(NumberType::F32, 5, 1)).unwrap();
    let decoded = decompress(&packages[1], &file, &DecompressOptions::default(), &Runtime::serial(), &limits());
    assert_eq!(decoded.unwrap_err().kind(), ErrorKind::MissingModel);
}

#[test]
fn illegal_samples_of_a_package_are_refused() {
    for (change, kind) in [
        (("type", "float64".into()), ErrorKind::UnsupportedVersion),
        (("type", 3.into()), ErrorKind::Corrupt),
        (("channels", 0.into()), ErrorKind::Corrupt),
        (("channels", ((1 << 20) + 1).into()), ErrorKind::Corrupt),
        (("channels", 4.into()), ErrorKind::Corrupt),
        (("channels", (1 << 20).into()), ErrorKind::Corrupt),
        (("minimum", 7.into()), ErrorKind::Corrupt),
        (("minimum", (-1).into()), ErrorKind::Corrupt),
        (("minimum", serde_json::json!(0.5)), ErrorKind::Corrupt),
        (("maximum", 256.into()), ErrorKind::Corrupt),
        (("maximum", serde_json::json!(1e39)), ErrorKind::Corrupt),
        (("maximum", serde_json::Value::Null), ErrorKind::Corrupt),
        (("scale", 1.into()), ErrorKind::UnsupportedVersion),
    ] {
        let mut model = arrays("uint8", 5, 0.0, 7.0);
        model.description["samples"][change.0] = change.1;
        let description = model.description.to_string();
        let error = Package::from_parts(&description, model.weights.tensors, &limits()).unwrap_err();
        assert_eq!(error.kind(), kind, "{description}: {error}");
    }
}
