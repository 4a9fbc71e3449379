//! What the fuzzer has found worth keeping, through the bodies of its targets: runs wherever the tests run, also under
//! Valgrind and on other processors. A find becomes a file in `rust/fuzz/seeds/coder` that says in its name what it was.
//!
//! `LCRS_FUZZ_CORPUS` names another folder, for example one that the fuzzer has filled; CONTRIBUTING.md has the command
//! that does it under Valgrind.

use std::path::PathBuf;

#[allow(unreachable_pub)] // it is the fuzzer's
#[path = "../../../../fuzz/src/coder.rs"]
mod coder;

/// The inputs, in the order of their names.
fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let seeds = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/coder");
    let folder = std::env::var_os("LCRS_FUZZ_CORPUS").filter(|name| !name.is_empty()).map_or_else(seeds, PathBuf::from);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let read = |path: PathBuf| {
        let data = std::fs::read(&path).unwrap();
        (path, data)
    };
    paths.into_iter().map(read).collect()
}

/// Runs a body on every seed; a failure says which.
fn replay(body: fn(&[u8])) {
    for (path, data) in seeds() {
        if std::panic::catch_unwind(|| body(&data)).is_err() {
            panic!("{}", path.display());
        }
    }
}

#[test]
fn seeds_decode_as_garbage() {
    replay(coder::decode_garbage);
}

#[test]
fn seeds_come_back() {
    replay(coder::round_trip);
}

#[test]
fn paths_agree_on_seeds() {
    replay(coder::paths_agree);
}
