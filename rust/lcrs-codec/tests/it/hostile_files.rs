//! Files that were cut, damaged or made to mislead: always an error, never a picture, a panic or a long wait.

use crate::common::{
    check_bit_flips, check_truncations, factorized, hyperprior, limits, picture, variable_rate, Random,
};
use lcrs_codec::{compress, decompress, CompressOptions, DecompressOptions, Package, Picture};
use lcrs_core::{Error, ErrorKind, Limits, Runtime};
use lcrs_format::{pack, parse, Header, NumberType, Samples, Section};

fn sample() -> (Package, Vec<u8>) {
    let package = variable_rate().package();
    let options = CompressOptions { quality: Some(55.0), ..CompressOptions::default() };
    let file = compress(&package, &picture(33, 26, 9), &options, &Runtime::serial(), &limits()).unwrap();
    (package, file)
}

fn restore(package: &Package, data: &[u8]) -> Result<Picture, Error> {
    decompress(package, data, &DecompressOptions::default(), &Runtime::serial(), &limits())
}

#[test]
fn every_truncation_is_an_error() {
    let (package, file) = sample();
    check_truncations(&file, |data| restore(&package, data));
}

#[test]
fn every_bit_flip_is_an_error() {
    let (package, file) = sample();
    check_bit_flips(&file, |data| restore(&package, data));
}

#[test]
fn thousands_of_random_corruptions_are_errors() {
    let (package, file) = sample();
    let mut random = Random(1);
    for case in 0..10_000 {
        let mut damaged = file.clone();
        match case % 4 {
            0 => (0..=random.below(8)).for_each(|_| {
                let at = random.below(damaged.len());
                damaged[at] = random.bits() as u8;
            }),
            1 => damaged.truncate(random.below(file.len())),
            2 => damaged.insert(random.below(file.len()), random.bits() as u8),
            _ => {
                let (from, to) = (random.below(file.len()), random.below(file.len()));
                damaged.copy_within(from..file.len().min(from + 8), to.min(file.len() - 8));
            }
        }
        if damaged != file {
            let error = restore(&package, &damaged).unwrap_err();
            assert_ne!(error.kind(), ErrorKind::InvalidArgument, "case {case}: {error}");
        }
    }
}

/// Latent, stream kind, precision and bytes of each section.
type Sections = Vec<(u8, u8, u8, Vec<u8>)>;

type Change = Box<dyn FnOnce(&mut Header, &mut Sections)>;

/// The file again, with one thing changed and every checksum right: only the coder and the model can object.
fn rebuilt(file: &[u8], change: impl FnOnce(&mut Header, &mut Sections)) -> Vec<u8> {
    let container = parse(file, &lcrs_format::Limits::default()).unwrap();
    let mut header = container.header.clone();
    let mut sections: Vec<_> =
        container.sections.iter().map(|s| (s.latent, s.kind, s.precision, s.data.to_vec())).collect();
    change(&mut header, &mut sections);
    let sections: Vec<_> = sections
        .iter()
        .map(|(latent, kind, precision, data)| Section { latent: *latent, kind: *kind, precision: *precision, data })
        .collect();
    pack(&header, &sections, &[]).unwrap()
}

fn array(channels: u32) -> Samples {
    Samples::Array { number: NumberType::U8, channels }
}

#[test]
fn headers_that_do_not_fit_the_model_are_refused() {
    let (package, file) = sample();
    let cases: Vec<(&str, ErrorKind, Change)> = vec![
        ("no quality", ErrorKind::Corrupt, Box::new(|h, _| h.quality = None)),
        ("an array", ErrorKind::Corrupt, Box::new(|h, _| h.samples = array(3))),
        ("a huge array", ErrorKind::Corrupt, Box::new(|h, _| h.samples = array(1 << 20))),
        ("not portable", ErrorKind::NotPortable, Box::new(|h, _| h.is_portable = false)),
        ("other entropy digest", ErrorKind::MissingModel, Box::new(|h, _| h.entropy_digest[7] ^= 1)),
        ("other synthesis digest", ErrorKind::MissingModel, Box::new(|h, _| h.synthesis_digest[0] ^= 1)),
        ("no section", ErrorKind::Corrupt, Box::new(|_, s| s.clear())),
        ("one section", ErrorKind::Corrupt, Box::new(|_, s| s.truncate(1))),
        ("three sections", ErrorKind::Corrupt, Box::new(|_, s| s.push((2, 1, 16, vec![])))),
        ("other numbers", ErrorKind::Corrupt, Box::new(|_, s| s[1].0 = 5)),
        ("other precision", ErrorKind::Corrupt, Box::new(|_, s| s[1].2 = 12)),
        ("unknown stream kind", ErrorKind::UnsupportedVersion, Box::new(|_, s| s[0].1 = 77)),
        ("huge picture", ErrorKind::Limit, Box::new(|h, _| (h.width, h.height) = (60_000, 60_000))),
        ("huge decoded size", ErrorKind::Limit, Box::new(|h, _| h.decoded = Some((1 << 31, 1 << 31)))),
        ("odd decoded size", ErrorKind::Corrupt, Box::new(|h, _| h.decoded = Some((h.width + 63, h.height + 61)))),
        ("other decoded size", ErrorKind::Truncated, Box::new(|h, _| h.decoded = Some((128, 128)))),
        ("huge crop", ErrorKind::Limit, Box::new(|h, _| h.crop_left = u32::MAX - 100)),
    ];
    for (what, kind, change) in cases {
        let error = restore(&package, &rebuilt(&file, change)).unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
    }
}

#[test]
fn a_crop_offset_moves_the_visible_part() {
    let (package, file) = sample();
    let whole = restore(&package, &file).unwrap();
    let moved = rebuilt(&file, |header, _| {
        (header.crop_left, header.crop_top, header.width, header.height) = (5, 3, 28, 23);
    });
    let part = restore(&package, &moved).unwrap();
    for y in 0..23 {
        let from = ((y + 3) * 33 + 5) * 3;
        assert_eq!(part.data()[y * 28 * 3..(y + 1) * 28 * 3], whole.data()[from..from + 28 * 3]);
    }
}

/// With the checksums made right again, damage reaches the entropy decoder and the networks. What comes out may be a
/// picture (the stream may be one of other symbols), but never a panic, a caller's error or a long wait.
#[test]
fn damaged_sections_with_right_checksums_end_well() {
    let mut random = Random(2);
    for model in [factorized(), hyperprior(), variable_rate()] {
        let package = model.package();
        let options = CompressOptions { quality: package.levels().map(|_| 100.0), ..CompressOptions::default() };
        let file = compress(&package, &picture(24, 24, 3), &options, &Runtime::serial(), &limits()).unwrap();
        let mut num_errors = 0;
        for _ in 0..1000 {
            let damaged = rebuilt(&file, |_, sections| {
                let which = random.below(sections.len());
                let data = &mut sections[which].3;
                match random.below(3) {
                    0 => data.truncate(random.below(data.len() + 1)),
                    1 => data.push(random.bits() as u8),
                    _ => (0..4).for_each(|_| {
                        let at = random.below(data.len());
                        data[at] = random.bits() as u8;
                    }),
                }
            });
            if let Err(error) = restore(&package, &damaged) {
                assert_ne!(error.kind(), ErrorKind::InvalidArgument, "{error}");
                num_errors += 1;
            }
        }
        assert!(num_errors > 900, "{}: {num_errors} of 1000", package.name());
    }
}

/// A hundred bytes that announce a large picture must not cost what the picture would.
#[test]
fn announcements_cost_nothing_beyond_the_limits() {
    let (package, file) = sample();
    let large = rebuilt(&file, |header, _| (header.width, header.height) = (16_384, 16_384));
    let mut limits = Limits::default();
    limits.max_bytes = 16 << 20;
    let error = decompress(&package, &large, &DecompressOptions::default(), &Runtime::serial(), &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
}
