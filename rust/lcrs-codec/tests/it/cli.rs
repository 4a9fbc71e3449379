//! The program: results, messages, exit codes, and files that are never half written or written over.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::{hyperprior, limits, picture, variable_rate};
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
    let metadata = PictureMetadata { icc: Some(profile(b"RGB ")), ..PictureMetadata::default() };
    let options = CompressOptions { quality: Some(60.0), metadata, ..CompressOptions::default() };
    let file = compress(&package, &picture(21, 13, 1), &options, &Runtime::serial(), &limits()).unwrap();
    fs::write(folder.path().join("in.lcrs"), &file).unwrap();
    Folder { folder, package, file }
}

/// As much of an ICC profile as is looked at: a header, a table of one tag, and four bytes that this is.
fn profile(space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![7; 148];
    for (at, number) in [(0, 148_u32), (128, 1), (136, 144), (140, 4)] {
        profile[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    profile[16..20].copy_from_slice(space);
    profile[36..40].copy_from_slice(b"acsp");
    profile
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

#[cfg(target_os = "linux")]
#[test]
fn odd_names_are_shown_as_they_are() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    for (name, shown) in [
        (&b"two\nlines"[..], "two\\nlines: No such file"),
        (b"\x1b[31m", "\\x1b[31m: No such file"),
        (b"caf\xe9", "caf\\xe9: No such file"),
        (b"https://example.org/a", "https://example.org/a: is a URL, which is not fetched"),
    ] {
        let output = folder.command(&["info"]).arg(std::ffi::OsStr::from_bytes(name)).output().unwrap();
        assert!(code(&output) == 1 && message(&output).contains(shown), "{output:?}");
    }
}

#[test]
fn decode_restores_the_same_pixels_on_every_path() {
    let folder = folder();
    for path in lcrs_core::Simd::available() {
        let name = format!("{}.png", path.name());
        let mut command = folder.command(&["decode", "in.lcrs", "-o", &name, "--model", "tiny-rate.lcrm"]);
        let output = command.env("LCRS_SIMD", path.name()).env("LCRS_NUM_THREADS", "2").output().unwrap();
        assert_eq!((code(&output), output.stdout.len()), (0, 0), "{output:?}");
        assert_eq!(png_pixels(&folder.path(&name)), (folder.pixels(), Some(profile(b"RGB "))));
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
        options.metadata.icc = name.ends_with("png").then(|| profile(b"RGB "));
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
    fs::write(folder.path("-dash.png"), b"").unwrap();
    for arguments in [
        &[][..],
        &["restore", "in.lcrs"],
        &["info"],
        &["info", "in.lcrs", "in.lcrs"],
        &["info", "in.lcrs", "--force"],
        &["decode", "in.lcrs"],
        &["decode", "in.lcrs", "-o", "out.gif"],
        &["decode", "in.lcrs", "-o", "out"],
        &["decode", "in.lcrs", "-o", "out.png", "--max-pixels", "0"],
        &["info", "in.lcrs", "--max-bytes", "1e9"],
        &["decode", "in.lcrs", "-o", "out", "--format", "gif"],
        &["decode", "", "-o", "out.png"],
        &["encode", "in.png", "-o", "out.lcrs", "--model", ""],
        &["encode", "in.png", "-o", "out.lcrs", "--background", "whitish"],
        &["models", "in.lcrs"],
        &["decode", "in.lcrs", "-o"],
        &["encode", "in.png", "-o", "out.lcrs", "-q", "101"],
        &["--unknown"],
    ] {
        let output = folder.run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {output:?}");
        message(&output);
    }
    for (arguments, words) in [
        (["encode", "in.png", "--frame"], "--frame is not here: lcrs encode has it"),
        (["encode", "in.png", "--to-srgb"], "--to-srgb is not here: lcrs encode has it"),
        (["decode", "in.lcrs", "--max-side"], "--max-side is not here: lcrs decode has it"),
        (["decode", "in.lcrs", "--frame"], "invalid option '--frame'"),
        (["encode", "-dash.png", "in.png"], "; the file of that name is ./-dash.png"),
    ] {
        let output = folder.run(&[&arguments[..], &["0", "-o", "out"]].concat());
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(message(&output).contains(words), "{output:?}");
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
fn limits_are_kept_and_named_as_they_are_set() {
    let folder = folder();
    fs::write(folder.path("a.ppm"), [&b"P6 21 13 255\n"[..], &[9; 3 * 21 * 13]].concat()).unwrap();
    for (limit, least) in [("--max-pixels", "273"), ("--max-bytes", "50000000")] {
        for arguments in [
            &["info", "in.lcrs"][..],
            &["verify", "in.lcrs"],
            &["decode", "in.lcrs", "-o", "out.png", "--force"],
            &["encode", "a.ppm", "-o", "out.lcrs", "--force", "--model", "tiny-rate"],
        ] {
            let output = folder.with_models(&[arguments, &[limit, "99"]].concat());
            assert_eq!(code(&output), 1, "{arguments:?}");
            let said = message(&output);
            assert!(said.contains("99") && (said.contains(limit) || said.contains("more than 99 bytes")), "{said}");
            let output = folder.with_models(&[arguments, &[limit, least]].concat());
            assert_eq!(code(&output), 0, "{output:?}");
        }
    }
}

#[test]
fn resolutions_are_written_or_told() {
    let folder = folder();
    let mut info = png::Info::with_size(3, 1);
    (info.color_type, info.bit_depth) = (png::ColorType::Grayscale, png::BitDepth::Eight);
    let unit = png::Unit::Meter;
    info.pixel_dims = Some(png::PixelDimensions { xppu: 11_811, yppu: 5906, unit });
    assert_eq!(code(&folder.encode("inch.png", &png_of(info, &[1, 2, 3]), &[])), 0);
    let given = lcrs_codec::metadata(&folder.new_file(), &limits()).unwrap().resolution.unwrap();
    assert!((given.0 - 300.0).abs() < 0.1 && (given.1 - 150.0).abs() < 0.1, "{given:?}");
    for ending in ["png", "bmp", "jpg", "tif", "webp", "ppm"] {
        let name = format!("inch-out.{ending}");
        let output = folder.with_models(&["decode", "new.lcrs", "-o", &name]);
        assert_eq!(code(&output), 0, "{output:?}");
        let is_told = String::from_utf8(output.stderr).unwrap().contains("not kept: the resolution");
        assert_eq!(is_told, ["tif", "webp", "ppm"].contains(&ending), "{ending}");
        if !is_told {
            assert_eq!(
                code(&folder.with_models(&["encode", &name, "-o", "again.lcrs", "--model", "tiny-rate", "--force"])),
                0
            );
            let found = lcrs_codec::metadata(&fs::read(folder.path("again.lcrs")).unwrap(), &limits()).unwrap();
            let (x, y) = found.resolution.unwrap();
            assert!((x - given.0).abs() < 0.1 && (y - given.1).abs() < 0.1, "{ending}: {x}, {y}");
        }
    }
}

#[test]
fn info_and_verify_print_results() {
    let folder = folder();
    let output = folder.run(&["info", "in.lcrs", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["width"], &json["height"], &json["model"]), (&21.into(), &13.into(), &"tiny-rate".into()));
    let text = String::from_utf8(folder.run(&["info", "in.lcrs"]).stdout).unwrap();
    assert!(
        text.contains("21 x 13") && text.contains("quality 60") && text.contains("ICC profile: 148 bytes"),
        "{text}"
    );
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

/// A PNG file of one row.
fn png(color: png::ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
    let mut info = png::Info::with_size(data.len() as u32 / color.samples() as u32 / (depth as u32 / 8), 1);
    (info.color_type, info.bit_depth) = (color, depth);
    png_of(info, data)
}

fn png_of(info: png::Info<'_>, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

impl Folder {
    /// What encoding these bytes with a fixed-rate model gives.
    fn encode(&self, name: &str, bytes: &[u8], more: &[&str]) -> Output {
        fs::write(self.path("fixed.lcrm"), hyperprior().to_bytes()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
        self.run(&[&["encode", name, "-o", "new.lcrs", "--model", "fixed.lcrm", "--force"], more].concat())
    }

    fn new_file(&self) -> Vec<u8> {
        fs::read(self.path("new.lcrs")).unwrap()
    }
}

#[test]
fn pictures_that_do_not_fit_are_refused_by_what_they_are() {
    use png::{BitDepth::Eight, BitDepth::Sixteen, ColorType};
    let folder = folder();
    let grey = png(ColorType::Grayscale, Eight, &[7, 200]);
    assert_eq!(code(&folder.encode("grey.png", &grey, &[])), 0);
    let plain = folder.new_file();
    let opaque = png(ColorType::GrayscaleAlpha, Eight, &[7, 255, 200, 255]);
    assert_eq!(code(&folder.encode("opaque.png", &opaque, &[])), 0);
    assert_eq!(folder.new_file(), plain);
    let alpha = png(ColorType::GrayscaleAlpha, Eight, &[7, 255, 0, 55]);
    assert!(message(&folder.encode("alpha.png", &alpha, &[])).contains("--background white"));
    let deep = png(ColorType::Grayscale, Sixteen, &[7, 7, 200, 200]);
    assert_eq!(code(&folder.encode("deep.png", &deep, &[])), 0);
    assert!(lcrs_codec::info(&folder.new_file(), &limits()).unwrap().to_json().contains("\"bit_depth\":16"));
    assert_eq!(code(&folder.encode("alpha.png", &alpha, &["--background", "#fff"])), 0);
    assert_eq!(folder.new_file(), plain);
    assert_eq!(code(&folder.encode("deep.png", &deep, &["--to-8bit"])), 0);
    assert_eq!(folder.new_file(), plain);
    for (name, bytes, words) in [
        ("cut.png", &grey[..40], "cut.png: image cannot be decoded as PNG"),
        ("short.ppm", b"P6 2 2 255\n123", "short.ppm: image cannot be decoded as PNM"),
        ("huge.ppm", b"P6 70000 70000 255\n", "70000 x 70000"),
        ("text.ppm", b"hello", "text.ppm: image is of no format"),
        ("empty.png", b"", "0 bytes"),
        ("again.png", &folder.file, "is decoded, not encoded"),
    ] {
        let output = folder.encode(name, bytes, &[]);
        assert_eq!(code(&output), 1, "{name}");
        assert!(message(&output).contains(words), "{}", message(&output));
    }
    assert_eq!(code(&folder.with_models(&["decode", "in.lcrs", "-o", "whole.jpg"])), 0);
    let jpeg = fs::read(folder.path("whole.jpg")).unwrap();
    assert_eq!(code(&folder.encode("joined.jpg", &[&jpeg[..], b"and more"].concat(), &[])), 0);
    for length in [jpeg.len() - 1, jpeg.len() - 2, jpeg.len() - 40] {
        let output = folder.encode("cut.jpg", &jpeg[..length], &[]);
        assert!(message(&output).contains("cut.jpg: image cannot be decoded as JPEG: it ends before"), "{length}");
    }
    assert_eq!(code(&folder.encode("comment.ppm", b"P6 # a comment\n1 # another\n1 255\nabc", &[])), 0);
}

#[test]
fn greymaps_hold_grey_and_pixmaps_colours() {
    let folder = folder();
    let output = folder.with_models(&["decode", "in.lcrs", "-o", "out.pgm"]);
    assert!(message(&output).contains("the picture has colours, which .pgm cannot hold"), "{output:?}");
    assert!(!folder.path("out.pgm").exists());
    let grey = png(png::ColorType::Grayscale, png::BitDepth::Sixteen, &[7, 7, 200, 200]);
    assert_eq!(code(&folder.encode("grey.png", &grey, &[])), 0);
    let decoded = |ending: &str| {
        let output = folder.with_models(&["decode", "new.lcrs", "-o", "-", "--format", ending]);
        assert_eq!(code(&output), 0, "{output:?}");
        output.stdout
    };
    let (pgm, ppm) = (decoded("pgm"), decoded("ppm"));
    let (grey, colors) = (pgm.strip_prefix(b"P5\n").unwrap(), ppm.strip_prefix(b"P6\n").unwrap());
    let pixels = |file: &[u8], count: usize| file[file.len() - 2 * count..].to_vec();
    let (grey, colors) = (pixels(grey, 2), pixels(colors, 6));
    assert_eq!(
        colors.as_chunks::<6>().0.concat(),
        grey.as_chunks::<2>().0.iter().flat_map(|word| word.repeat(3)).collect::<Vec<_>>()
    );
}

#[test]
fn lossless_formats_hold_the_same_pixels_and_give_the_same_file() {
    let folder = folder();
    let mut files = Vec::new();
    for ending in ["png", "ppm", "tif", "webp", "bmp"] {
        let name = format!("out.{ending}");
        let output = folder.with_models(&["decode", "in.lcrs", "-o", &name]);
        assert_eq!(code(&output), 0, "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.contains("not kept: the colour profile"), ["ppm", "bmp"].contains(&ending), "{ending}: {said}");
        let target = format!("{ending}.lcrs");
        let output = folder.with_models(&["encode", &name, "-o", &target, "-q", "35.5", "--model", "tiny-rate"]);
        assert_eq!((code(&output), output.stderr.is_empty()), (0, true), "{output:?}");
        files.push((ending, fs::read(folder.path(&target)).unwrap()));
    }
    let [png, ppm, tif, webp, bmp] = &files[..] else { panic!("five files") };
    assert_eq!((&tif.1, &webp.1), (&png.1, &png.1));
    assert_eq!(bmp.1, ppm.1);
    assert_eq!(code(&folder.with_models(&["decode", "in.lcrs", "-o", "out.jpg"])), 0);
    let output = folder.with_models(&["encode", "out.jpg", "-o", "jpg.lcrs", "--model", "tiny-rate"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let info = lcrs_codec::info(&fs::read(folder.path("jpg.lcrs")).unwrap(), &limits()).unwrap();
    assert_eq!((info.quality, info.num_icc_bytes), (Some(50.0), Some(148)));
}

/// An EXIF block: orientation and a camera's name.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    block.extend([0x01, 0x0F, 0, 2, 0, 0, 0, 4, b'c', b'a', b'm', 0]);
    block.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    block.extend([0; 4]);
    block
}

#[test]
fn orientation_is_applied_and_exif_kept_on_request() {
    let folder = folder();
    let with_exif = |orientation: u8, width: u32, data: &[u8]| {
        let mut info = png::Info::with_size(width, 6 / width);
        (info.color_type, info.bit_depth) = (png::ColorType::Grayscale, png::BitDepth::Eight);
        info.exif_metadata = Some(exif(orientation).into());
        png_of(info, data)
    };
    let upright = with_exif(1, 2, &[4, 1, 5, 2, 6, 3]);
    assert_eq!(code(&folder.encode("upright.png", &upright, &[])), 0);
    let expected = folder.new_file();
    assert_eq!(lcrs_codec::metadata(&expected, &limits()).unwrap(), PictureMetadata::default());
    let turned = with_exif(6, 3, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(code(&folder.encode("turned.png", &turned, &[])), 0);
    assert_eq!(folder.new_file(), expected);
    assert_eq!(code(&folder.encode("turned.png", &turned, &["--keep-exif"])), 0);
    assert_eq!(lcrs_codec::metadata(&folder.new_file(), &limits()).unwrap().exif, Some(exif(1)));
}

#[test]
fn profiles_for_other_colors_are_left_out_and_told() {
    let folder = folder();
    for (space, color, data, is_kept) in [
        (b"RGB ", png::ColorType::Rgb, &[1, 2, 3][..], true),
        (b"GRAY", png::ColorType::Rgb, &[1, 2, 3], false),
        (b"GRAY", png::ColorType::Grayscale, &[1], true),
        (b"CMYK", png::ColorType::Grayscale, &[1], false),
    ] {
        let mut info = png::Info::with_size(1, 1);
        (info.color_type, info.bit_depth) = (color, png::BitDepth::Eight);
        info.icc_profile = Some(profile(space).into());
        let output = folder.encode("p.png", &png_of(info, data), &[]);
        let kept = lcrs_codec::metadata(&folder.new_file(), &limits()).unwrap().icc;
        assert_eq!((code(&output), kept), (0, is_kept.then(|| profile(space))), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).contains("not kept: a colour profile for"), !is_kept);
    }
}

#[test]
fn the_input_is_never_the_output() {
    let folder = folder();
    assert_eq!(code(&folder.with_models(&["decode", "in.lcrs", "-o", "a.png"])), 0);
    fs::hard_link(folder.path("a.png"), folder.path("hard.png")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("a.png", folder.path("soft.png")).unwrap();
    let before = fs::read(folder.path("a.png")).unwrap();
    for output in ["a.png", "./a.png", "hard.png", "soft.png"] {
        for more in [&[][..], &["--force"]] {
            let arguments = [&["encode", "a.png", "-o", output, "--model", "tiny-rate"], more].concat();
            let output = folder.with_models(&arguments);
            assert_eq!(code(&output), 1);
            assert!(message(&output).contains("is the input itself"));
            assert_eq!(fs::read(folder.path("a.png")).unwrap(), before);
        }
    }
}

#[test]
fn models_are_known_by_the_name_inside() {
    let folder = folder();
    let models = folder.path("models");
    fs::create_dir(&models).unwrap();
    fs::rename(folder.path("tiny-rate.lcrm"), models.join("renamed.lcrm")).unwrap();
    fs::write(models.join("broken.lcrm"), b"no package").unwrap();
    let with = |arguments: &[&str]| folder.command(arguments).env("LCRS_MODEL_PATH", &models).output().unwrap();
    assert_eq!(code(&with(&["verify", "in.lcrs"])), 0);
    let text = String::from_utf8(with(&["models"]).stdout).unwrap();
    let digest = &folder.package.digests().entropy_hex()[..16];
    assert!(
        text.contains("tiny-rate in renamed.lcrm") && text.contains(digest) && text.contains("share/lcrs/models"),
        "{text}"
    );
    assert!(text.lines().any(|line| line.starts_with("  no model: ") && line.contains("broken.lcrm")), "{text}");
    assert_eq!(with(&["--models"]).stdout, text.into_bytes());

    // Of two models of one name a file gets the one that it was made with.
    let mut other = variable_rate();
    other.weights.random("g_s.3.bias", &[32], 0.0, 0.3);
    fs::write(models.join("a.lcrm"), other.to_bytes()).unwrap();
    assert_eq!(code(&with(&["verify", "in.lcrs"])), 0);
    fs::write(folder.path("p.ppm"), b"P6 1 1 255\nabc").unwrap();
    let output = with(&["encode", "p.ppm", "-o", "p.lcrs", "--model", "tiny-rate"]);
    assert_eq!(code(&output), 0);
    assert!(message(&output).contains("two models are called 'tiny-rate'"));
    let output = with(&["encode", "p.ppm", "-o", "q.lcrs"]);
    assert_eq!(code(&output), 1);
    assert!(message(&output).contains("'photo-2'") && message(&output).contains("tiny-rate"));
}

#[test]
fn files_are_read_as_far_as_they_go() {
    let folder = folder();
    fs::write(folder.path("long.lcrs"), [&folder.file[..], b"more"].concat()).unwrap();
    assert!(message(&folder.run(&["info", "long.lcrs"])).contains("long.lcrs: it goes on after its"));
    let hole = fs::File::create(folder.path("hole.lcrs")).unwrap();
    hole.set_len(20 << 30).unwrap();
    for verb in ["info", "verify"] {
        assert!(message(&folder.run(&[verb, "hole.lcrs"])).contains("not an lcrs file"));
    }
    assert!(message(&folder.encode("x", b"x", &["--background", "white"])).contains("no format"));
    let hole = fs::File::create(folder.path("hole.png")).unwrap();
    hole.set_len(20 << 30).unwrap();
    let output = folder.run(&["encode", "hole.png", "-o", "hole.lcrs", "--model", "tiny-rate.lcrm", "--force"]);
    assert!(message(&output).contains("hole.png: more than"));
}

#[cfg(unix)]
mod unix {
    use std::io::Write as _;
    use std::os::unix::fs::{symlink, FileTypeExt as _, PermissionsExt as _};
    use std::process::{Child, Stdio};
    use std::time::Duration;

    use super::*;

    fn start(mut command: Command) -> Child {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn standard_input_and_output_are_files_too() {
        let folder = folder();
        let run = |arguments: &[&str], input: &[u8]| {
            let mut command = folder.command(arguments);
            command.env("LCRS_MODEL_PATH", folder.folder.path());
            let mut child = start(command);
            child.stdin.take().unwrap().write_all(input).unwrap();
            child.wait_with_output().unwrap()
        };
        let decoded = run(&["decode", "-", "-o", "-", "--format", "ppm"], &folder.file);
        assert_eq!(code(&decoded), 0, "{decoded:?}");
        assert_eq!(decoded.stdout, [b"P6\n21 13\n255\n", &folder.pixels()[..]].concat());
        let encoded = run(&["encode", "-", "-o", "/dev/stdout", "--model", "tiny-rate", "-q", "60"], &decoded.stdout);
        assert_eq!(code(&encoded), 0, "{encoded:?}");
        assert_eq!(lcrs_codec::info(&encoded.stdout, &limits()).unwrap().width, 21);
        assert!(!folder.path("-").exists());
        assert!(message(&run(&["info", "-"], &folder.file[..20])).contains("standard input: "));
        let decoded = run(&["decode", "-", "-o", "-"], &folder.file);
        assert!(decoded.stdout.starts_with(b"\x89PNG"), "{decoded:?}");
        assert_eq!(code(&folder.with_models(&["decode", "in.lcrs", "-o", "/dev/null"])), 0);
        assert_eq!(code(&run(&["decode", "-", "-o", "./-", "--format", "png"], &folder.file)), 0);
        assert_eq!(png_pixels(&folder.path("-")).0, folder.pixels());
    }

    #[test]
    fn nobody_reading_is_no_failure_to_tell() {
        let folder = folder();
        let mut child = start(folder.command(&["info", "in.lcrs"]));
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        // It may have been quicker than we were.
        assert!(output.stderr.is_empty(), "{output:?}");
        let mut child = start(folder.command(&["info", "missing.lcrs"]));
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn closed_streams_are_told_and_never_become_files() {
        if std::env::var_os("LCRS_TEST_RUNNER").is_some_and(|value| !value.is_empty()) {
            return; // the emulator opens files of its own
        }
        let folder = folder();
        let run = |words: &str| {
            let script = format!("exec '{}' {words}", env!("CARGO_BIN_EXE_lcrs-codec"));
            let mut command = Command::new("sh");
            command.args(["-c", &script]).current_dir(folder.folder.path()).env_clear().output().unwrap()
        };
        for words in ["info in.lcrs >&-", "decode in.lcrs --format ppm --model tiny-rate.lcrm -o - >&-", "--help >&-"] {
            let output = run(words);
            assert_eq!(code(&output), 1, "{words}");
            assert!(message(&output).contains("standard output: is closed"), "{words}");
        }
        assert!(message(&run("info - <&-")).contains("standard input: is closed"));
        assert_eq!(code(&run("info missing.lcrs 2>&-")), 1);
        assert_eq!(code(&run("decode in.lcrs -o out.png --model tiny-rate.lcrm <&- >&- 2>&-")), 0);
        assert_eq!(png_pixels(&folder.path("out.png")).0, folder.pixels());
        assert!(message(&run("info in.lcrs >/dev/full")).contains("standard output: No space left on device"));
    }

    #[test]
    fn only_regular_files_are_replaced_and_links_stay() {
        let folder = folder();
        let decode = |output: &str, more: &[&str]| {
            folder.run(
                &[&["decode", "in.lcrs", "-o", output, "--model", "tiny-rate.lcrm", "--format", "png"], more].concat(),
            )
        };
        symlink("/dev/null", folder.path("null")).unwrap();
        assert_eq!(code(&decode("null", &["--force"])), 0);
        assert!(fs::symlink_metadata(folder.path("null")).unwrap().is_symlink());
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());

        let mode = |name: &str| fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o777;
        fs::write(folder.path("old.png"), b"mine").unwrap();
        fs::set_permissions(folder.path("old.png"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink("old.png", folder.path("link.png")).unwrap();
        assert!(message(&decode("link.png", &[])).contains("exists"));
        assert_eq!(code(&decode("link.png", &["--force"])), 0);
        assert!(fs::symlink_metadata(folder.path("link.png")).unwrap().is_symlink());
        assert_eq!((png_pixels(&folder.path("old.png")).0, mode("old.png")), (folder.pixels(), 0o600));

        symlink("nowhere.png", folder.path("dangling.png")).unwrap();
        assert!(message(&decode("dangling.png", &[])).contains("exists"));
        assert_eq!(code(&decode("dangling.png", &["--force"])), 0);
        assert!(fs::symlink_metadata(folder.path("dangling.png")).unwrap().is_symlink());
        assert!(folder.path("nowhere.png").is_file());

        assert!(message(&decode(".", &["--force"])).contains("is a folder"));
        let long = "n".repeat(255);
        assert_eq!(code(&decode(&long, &[])), 0);
        assert_eq!(code(&decode(&long, &["--force"])), 0);
        assert_eq!(png_pixels(&folder.path(&long)).0, folder.pixels());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn replaced_files_keep_their_attributes() {
        use rustix::fs::{getxattr, setxattr, XattrFlags};
        let folder = folder();
        let path = folder.path("old.png");
        fs::write(&path, b"mine").unwrap();
        if setxattr(&path, "user.note", b"mine", XattrFlags::empty()).is_err() {
            return; // this file system has no such attributes
        }
        let arguments = ["decode", "in.lcrs", "-o", "old.png", "--model", "tiny-rate.lcrm", "--force"];
        assert_eq!(code(&folder.run(&arguments)), 0);
        let mut value = [0; 16];
        let length = getxattr(&path, "user.note", &mut value).unwrap();
        assert_eq!((png_pixels(&path).0, &value[..length]), (folder.pixels(), &b"mine"[..]));
    }

    #[test]
    fn endless_input_is_read_no_further_than_needed() {
        let folder = folder();
        for verb in ["info", "verify"] {
            assert!(message(&folder.run(&[verb, "/dev/zero"])).contains("/dev/zero: not an lcrs file"));
        }
        let output = folder.run(&["encode", "/dev/zero", "-o", "out.lcrs", "--model", "tiny-rate.lcrm"]);
        assert!(message(&output).contains("/dev/zero: image is of no format"));
    }

    #[test]
    fn signals_leave_nothing_half_written() {
        let folder = folder();
        let whole = folder.with_models(&["decode", "in.lcrs", "-o", "whole.png"]);
        assert_eq!(code(&whole), 0);
        let whole = fs::read(folder.path("whole.png")).unwrap();
        for (i, signal) in [rustix::process::Signal::TERM, rustix::process::Signal::INT, rustix::process::Signal::HUP]
            .into_iter()
            .cycle()
            .take(24)
            .enumerate()
        {
            fs::write(folder.path("out.png"), b"old").unwrap();
            let mut command =
                folder.command(&["decode", "in.lcrs", "-o", "out.png", "--force", "--model", "tiny-rate.lcrm"]);
            command.env("LCRS_NUM_THREADS", "1");
            let mut child = start(command);
            std::thread::sleep(Duration::from_micros(700 * i as u64));
            let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal);
            child.wait().unwrap();
            let found = fs::read(folder.path("out.png")).unwrap();
            assert!(found == b"old" || found == whole);
            let hidden = fs::read_dir(folder.folder.path())
                .unwrap()
                .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".lcrs-"));
            assert_eq!(hidden.count(), 0, "after {i} steps");
        }
    }

    /// Where memory ends, the program says so in one line, or does without.
    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn no_memory_is_a_failure_like_all_others() {
        if std::env::var_os("LCRS_TEST_RUNNER").is_some_and(|value| !value.is_empty()) {
            return; // the emulator needs more than the program
        }
        let folder = folder();
        fs::write(folder.path("p.ppm"), [&b"P6 400 300 255\n"[..], &[9; 360_000]].concat()).unwrap();
        let arguments = [
            "encode p.ppm -o p.lcrs --force --model tiny-rate.lcrm -q 50",
            "decode in.lcrs -o out.png --force --model tiny-rate.lcrm",
            "info in.lcrs",
            "verify tiny-rate.lcrm",
        ];
        let mut codes = std::collections::BTreeSet::new();
        for arguments in arguments {
            for kilobytes in (6_000..40_000).step_by(1_500) {
                let script = format!("ulimit -v {kilobytes}; exec '{}' {arguments}", env!("CARGO_BIN_EXE_lcrs-codec"));
                let mut command = Command::new("sh");
                command
                    .args(["-c", &script])
                    .current_dir(folder.folder.path())
                    .env_clear()
                    .env("LCRS_NUM_THREADS", "1");
                let output = command.output().unwrap();
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                if text.contains("error while loading shared libraries")
                    || text.contains("Cannot allocate memory") && !text.contains("lcrs-codec")
                {
                    continue; // not even the program was loaded
                }
                let code = output.status.code().unwrap_or_else(|| panic!("{arguments} in {kilobytes} kB: {output:?}"));
                assert!(matches!(code, 0 | 1), "{arguments} in {kilobytes} kB: {output:?}");
                assert_eq!(text.lines().count(), usize::from(code != 0), "{arguments} in {kilobytes} kB: {text:?}");
                codes.insert(code);
            }
        }
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), [0, 1]);
    }
}

#[test]
fn lossless_files_need_no_model() {
    let folder = folder();
    let pixels = picture(40, 30, 3).into_data();
    fs::write(folder.path("in.ppm"), [&b"P6\n40 30\n255\n"[..], &pixels].concat()).unwrap();
    let done = |arguments: &[&str]| {
        let output = folder.run(arguments);
        assert_eq!((code(&output), output.stderr.is_empty()), (0, true), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    done(&["encode", "in.ppm", "-o", "out.lcrs", "--lossless"]);
    let told = done(&["info", "out.lcrs"]);
    assert!(told.contains("lossless, without a model\n") && told.contains("kind binary"), "{told}");
    assert!(done(&["info", "--json", "out.lcrs"]).contains("\"lossless\":true"));
    assert_eq!(done(&["verify", "out.lcrs"]), "picture of 40 x 30 is whole\n");
    done(&["decode", "out.lcrs", "-o", "out.png"]);
    assert_eq!(png_pixels(&folder.path("out.png")).0, pixels);
    for (option, value) in [("-q", "5"), ("--model", "tiny-rate"), ("--voxel", "2"), ("--bits", "2")] {
        let output = folder.with_models(&["encode", "in.ppm", "-o", "new.lcrs", "--lossless", option, value]);
        assert!(
            code(&output) == 2 && message(&output).contains(&format!(": {option} does not go with it")),
            "{output:?}"
        );
    }
    let damaged = fs::read(folder.path("out.lcrs")).unwrap();
    fs::write(folder.path("cut.lcrs"), &damaged[..damaged.len() - 1]).unwrap();
    let output = folder.run(&["decode", "cut.lcrs", "-o", "new.png"]);
    assert!(code(&output) == 1 && message(&output).contains("cut short"), "{output:?}");
    assert!(!folder.path("new.png").exists() && !folder.path("new.lcrs").exists());
}

/// What the default model is called decides: here a small one goes by its name.
#[test]
fn pictures_are_lossless_where_that_is_no_larger_and_no_model_is_named() {
    let folder = folder();
    let mut model = variable_rate();
    model.description["name"] = "photo-2".into();
    fs::write(folder.path("default.lcrm"), model.to_bytes()).unwrap();
    let flat = [&b"P6\n64 64\n255\n"[..], &[7; 64 * 64 * 3]].concat();
    let noise = [&b"P6\n64 64\n255\n"[..], &picture(64, 64, 5).into_data()].concat();
    fs::write(folder.path("flat.ppm"), flat).unwrap();
    fs::write(folder.path("noise.ppm"), noise).unwrap();
    let becomes = |arguments: &[&str]| {
        let output = folder.with_models(&[&["encode", "-o", "out.lcrs", "--force"], arguments].concat());
        assert_eq!((code(&output), output.stderr.is_empty()), (0, true), "{output:?}");
        lcrs_codec::info(&fs::read(folder.path("out.lcrs")).unwrap(), &limits()).unwrap().model
    };
    assert_eq!(becomes(&["flat.ppm"]), "lossless");
    assert_eq!(becomes(&["flat.ppm", "-q", "100"]), "lossless");
    assert_eq!(becomes(&["flat.ppm", "--no-lossless"]), "photo-2");
    assert_eq!(becomes(&["flat.ppm", "--model", "photo-2"]), "photo-2");
    assert_eq!(becomes(&["noise.ppm"]), "photo-2");
}
