//! Sizes, rates and distortions that were asked for, through the real coder.

use crate::common::{hyperprior, limits, picture, runtimes, variable_rate};
use lcrs_codec::{
    compress, compress_to_target, decompress, info, CompressOptions, DecompressOptions, Package, Picture,
    PictureMetadata, Target, Targeted,
};
use lcrs_core::{ErrorKind, Result, Runtime};

fn find(package: &Package, picture: &Picture, target: Target) -> Result<Targeted> {
    compress_to_target(package, picture, target, &CompressOptions::default(), &Runtime::serial(), &limits())
}

fn at(package: &Package, picture: &Picture, quality: f64) -> Vec<u8> {
    let options = CompressOptions { quality: Some(quality), ..CompressOptions::default() };
    compress(package, picture, &options, &Runtime::serial(), &limits()).unwrap()
}

fn psnr(package: &Package, picture: &Picture, file: &[u8]) -> f64 {
    let restored = decompress(package, file, &DecompressOptions::default(), &Runtime::serial(), &limits()).unwrap();
    let squares = picture.data().iter().zip(restored.data()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    10.0 * (255.0 * 255.0 * picture.data().len() as f64 / squares.sum::<f64>()).log10()
}

#[test]
fn targets_within_the_range_are_reached() {
    let (package, picture) = (variable_rate().package(), picture(150, 130, 1));
    let (smallest, largest) = (at(&package, &picture, 0.0).len(), at(&package, &picture, 100.0).len());
    for part in [0.1, 0.35, 0.8] {
        let size = smallest as f64 + part * (largest - smallest) as f64;
        let found = find(&package, &picture, Target::Size(size as u64)).unwrap();
        assert_eq!(found.shortfall, None);
        assert!(found.data.len() as f64 <= size && found.data.len() as f64 >= 0.99 * size.floor());
        let bits = 8.0 * size / (150.0 * 130.0);
        let found = find(&package, &picture, Target::BitsPerPixel(bits)).unwrap();
        assert_eq!(found.shortfall, None);
        assert!((found.data.len() as f64 / size - 1.0).abs() <= 0.01);
        // the file is that of its quality: nothing of the search stays in it
        let quality = info(&found.data, &limits()).unwrap().quality.unwrap();
        assert_eq!(found.data, at(&package, &picture, quality.into()));
    }
}

#[test]
fn a_psnr_within_the_range_is_reached() {
    let (package, picture) = (variable_rate().package(), picture(90, 70, 2));
    let ends = [0.0, 100.0].map(|quality| psnr(&package, &picture, &at(&package, &picture, quality)));
    let goal = 0.5 * (ends[0] + ends[1]);
    let found = find(&package, &picture, Target::Psnr(goal)).unwrap();
    assert_eq!(found.shortfall, None, "{ends:?}");
    assert!((psnr(&package, &picture, &found.data) - goal).abs() <= 0.05);
}

#[test]
fn metadata_counts() {
    let (package, picture) = (variable_rate().package(), picture(150, 130, 1));
    let metadata = PictureMetadata { icc: Some(vec![7; 1000]), ..PictureMetadata::default() };
    let options = CompressOptions { metadata, ..CompressOptions::default() };
    let size = at(&package, &picture, 60.0).len() as u64 + 1000;
    let target = Target::Size(size);
    let found = compress_to_target(&package, &picture, target, &options, &Runtime::serial(), &limits()).unwrap();
    assert!(found.data.len() as u64 <= size && found.data.len() as u64 >= size * 99 / 100);
}

#[test]
fn the_ends_of_the_range_are_told() {
    let (package, picture) = (variable_rate().package(), picture(64, 48, 3));
    for (target, quality, word) in [
        (Target::Size(10), 0.0, "asked for 10 bytes"),
        (Target::BitsPerPixel(100.0), 100.0, "asked for 100 bits a pixel"),
        (Target::Psnr(99.0), 100.0, "asked for 99 dB"),
    ] {
        let found = find(&package, &picture, target).unwrap();
        assert_eq!(found.data, at(&package, &picture, quality), "{target:?}");
        assert!(found.shortfall.unwrap().contains(word));
    }
}

#[test]
fn the_bytes_are_the_same_on_every_path_and_thread_count() {
    let (package, picture) = (variable_rate().package(), picture(101, 67, 4));
    for target in [Target::BitsPerPixel(2.0), Target::Psnr(20.0)] {
        let found = find(&package, &picture, target).unwrap();
        for rt in runtimes() {
            let options = CompressOptions::default();
            let again = compress_to_target(&package, &picture, target, &options, &rt, &limits()).unwrap();
            assert_eq!(again, found, "{target:?} on {rt:?}");
        }
    }
}

/// Where memory is short, the part of g_a that is the same at every level is run again each time.
#[test]
fn memory_changes_nothing() {
    let (package, picture) = (variable_rate().package(), picture(160, 200, 5));
    let target = Target::BitsPerPixel(2.0);
    let found = find(&package, &picture, target).unwrap();
    let mut had = (false, false);
    for kilobytes in [50, 100, 150, 200, 300, 500, 1000] {
        let mut limits = limits();
        limits.max_bytes = kilobytes << 10;
        let options = CompressOptions::default();
        match compress_to_target(&package, &picture, target, &options, &Runtime::serial(), &limits) {
            Ok(again) => {
                assert_eq!(again, found, "{kilobytes} KiB");
                had.0 = true;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Limit, "{kilobytes} KiB: {error}");
                had.1 = true;
            }
        }
    }
    assert_eq!(had, (true, true));
}

#[test]
fn what_has_no_rate_to_choose_is_refused() {
    let picture = picture(8, 8, 5);
    let error = find(&hyperprior().package(), &picture, Target::Size(500)).unwrap_err();
    assert!(error.message().contains("fixed rate"), "{error}");
    let package = variable_rate().package();
    let options = CompressOptions { quality: Some(3.0), ..CompressOptions::default() };
    let run = |target, options| {
        compress_to_target(&package, &picture, target, options, &Runtime::serial(), &limits()).unwrap_err()
    };
    assert!(run(Target::Size(500), &options).message().contains("quality is 3"));
    assert_eq!(run(Target::Psnr(f64::NAN), &CompressOptions::default()).kind(), ErrorKind::InvalidArgument);
}
