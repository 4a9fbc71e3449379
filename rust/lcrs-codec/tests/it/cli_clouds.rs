//! The program on point clouds: PLY files in all forms, results, messages, exit codes, and nothing written over.

use std::fs;
use std::process::{Command, Output};

use crate::common::{cloud_model, cloud_package, limits, surface};
use lcrs_codec::{compress_cloud, decompress_cloud, CloudOptions, PointCloud, Resolution, Values};
use lcrs_core::Runtime;

struct Folder(tempfile::TempDir);

/// A folder with a model of point clouds.
fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny-cloud.lcrm"), cloud_model().to_bytes()).unwrap();
    Folder(folder)
}

impl Folder {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let binary = env!("CARGO_BIN_EXE_lcrs-codec");
        let runner = std::env::var("LCRS_TEST_RUNNER").unwrap_or_default();
        let mut words = runner.split_whitespace().chain([binary]);
        let mut command = Command::new(words.next().unwrap_or(binary));
        command.args(words).args(arguments).current_dir(self.0.path()).env_clear().env("LCRS_MODEL_PATH", ".");
        command.output().unwrap()
    }

    /// Runs what must succeed; gives standard output.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs what must fail with a code and one line that holds some words.
    fn fails(&self, arguments: &[&str], code: i32, words: &str) {
        let output = self.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(words) && message.lines().count() == 1, "{arguments:?}: {message} without {words}");
    }
}

fn points() -> PointCloud<'static> {
    let points = surface(8, 6);
    let red: Vec<u8> = (0..points.len()).map(|i| i as u8).collect();
    let nx: Vec<f32> = (0..points.len()).map(|i| i as f32 / 7.0 - 3.0).collect();
    let attributes = vec![("red".to_owned(), Values::U8(red.into())), ("nx".to_owned(), Values::F32(nx.into()))];
    PointCloud { positions: Values::I32(points.as_flattened().to_vec().into()), attributes }
}

/// The points as PLY files in text and in both orders of bytes, with faces before and after them, and a list among the properties.
fn ply(cloud: &PointCloud<'_>, encoding: &str) -> Vec<u8> {
    let (Values::I32(positions), Values::U8(red), Values::F32(nx)) =
        (&cloud.positions, &cloud.attributes[0].1, &cloud.attributes[1].1)
    else {
        panic!()
    };
    let count = red.len();
    let mut out = format!(
        "ply\nformat {encoding} 1.0\ncomment made here\nelement face 2\nproperty list uchar int vertex_indices\nelement vertex {count}\n\
         property int x\nproperty int32 y\nproperty list uchar ushort near\nproperty int z\nproperty uchar red\nproperty float nx\n\
         element edge 1\nproperty int a\nend_header\n"
    )
    .into_bytes();
    if encoding == "ascii" {
        out.extend(b"3 0 1 2\n4 0 1 2 3\n");
        for i in 0..count {
            let [x, y, z] = [0, 1, 2].map(|axis| positions[3 * i + axis]);
            out.extend(format!("{x} {y} 2 7 8 {z} {} {:?}\r\n", red[i], nx[i]).into_bytes());
        }
        out.extend(b"5\n");
        return out;
    }
    let is_big = encoding == "binary_big_endian";
    let int = |v: i32| if is_big { v.to_be_bytes() } else { v.to_le_bytes() };
    for face in [&[0, 1, 2][..], &[3, 2, 1, 0]] {
        out.push(face.len() as u8);
        face.iter().for_each(|v| out.extend(int(*v)));
    }
    for i in 0..count {
        let [x, y, z] = [0, 1, 2].map(|axis| positions[3 * i + axis]);
        out.extend(int(x));
        out.extend(int(y));
        out.push(1);
        out.extend([9, 9]);
        out.extend(int(z));
        out.push(red[i]);
        out.extend(if is_big { nx[i].to_be_bytes() } else { nx[i].to_le_bytes() });
    }
    out.extend(int(5));
    out
}

#[test]
fn every_form_of_a_file_gives_the_file_of_the_library() {
    let (folder, cloud) = (folder(), points());
    let package = cloud_package(&cloud_model()).unwrap();
    let options = CloudOptions { resolution: Resolution::Lossless, keep_duplicates: true };
    let expected = compress_cloud(&package, &cloud, &options, &Runtime::serial(), &limits()).unwrap().data;
    for encoding in ["ascii", "binary_little_endian", "binary_big_endian"] {
        fs::write(folder.path("in.ply"), ply(&cloud, encoding)).unwrap();
        let arguments = ["encode", "in.ply", "-o", "out.lcrs", "--model", "tiny-cloud", "--keep-duplicates", "--force"];
        let output = folder.run(&arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{message}");
        assert!(
            message
                .contains("in.ply: not kept: faces (2), the element edge (1), the list near of every point, comments"),
            "{message}"
        );
        assert!(fs::read(folder.path("out.lcrs")).unwrap() == expected, "{encoding}");
    }
    // the lines of the header end in carriage returns, and the first byte of the faces is a line feed
    let bytes = ply(&cloud, "binary_little_endian");
    let header = bytes.windows(11).position(|words| words == b"end_header\n").unwrap() + 11;
    let (head, body) = bytes.split_at(header);
    let mut bytes: Vec<u8> = head.iter().map(|byte| if *byte == b'\n' { b'\r' } else { *byte }).collect();
    bytes.extend([b'\n', 0, 0, 0]);
    bytes.extend(body);
    let words = String::from_utf8_lossy(head).replace('\n', "\r");
    let head = words.replace("element face", "element odd 1\rproperty int a\relement face");
    bytes.splice(..words.len(), head.bytes());
    fs::write(folder.path("in.ply"), bytes).unwrap();
    folder.ok(&["encode", "in.ply", "-o", "out.lcrs", "--model", "tiny-cloud", "--keep-duplicates", "--force"]);
    assert!(fs::read(folder.path("out.lcrs")).unwrap() == expected);
    folder.ok(&["decode", "out.lcrs", "-o", "again.ply"]);
    folder.ok(&["decode", "out.lcrs", "-o", "again", "--format", "PLY"]);
    assert!(fs::read(folder.path("again")).unwrap() == fs::read(folder.path("again.ply")).unwrap());
    folder.ok(&["encode", "again.ply", "-o", "again.lcrs", "--model", "tiny-cloud.lcrm", "--keep-duplicates"]);
    assert!(fs::read(folder.path("again.lcrs")).unwrap() == expected);
    let restored = decompress_cloud(&package, &expected, &Runtime::serial(), &limits()).unwrap();
    assert_eq!(restored.positions.len(), cloud.positions.len());
    let count = cloud.positions.len() / 3;
    assert_eq!(folder.ok(&["verify", "out.lcrs"]), format!("point cloud of {count} points is whole\n"));
    assert!(folder.ok(&["verify", "tiny-cloud.lcrm"]).starts_with("package tiny-cloud of point clouds is whole\n"));
    assert!(folder.ok(&["models"]).contains("tiny-cloud in tiny-cloud.lcrm: point clouds"));
    let text = folder.ok(&["info", "out.lcrs"]);
    for words in [
        "their order not kept",
        "int32 coordinates as given",
        "octree: ",
        "points of leaves: ",
        "attribute nx (float32): ",
    ] {
        assert!(text.contains(words), "{text} without {words}");
    }
    let json: serde_json::Value = serde_json::from_str(&folder.ok(&["info", "--json", "out.lcrs"])).unwrap();
    assert_eq!((&json["num_points"], &json["order_kept"]), (&count.into(), &false.into()));
}

#[test]
fn options_of_points_do_what_they_say() {
    let folder = folder();
    fs::write(folder.path("in.ply"), ply(&points(), "binary_little_endian")).unwrap();
    let encode = |options: &[&str]| {
        let whole = ["encode", "in.ply", "-o", "out.lcrs", "--model", "tiny-cloud", "--force"];
        folder.ok(&[&whole[..], options].concat());
        serde_json::from_str::<serde_json::Value>(&folder.ok(&["info", "--json", "out.lcrs"])).unwrap()
    };
    assert_eq!(encode(&["--drop", "nx"])["attributes"].as_array().unwrap().len(), 1);
    assert_eq!(encode(&["--drop", "all"])["attributes"].as_array().unwrap().len(), 0);
    let coarse = encode(&["--voxel", "4"]);
    assert_eq!((&coarse["voxel"], &coarse["lossless"]), (&4.0.into(), &false.into()));
    assert!(encode(&["--bits", "3"])["depth"].as_u64().unwrap() <= 3);
}

#[test]
fn axes_of_several_types_become_one() {
    let folder = folder();
    let header =
        "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty uchar y\nproperty int z\nend_header\n";
    fs::write(folder.path("in.ply"), format!("{header}0.5 2 3\n-1 255 -70000\n")).unwrap();
    folder.ok(&["encode", "in.ply", "-o", "out.lcrs", "--model", "tiny-cloud"]);
    let json: serde_json::Value = serde_json::from_str(&folder.ok(&["info", "--json", "out.lcrs"])).unwrap();
    assert_eq!((&json["dtype"], &json["lossless"]), (&"float64".into(), &true.into()));
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let folder = folder();
    let whole = ply(&points(), "binary_little_endian");
    fs::write(folder.path("in.ply"), &whole).unwrap();
    let encode = ["encode", "in.ply", "-o", "out.lcrs", "--model", "tiny-cloud"];
    folder.ok(&encode);
    folder.fails(&encode, 1, "out.lcrs");
    let with = |options: &[&'static str]| {
        [&["encode", "in.ply", "-o", "new.lcrs", "--model", "tiny-cloud"][..], options].concat()
    };
    folder.fails(&with(&["-q", "5"]), 2, "are for pictures");
    folder.fails(&with(&["--voxel", "0"]), 2, "voxel size is '0'");
    folder.fails(&with(&["--bits", "33"]), 2, "bits are '33' (1 to 32)");
    folder.fails(&with(&["--voxel", "2", "--bits", "3"]), 2, "one is possible");
    folder.fails(&with(&["--drop", "blue"]), 2, "--drop names 'blue'");
    folder.fails(&["encode", "in.ply", "-o", "new.lcrs"], 1, "there is no model 'geometry'");
    folder.fails(&["decode", "out.lcrs", "-o", "new.png"], 2, "written as .ply here");
    folder.fails(&["decode", "out.lcrs", "-o", "in.ply"], 1, "in.ply");
    assert!(!folder.path("new.lcrs").exists() && fs::read(folder.path("in.ply")).unwrap() == whole);
    let refused = |bytes: &[u8], words: &str| {
        fs::write(folder.path("bad.ply"), bytes).unwrap();
        folder.fails(&["encode", "bad.ply", "-o", "new.lcrs", "--model", "tiny-cloud"], 1, words);
    };
    for (at, words) in [(4, "no end_header"), (300, ""), (whole.len() - 40, "PLY file ends in vertex")] {
        refused(&whole[..at], words);
    }
    let text = |rows: &str| {
        format!("ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\nend_header\n{rows}")
    };
    refused(text("1 2 3\n4 nan 6\n").as_bytes(), "point 1: y is NaN, must be finite");
    refused(text("1 2 3\n4 five 6\n").as_bytes(), "PLY vertex 1: y: 'five' is no number");
    let long = "5".repeat(60);
    refused(
        text(&format!("1 2 3\n4 {long}five 6\n")).as_bytes(),
        &format!("PLY vertex 1: y: '{long}...' is no number"),
    );
    let before = format!("element {long}6 9\nproperty float a\nelement vertex");
    refused(
        text("1\n2\n").replace("element vertex", &before).as_bytes(),
        &format!("PLY file ends in {long}... 2 of 9"),
    );
    let line = format!("'element {}...'", &long[..52]);
    refused(text("").replace("vertex 2", &format!("{long} five")).as_bytes(), &line);
    refused(text("1 2 3\n4 5\n").as_bytes(), "PLY vertex 1 has too few numbers");
    refused(text("1 2 3 4\n4 5 6\n").as_bytes(), "PLY vertex 0 has too many numbers");
    refused(text("1 2 3\n").replace("vertex 2", "vertex 999999999999").as_bytes(), "PLY file ends in vertex");
    refused(text("").replace("float y", "list float int y").as_bytes(), "line 5");
    refused(text("").replace("property float z\n", "").as_bytes(), "PLY points have no z");
    refused(text("").replace("ascii", "brotli").as_bytes(), "line 2");
}
