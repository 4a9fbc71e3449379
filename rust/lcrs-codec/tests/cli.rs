//! The program: results, messages, exit codes, and files that are never half written or written over.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{hyperprior, limits, picture, variable_rate};
use lcrs_codec::{compress, decompress, CompressOptions, DecompressOptions, Package, PictureMetadata};
use lcrs_core::Runtime;

struct Folder {
    folder: tempfile::TempDir,
    package: Package,
    file: Vec<u8>,
}

/// A folder with a model `tiny-rate.lcrm` and a file `in.lcrs` made with it.
fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let model = variable_rate();
    fs::write(folder.path().join("tiny-rate.lcrm"), model.to_bytes()).unwrap();
    let package = model.package();
    let metadata = PictureMetadata { icc: Some(b"profile".to_vec()), ..PictureMetadata::default() };
    let options = CompressOptions { quality: Some(60.0), metadata, ..CompressOptions::default() };
    let file = compress(&package, &picture(21, 13, 1), &options, &Runtime::serial(), &limits()).unwrap();
    fs::write(folder.path().join("in.lcrs"), &file).unwrap();
    Folder { folder, package, file }
}

/// The program as this machine can start it: a build for another processor runs under the emulator that
/// `LCRS_TEST_RUNNER` names, with its arguments.
fn program() -> Command {
    let binary = env!("CARGO_BIN_EXE_lcrs-codec");
    let runner = std::env::var("LCRS_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().chain([binary]);
    let mut command = Command::new(words.next().unwrap_or(binary));
    command.args(words);
    command
}

impl Folder {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn with_models(&self, arguments: &[&str]) -> Output {
        self.command(arguments).env("LCRS_MODEL_PATH", self.folder.path()).output().unwrap()
    }

    fn pixels(&self) -> Vec<u8> {
        let options = DecompressOptions::default();
        decompress(&self.package, &self.file, &options, &Runtime::serial(), &limits()).unwrap().into_data()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The message: one line that names the program.
fn message(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(text.starts_with("lcrs-codec: ") && text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
    text
}

fn png_pixels(path: &Path) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap())).read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut data).unwrap();
    (data, reader.info().icc_profile.as_ref().map(|profile| profile.to_vec()))
}

#[test]
fn decode_restores_the_same_pixels_on_every_path() {
    let folder = folder();
    for path in lcrs_core::Simd::available() {
        let name = format!("{}.png", path.name());
        let mut command = folder.command(&["decode", "in.lcrs", "-o", &name, "--model", "tiny-rate.lcrm"]);
        let output = command.env("LCRS_SIMD", path.name()).env("LCRS_NUM_THREADS", "2").output().unwrap();
        assert_eq!((code(&output), output.stdout.len()), (0, 0), "{output:?}");
        assert_eq!(png_pixels(&folder.path(&name)), (folder.pixels(), Some(b"profile".to_vec())));
    }
}

#[test]
fn models_are_found_by_name_in_the_search_path() {
    let folder = folder();
    let output = folder.with_models(&["decode", "in.lcrs", "-o", "out.ppm"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let expected = [b"P6\n21 13\n255\n", &folder.pixels()[..]].concat();
    assert_eq!(fs::read(folder.path("out.ppm")).unwrap(), expected);

    let output = folder.run(&["decode", "in.lcrs", "-o", "other.ppm"]);
    assert_eq!(code(&output), 1);
    assert!(message(&output).contains("'tiny-rate'"));
    assert!(!folder.path("other.ppm").exists());
}

#[test]
fn encode_takes_back_what_decode_wrote() {
    let folder = folder();
    for name in ["out.png", "out.ppm"] {
        assert_eq!(code(&folder.with_models(&["decode", "in.lcrs", "-o", name])), 0);
        let again = format!("{name}.lcrs");
        let arguments = ["encode", name, "-o", &again, "-q", "35.5", "--model", "tiny-rate"];
        let output = folder.with_models(&arguments);
        assert_eq!(code(&output), 0, "{output:?}");
        let picture = lcrs_codec::Picture::new(21, 13, folder.pixels()).unwrap();
        let mut options = CompressOptions { quality: Some(35.5), ..CompressOptions::default() };
        options.metadata.icc = name.ends_with("png").then(|| b"profile".to_vec());
        let expected = compress(&folder.package, &picture, &options, &Runtime::serial(), &limits()).unwrap();
        assert_eq!(fs::read(folder.path(&again)).unwrap(), expected);
    }
}

#[test]
fn nothing_is_written_over_without_force() {
    let folder = folder();
    fs::write(folder.path("out.png"), b"mine").unwrap();
    let arguments = ["decode", "in.lcrs", "-o", "out.png", "--model", "tiny-rate.lcrm"];
    let output = folder.run(&arguments);
    assert_eq!(code(&output), 1);
    assert!(message(&output).contains("--force"));
    assert_eq!(fs::read(folder.path("out.png")).unwrap(), b"mine");
    assert_eq!(code(&folder.run(&[&arguments[..], &["--force"]].concat())), 0);
    assert_eq!(png_pixels(&folder.path("out.png")).0, folder.pixels());
}

#[test]
fn failures_leave_nothing_behind() {
    let folder = folder();
    let mut damaged = folder.file.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(folder.path("bad.lcrs"), damaged).unwrap();
    let before = fs::read_dir(folder.folder.path()).unwrap().count();
    for arguments in [
        &["decode", "bad.lcrs", "-o", "out.png", "--model", "tiny-rate.lcrm"][..],
        &["decode", "missing.lcrs", "-o", "out.png"],
        &["decode", "in.lcrs", "-o", "no/such/folder/out.png", "--model", "tiny-rate.lcrm"],
        &["decode", "in.lcrs", "-o", "out.png", "--model", "in.lcrs"],
        &["encode", "in.lcrs", "-o", "out.lcrs", "--model", "tiny-rate.lcrm"],
        &["verify", "bad.lcrs", "--model", "tiny-rate.lcrm"],
        &["info", "bad.lcrs"],
        &["info", "."],
    ] {
        let output = folder.run(arguments);
        assert_eq!(code(&output), 1, "{arguments:?}");
        message(&output);
        assert_eq!(fs::read_dir(folder.folder.path()).unwrap().count(), before, "{arguments:?}");
    }
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let folder = folder();
    for arguments in [
        &[][..],
        &["restore", "in.lcrs"],
        &["info"],
        &["info", "in.lcrs", "in.lcrs"],
        &["info", "in.lcrs", "--force"],
        &["decode", "in.lcrs"],
        &["decode", "in.lcrs", "-o", "out.jpg"],
        &["decode", "in.lcrs", "-o"],
        &["encode", "in.png", "-o", "out.lcrs", "-q", "101"],
        &["--unknown"],
    ] {
        let output = folder.run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {output:?}");
        message(&output);
    }
    for arguments in [&["--help"][..], &["decode", "-h"], &["--version"]] {
        let output = folder.run(arguments);
        assert_eq!((code(&output), output.stdout.is_empty()), (0, false), "{arguments:?}");
    }
    let output =
        folder.command(&["verify", "in.lcrs", "--model", "tiny-rate.lcrm"]).env("LCRS_SIMD", "mmx").output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(message(&output).contains("LCRS_SIMD"));
}

#[test]
fn info_and_verify_print_results() {
    let folder = folder();
    let output = folder.run(&["info", "in.lcrs", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["width"], &json["height"], &json["model"]), (&21.into(), &13.into(), &"tiny-rate".into()));
    let text = String::from_utf8(folder.run(&["info", "in.lcrs"]).stdout).unwrap();
    assert!(text.contains("21 x 13") && text.contains("quality 60") && text.contains("ICC profile: 7 bytes"), "{text}");
    let text = String::from_utf8(folder.with_models(&["verify", "in.lcrs"]).stdout).unwrap();
    assert!(text.contains("whole"), "{text}");
    let text = String::from_utf8(folder.run(&["verify", "tiny-rate.lcrm"]).stdout).unwrap();
    assert!(text.contains(&folder.package.digests().entropy_hex()), "{text}");
}

#[test]
fn another_synthesis_needs_to_be_asked_for() {
    let folder = folder();
    let mut other = variable_rate();
    other.weights.random("g_s.3.bias", &[32], 0.0, 0.3);
    fs::write(folder.path("other.lcrm"), other.to_bytes()).unwrap();
    let arguments = ["decode", "in.lcrs", "-o", "out.png", "--model", "other.lcrm"];
    let output = folder.run(&arguments);
    assert_eq!(code(&output), 1);
    assert!(message(&output).contains("synthesis"));
    assert_eq!(code(&folder.run(&[&arguments[..], &["--allow-other-synthesis"]].concat())), 0);
    assert_ne!(png_pixels(&folder.path("out.png")).0, folder.pixels());
}

#[test]
fn pictures_that_do_not_fit_are_refused_by_what_they_are() {
    let folder = folder();
    fs::write(folder.path("fixed.lcrm"), hyperprior().to_bytes()).unwrap();
    let encode = |name: &str, bytes: &[u8]| {
        fs::write(folder.path(name), bytes).unwrap();
        folder.run(&["encode", name, "-o", "new.lcrs", "--model", "fixed.lcrm", "--force"])
    };
    let png = |color, depth, data: &[u8]| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    };
    let grey = png(png::ColorType::Grayscale, png::BitDepth::Eight, &[7, 200]);
    assert_eq!(code(&encode("grey.png", &grey)), 0);
    let alpha = png(png::ColorType::Rgba, png::BitDepth::Eight, &[0; 8]);
    let deep = png(png::ColorType::Rgb, png::BitDepth::Sixteen, &[0; 12]);
    assert!(message(&encode("alpha.png", &alpha)).contains("Rgba"));
    assert!(message(&encode("deep.png", &deep)).contains("16"));
    for (name, bytes) in [
        ("cut.png", &grey[..40]),
        ("16.ppm", b"P6 1 1 65535\n123456"),
        ("short.ppm", b"P6 2 2 255\n123"),
        ("huge.ppm", b"P6 70000 70000 255\n"),
        ("none.ppm", b"P6"),
        ("text.ppm", b"hello"),
    ] {
        assert_eq!(code(&encode(name, bytes)), 1, "{name}");
    }
    assert_eq!(code(&encode("comment.ppm", b"P6 # a comment\n1 # another\n1 255\nabc")), 0);
}
