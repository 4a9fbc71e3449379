//! Files of given latents: the same symbols, any padding of another program, no latents of another model.

use crate::common::{factorized, hyperprior, limits, variable_rate, Random};
use lcrs_codec::{decompress, transcode, DecompressOptions, GivenLatents, Package, PictureWindow};
use lcrs_core::exact::Tensor;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, ErrorKind, Runtime};

const CHANNELS: usize = 6;

/// A package whose medians are zero, so that its latents are whole numbers.
fn package() -> Package {
    let mut model = factorized();
    model.weights.change("entropy.medians", |_, _| 0.0);
    model.package()
}

fn latents(height: usize, width: usize) -> GivenLatents {
    let mut random = Random(4);
    let data = (0..CHANNELS * height * width).map(|_| (6.0 * random.signed()).round()).collect();
    GivenLatents { y: Tensor::from_vec(CHANNELS, height, width, data).unwrap(), z: None }
}

fn write(package: &Package, latents: &GivenLatents, window: &PictureWindow) -> Result<Vec<u8>, Error> {
    transcode(package, latents, window, None, StreamKind::Lcrs, &Runtime::serial(), &limits())
}

fn read(package: &Package, file: &[u8]) -> Vec<u8> {
    let options = DecompressOptions::default();
    decompress(package, file, &options, &Runtime::serial(), &limits()).unwrap().data().to_vec()
}

#[test]
fn the_visible_part_of_more_padding_than_the_model_adds_is_the_same() {
    let (package, latents) = (package(), latents(4, 5));
    let whole = PictureWindow { size: (40, 32), crop: (0, 0), decoded: (40, 32) };
    let pixels = read(&package, &write(&package, &latents, &whole).unwrap());
    for (size, crop) in [((9, 7), (15, 12)), ((31, 32), (1, 0)), ((1, 1), (39, 31)), ((3, 2), (0, 0))] {
        let file = write(&package, &latents, &PictureWindow { size, crop, ..whole }).unwrap();
        let row = |y: u32| ((y + crop.1) * 40 + crop.0) as usize * 3;
        let expected = (0..size.1).flat_map(|y| pixels[row(y)..row(y) + size.0 as usize * 3].to_vec());
        assert_eq!(read(&package, &file), expected.collect::<Vec<_>>(), "{size:?} at {crop:?}");
    }
}

#[test]
fn values_near_those_of_the_model_have_its_symbols() {
    let (package, exact) = (package(), latents(4, 5));
    let window = PictureWindow { size: (40, 32), crop: (0, 0), decoded: (40, 32) };
    let file = write(&package, &exact, &window).unwrap();
    let shifted = |by: f32| {
        let data = exact.y.data().iter().map(|value| value + by).collect();
        GivenLatents { y: Tensor::from_vec(CHANNELS, 4, 5, data).unwrap(), z: None }
    };
    assert_eq!(write(&package, &shifted(1e-3), &window).unwrap(), file);
    for by in [0.3, -0.3, 0.5] {
        let error = write(&package, &shifted(by), &window).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Desync, "{error}");
        assert!(error.to_string().contains("row 0, column 0"), "{error}");
    }
}

#[test]
fn what_the_model_cannot_have_is_refused() {
    let (package, good) = (package(), latents(4, 5));
    let window = PictureWindow { size: (40, 32), crop: (0, 0), decoded: (40, 32) };
    let wrong = [
        PictureWindow { decoded: (40, 31), ..window },
        PictureWindow { decoded: (48, 32), ..window },
        PictureWindow { crop: (1, 0), ..window },
        PictureWindow { size: (0, 32), ..window },
        PictureWindow { decoded: (32, 32), ..window },
    ];
    for window in wrong {
        let error = write(&package, &good, &window).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{window:?}: {error}");
    }
    let with_z = GivenLatents { z: Some(good.y.clone()), ..good.clone() };
    for (package, latents) in
        [(&package, &with_z), (&hyperprior().package(), &good), (&variable_rate().package(), &good)]
    {
        let error = write(package, latents, &window).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    for (package, quality) in [(&package, 50.0), (&variable_rate().package(), 100.1)] {
        let runtime = Runtime::serial();
        let result = transcode(package, &good, &window, Some(quality), StreamKind::Lcrs, &runtime, &limits());
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.to_string().contains(&format!("quality is {quality}")), "{error}");
    }
}
