//! The golden files of format version 1, which decode to the same pixels for ever. `tests/golden/README.md` says what they
//! are. Nothing here may be changed to make a test pass.

use std::path::Path;

use crate::common::{is_slow, limits, runtimes};
use lcrs_codec::{
    compress_lossless, decompress, decompress_latent, decompress_lossless, info, metadata, DecompressOptions, Package,
};
use lcrs_core::{ErrorKind, Runtime, Simd};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Folders below `tests/golden`, and the digests of their lists of what is expected.
const FOLDERS: [(&str, &str); 4] = [
    (".", "323104363bccff2a5eb6834aa42deb6dc5540ac99d02ed694e01c0e3a7a49fe6"),
    ("gains", "4d0fe6ad5832601ca215a608d95c4c3ac3353f12e00485baf99ba515e538937d"),
    ("operations", "6d2984032f1149ca33a0712dfccb92770e3f446aab304ca7fd3479bea7b760c1"),
    ("samples", "81e067f3170abc6b4fc49b50303cc67af0078ce47df5eeff260904eb3daebaf1"),
];

/// The folder of files that have no package, and the digest of its list.
const LOSSLESS: (&str, &str) = ("lossless", "f41f61eb44a14c5d5c01efb7397e900cc28c7fa58a0772882499d2cd5f084a33");

/// The first bytes of a file, of which every bit is flipped.
const FIRST: usize = 512;

fn read(folder: &str, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(folder).join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expected(folder: &str) -> Value {
    serde_json::from_slice(&read(folder, "expected.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Calls `check` with the bytes of each package and what is expected of it.
fn for_each_package(check: impl Fn(&[u8], &Value)) {
    for (folder, _) in FOLDERS {
        for entry in expected(folder)["packages"].as_array().unwrap() {
            check(&read(folder, &format!("{}.lcrm", text(&entry["name"]))), entry);
        }
    }
}

/// Calls `check` with each file, its package and what is expected of it.
fn for_each_file(mut check: impl FnMut(&Package, &[u8], &Value)) {
    for (folder, _) in FOLDERS {
        let expected = expected(folder);
        for package_entry in expected["packages"].as_array().unwrap() {
            let name = text(&package_entry["name"]);
            let package = Package::from_bytes(&read(folder, &format!("{name}.lcrm")), &limits()).unwrap();
            for entry in expected["files"].as_array().unwrap().iter().filter(|file| text(&file["package"]) == name) {
                check(&package, &read(folder, &format!("{}.lcrs", text(&entry["name"]))), entry);
            }
        }
    }
}

/// Calls `check` with each lossless file and what is expected of it.
fn for_each_lossless_file(mut check: impl FnMut(&[u8], &Value)) {
    for entry in expected(LOSSLESS.0)["files"].as_array().unwrap() {
        check(&read(LOSSLESS.0, &format!("{}.lcrs", text(&entry["name"]))), entry);
    }
}

#[test]
fn nobody_has_touched_the_files() {
    for (folder, digest) in FOLDERS.into_iter().chain([LOSSLESS]) {
        assert_eq!(sha256(&read(folder, "expected.json")), digest, "expected.json in {folder}");
        let expected = expected(folder);
        for (list, suffix) in [("packages", "lcrm"), ("files", "lcrs")] {
            for entry in expected[list].as_array().into_iter().flatten() {
                let name = format!("{}.{suffix}", text(&entry["name"]));
                assert_eq!(sha256(&read(folder, &name)), text(&entry["sha256"]), "{name}");
            }
        }
    }
}

#[test]
fn packages_have_their_digests() {
    for_each_package(|bytes, entry| {
        let name = text(&entry["name"]);
        let package = Package::from_bytes(bytes, &limits()).unwrap();
        let digests = package.digests();
        assert_eq!(package.name(), name);
        assert_eq!(digests.entropy_hex(), text(&entry["digests"]["entropy"]), "{name}");
        assert_eq!(digests.synthesis_hex(), text(&entry["digests"]["synthesis"]), "{name}");
        assert_eq!(digests.analysis_hex(), text(&entry["digests"]["analysis"]), "{name}");
    });
}

#[test]
fn files_decode_to_their_pixels_on_every_path_and_thread_count() {
    let mut num_files = 0;
    for_each_file(|package, file, entry| {
        for rt in runtimes() {
            let picture = decompress(package, file, &DecompressOptions::default(), &rt, &limits()).unwrap();
            let size = [picture.height(), picture.width()];
            assert_eq!(entry["size"], serde_json::json!(size), "{}", entry["name"]);
            assert_eq!(sha256(picture.data()), text(&entry["pixels_sha256"]), "{} with {rt:?}", entry["name"]);
        }
        num_files += 1;
    });
    assert!(num_files > 50, "{num_files}");
}

#[test]
fn files_say_what_they_are() {
    for_each_file(|package, file, entry| {
        let info = info(file, &limits()).unwrap();
        assert_eq!((info.format_version, info.portable, info.numerics), (1, true, "f32-fma/1"));
        assert_eq!(info.model, package.name());
        assert_eq!(info.sections.len(), entry["symbols_sha256"].as_array().unwrap().len());
        if let Some(kind) = entry["kind"].as_str() {
            assert!(info.sections.iter().all(|section| section.kind == kind));
        }
        let found = metadata(file, &limits()).unwrap();
        for (key, data) in [("icc", found.icc), ("exif", found.exif)] {
            assert_eq!(data.map(|data| sha256(&data)).as_deref(), entry["metadata_sha256"][key].as_str(), "{key}");
        }
    });
}

/// Every byte is under a checksum or is checked by value.
#[test]
fn damaged_files_are_errors() {
    let options = DecompressOptions::default();
    for_each_file(|package, file, entry| {
        let name = &entry["name"];
        let decode = |data: &[u8]| decompress_latent(package, data, &options, &Runtime::serial(), &limits());
        for length in 0..file.len() {
            let error = decode(&file[..length]).unwrap_err();
            assert_ne!(error.kind(), ErrorKind::InvalidArgument, "{name} cut to {length}: {error}");
        }
        assert!(decode(&[file, &[0][..]].concat()).is_err(), "{name} with a byte more");
        // Of what comes later, which is under a checksum, one bit of each byte.
        let first = if is_slow() { file.len() } else { FIRST };
        let mut damaged = file.to_vec();
        for bit in (0..8 * file.len()).filter(|bit| bit / 8 < first || bit % 8 == bit / 8 % 8) {
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error = decode(&damaged).unwrap_err();
            assert_ne!(error.kind(), ErrorKind::InvalidArgument, "{name} with bit {bit} flipped: {error}");
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
    });
}

#[test]
fn lossless_files_are_their_pictures_both_ways_on_every_path_and_thread_count() {
    let threads = [1, 2, 5].into_iter();
    let runtimes: Vec<Runtime> = threads
        .flat_map(|threads| Simd::available().into_iter().map(move |simd| Runtime::new(simd, threads).unwrap()))
        .collect();
    let mut num_files = 0;
    for_each_lossless_file(|file, entry| {
        let metadata = metadata(file, &limits()).unwrap();
        for rt in &runtimes {
            let picture = decompress_lossless(file, rt, &limits()).unwrap();
            let size = serde_json::json!([picture.height(), picture.width()]);
            assert_eq!((&entry["size"], text(&entry["pixels_sha256"])), (&size, sha256(picture.data()).as_str()));
            // others were written by a slow encoder, in bands of fewer rows than lcrs takes
            if entry["band_rows"] == entry["size"][0] {
                assert_eq!(compress_lossless(&picture, &metadata, rt, &limits()).unwrap(), file, "{}", entry["name"]);
            }
        }
        num_files += 1;
    });
    assert!(num_files > 20, "{num_files}");
}

#[test]
fn damaged_lossless_files_are_errors() {
    let decode = |data: &[u8]| decompress_lossless(data, &Runtime::serial(), &limits());
    for_each_lossless_file(|file, entry| {
        let name = &entry["name"];
        assert!(decode(&[file, &[0][..]].concat()).is_err(), "{name} with a byte more");
        let mut damaged = file.to_vec();
        for at in 0..file.len() {
            let error = decode(&file[..at]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{name} cut to {at}: {error}");
            damaged[at] ^= 1 << (at % 8);
            let error = decode(&damaged).unwrap_err();
            assert_ne!(error.kind(), ErrorKind::InvalidArgument, "{name} with byte {at} damaged: {error}");
            damaged[at] = file[at];
        }
    });
}

#[test]
fn damaged_packages_are_errors_or_the_same_model() {
    for_each_package(|bytes, _| {
        let digests = Package::from_bytes(bytes, &limits()).unwrap().digests();
        let step = bytes.len() / 60;
        for at in (0..bytes.len()).step_by(step) {
            assert!(Package::from_bytes(&bytes[..at], &limits()).is_err(), "cut to {at}");
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << (at % 8);
            if let Ok(package) = Package::from_bytes(&damaged, &limits()) {
                assert_eq!(package.digests(), digests, "byte {at} is under no digest");
            }
        }
    });
}
