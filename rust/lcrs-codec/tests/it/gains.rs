//! Steps that a level chooses in every kind of scan: each channel's own, the same everywhere, and refused where they make no sense.

use crate::common::{gained, limits, log_gain, picture, scanned_variable, Model, Random, CHANNELS, GAIN, LEVELS};
use lcrs_codec::{
    compress, decompress, transcode, CompressOptions, DecompressOptions, GivenLatents, Package, Picture, PictureWindow,
};
use lcrs_core::exact::Tensor;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, ErrorKind, Runtime, Simd};
use serde_json::{json, Value};

/// Kind of scan, whether scales are logarithms, and whether groups share a gain.
const CASES: [(&str, bool, bool); 10] = [
    ("gaussian", false, false),
    ("gaussian", true, false),
    ("raster", false, false),
    ("raster", true, false),
    ("checkerboard", false, false),
    ("checkerboard", true, false),
    ("channel_groups", false, false),
    ("channel_groups", true, false),
    ("channel_groups", false, true),
    ("channel_groups", true, true),
];

fn load(model: &Model) -> Result<Package, Error> {
    Package::from_parts(&model.description.to_string(), model.weights.tensors.clone(), &limits())
}

fn options(quality: f32, kind: StreamKind) -> CompressOptions {
    CompressOptions { quality: Some(quality.into()), kind, ..CompressOptions::default() }
}

fn decode(package: &Package, file: &[u8], rt: &Runtime) -> Picture {
    decompress(package, file, &DecompressOptions::default(), rt, &limits()).unwrap()
}

#[test]
fn files_and_pixels_are_the_same_on_every_path_and_thread_count() {
    let original = picture(77, 59, 1);
    for (kind, is_log, is_whole) in CASES {
        let package = gained(kind, is_log, is_whole).package();
        for (quality, stream) in [(0.0, StreamKind::Lcrs), (31.5, StreamKind::Ans), (100.0, StreamKind::Lcrs)] {
            let options = options(quality, stream);
            let file = compress(&package, &original, &options, &Runtime::serial(), &limits()).unwrap();
            let decoded = decode(&package, &file, &Runtime::serial());
            for (simd, threads) in Simd::available().into_iter().flat_map(|simd| [1, 2, 5].map(|n| (simd, n))) {
                let rt = Runtime::new(simd, threads).unwrap();
                let on = format!("{kind} {is_log} {is_whole} at {quality} on {rt:?}");
                assert_eq!(compress(&package, &original, &options, &rt, &limits()).unwrap(), file, "{on}");
                assert_eq!(decode(&package, &file, &rt), decoded, "{on}");
            }
        }
    }
}

/// The analysis only rearranges, so that each component has a channel of its own, which may be off by half its step.
#[test]
fn every_channel_has_its_own_step() {
    let (width, height) = (40, 33);
    let original = picture(width, height, 2);
    for (kind, is_log, is_whole) in CASES {
        let package = gained(kind, is_log, is_whole).package();
        for level in 0..LEVELS {
            let quality = 50.0 * level as f32;
            let file =
                compress(&package, &original, &options(quality, StreamKind::Lcrs), &Runtime::serial(), &limits());
            let decoded = decode(&package, &file.unwrap(), &Runtime::serial());
            let mut worst = [0; 7];
            for (i, (a, b)) in decoded.data().iter().zip(original.data()).enumerate() {
                let (component, x, y) = (i % 3, i / 3 % width as usize, i / 3 / width as usize);
                let channel = component * 64 + y % 8 * 8 + x % 8;
                let bound = 0.5 * (-log_gain(level, channel)).exp() / GAIN * 255.0 + 0.51;
                let apart = a.abs_diff(*b);
                assert!(f32::from(apart) <= bound, "{kind} {is_log} {is_whole}: {apart} in channel {channel}");
                worst[channel % 7] = worst[channel % 7].max(apart);
            }
            assert!(level > 0 || worst[0] > worst[6], "{kind}: coarse steps show: {worst:?}");
        }
    }
}

#[test]
fn every_size_works() {
    for (width, height) in [(1, 1), (9, 1), (1, 17), (25, 24)] {
        for (kind, is_log, is_whole) in CASES {
            let package = gained(kind, is_log, is_whole).package();
            let options = options(100.0, StreamKind::Lcrs);
            let file = compress(&package, &picture(width, height, 2), &options, &Runtime::serial(), &limits()).unwrap();
            let decoded = decode(&package, &file, &Runtime::serial());
            assert_eq!((decoded.width(), decoded.height()), (width, height));
        }
    }
}

fn refused(what: &str, model: &Model, words: &str) {
    let error = load(model).and_then(|package| {
        compress(&package, &picture(8, 8, 4), &options(40.0, StreamKind::Lcrs), &Runtime::serial(), &limits())
    });
    let error = error.unwrap_err();
    assert!([ErrorKind::Corrupt, ErrorKind::UnsupportedVersion].contains(&error.kind()), "{what}: {error:?}");
    assert!(error.message().contains(words), "{what}: {error}");
}

#[test]
fn gains_that_are_no_numbers_to_divide_by_are_refused() {
    for (kind, is_log, is_whole) in CASES {
        let name = match (kind, is_whole) {
            ("channel_groups", false) => "y1.gain",
            _ => "y.gain",
        };
        // a logarithm so small or large that the gain is 0 or infinite
        for (log_gain, words) in [(-200.0, "gain is 0"), (200.0, "gain is inf")] {
            let mut model = gained(kind, is_log, is_whole);
            model.weights.change(&format!("{name}.log"), |i, value| if i % 70 == 3 { log_gain } else { value });
            refused(words, &model, words);
        }
        let mut model = gained(kind, is_log, is_whole);
        let nodes = model.description["graphs"][name]["nodes"].as_array_mut().unwrap();
        nodes[1] = json!({"op": "mul_scalar", "value": -1.0, "in": [0], "place": "negative"});
        refused("negative", &model, "must be positive and finite");
        if is_log {
            // overflow: infinite, and infinite less infinite
            let mut model = gained(kind, is_log, is_whole);
            model.weights.change(&format!("{name}.log"), |_, _| 3e38);
            let nodes = model.description["graphs"][name]["nodes"].as_array_mut().unwrap();
            nodes[1] = json!({"op": "mul_scalar", "value": 10.0, "in": [0], "place": "large"});
            nodes.push(json!({"op": "sub", "in": [1, 1], "place": "none"}));
            nodes.push(json!({"op": "sigmoid", "in": [1], "place": "one"}));
            model.description["graphs"][name]["outputs"] = json!([["log_gain", 1], ["gain", 3]]);
            refused("infinite logarithm", &model, "inf");
            model.description["graphs"][name]["outputs"] = json!([["log_gain", 2], ["gain", 3]]);
            refused("no logarithm", &model, "NaN");
        }
    }
}

#[test]
fn gains_are_checked_when_a_package_is_loaded() {
    fn y(m: &mut Model) -> &mut Value {
        &mut m.description["codec"]["y"]
    }
    fn graph<'a>(m: &'a mut Model, name: &str) -> &'a mut Value {
        &mut m.description["graphs"][name]
    }
    let check = |what: &str, case: (&str, bool, bool), words: &str, change: &dyn Fn(&mut Model)| {
        let mut model = gained(case.0, case.1, case.2);
        change(&mut model);
        let error = load(&model).unwrap_err();
        assert!([ErrorKind::Corrupt, ErrorKind::UnsupportedVersion].contains(&error.kind()), "{what}: {error:?}");
        assert!(error.message().contains(words), "{what}: {error}");
    };
    for is_log in [false, true] {
        let (board, groups) = (("checkerboard", is_log, false), ("channel_groups", is_log, false));
        let whole = ("channel_groups", is_log, true);
        check("no graph", board, "there is no graph 'no'", &|m| y(m)["gain"] = "no".into());
        check("inputs", board, "inputs", &|m| y(m)["gain"] = "h_s".into());
        check("other length", groups, "[1, 70]", &|m| y(m)["groups"][1]["gain"] = "y0.gain".into());
        check("length of a group", whole, "[1, 192]", &|m| {
            let gain = graph(m, "y.gain").clone();
            m.weights.f32("short", &[LEVELS, 50], vec![0.0; LEVELS * 50]);
            *graph(m, "short") = gain;
            graph(m, "short")["nodes"][0]["tensor"] = "short".into();
            y(m)["gain"] = "short".into();
        });
        check("two places", whole, "of all groups and one of group 2", &|m| {
            y(m)["groups"][2]["gain"] = "y.gain".into();
        });
        check("mixed domains", whole, "group 1 has another domain than group 0", &|m| {
            y(m)["groups"][1]["domain"] = if is_log { "linear" } else { "log" }.into();
        });
        check("g_s", whole, "must not decide symbols", &|m| y(m)["gain"] = "g_s".into());
        check("a gain of z", board, "unknown key 'gain'", &|m| {
            m.description["codec"]["hyper"]["gain"] = "y.gain".into();
        });
        check("a bias without a context", groups, "unknown key 'context_bias'", &|m| {
            y(m)["groups"][0]["context_bias"] = "y0.gain".into();
        });
    }
    let linear = ("checkerboard", false, false);
    let log = ("checkerboard", true, false);
    check("two outputs", linear, "must have one output", &|m| {
        graph(m, "y.gain")["outputs"] = json!([["log_gain", 0], ["gain", 1]]);
    });
    for (what, outputs) in [
        ("one output", json!([["gain", 1]])),
        ("only a logarithm", json!([["log_gain", 0]])),
        ("other names", json!([["log", 0], ["gain", 1]])),
        ("a third output", json!([["log_gain", 0], ["gain", 1], ["more", 1]])),
    ] {
        check(what, log, "must have the outputs 'gain' and 'log_gain'", &|m| {
            graph(m, "y.gain")["outputs"] = outputs.clone();
        });
    }
    check("fewer logarithms", log, "must have the outputs 'gain' and 'log_gain'", &|m| {
        let slice = json!({"op": "slice", "in": [0], "start": 0, "length": 1, "place": "first"});
        graph(m, "y.gain")["nodes"].as_array_mut().unwrap().push(slice);
        graph(m, "y.gain")["outputs"] = json!([["log_gain", 2], ["gain", 1]]);
    });
    let shrinkage = json!({"network": "y.shrinkage", "bound": 0.11});
    check("logarithms shrink nothing", log, "'shrinkage' needs the domain 'linear'", &|m| {
        y(m)["shrinkage"] = shrinkage.clone();
    });
    check("shrinkage without a gain", log, "needs a 'gain'", &|m| {
        (y(m)["shrinkage"], y(m)["gain"]) = (shrinkage.clone(), Value::Null);
    });
}

/// What a raster scan of y may have beside a gain, other scans may have as well: the members are moved there.
#[test]
fn shrinkage_and_context_bias_may_stand_where_a_gain_may() {
    let original = picture(40, 33, 1);
    for kind in ["checkerboard", "channel_groups"] {
        let donor = scanned_variable();
        let plain = gained(kind, false, false);
        let mut files = Vec::new();
        for (shrinks, biased) in [(false, false), (true, false), (false, true)] {
            let mut model = plain.clone();
            for (name, tensor) in &donor.weights.tensors {
                if name.starts_with("y.shrinkage") {
                    model.weights.tensors.insert(name.clone(), tensor.clone());
                }
            }
            model.weights.random("bias", &[6], 0.0, 300.0);
            let constant = json!({"op": "constant", "in": [], "tensor": "bias", "place": "bias"});
            let graph = json!({"version": 1, "inputs": [], "outputs": [["bias", 0]], "nodes": [constant]});
            model.description["graphs"]["y.bias"] = graph;
            model.description["graphs"]["y.shrinkage"] = donor.description["graphs"]["y.shrinkage"].clone();
            let y = &mut model.description["codec"]["y"];
            let leaf = if kind == "checkerboard" { y } else { &mut y["groups"][1] };
            if shrinks {
                leaf["shrinkage"] = json!({"network": "y.shrinkage", "bound": 0.11});
            }
            if biased {
                leaf["context_bias"] = "y.bias".into();
            }
            let package = load(&model).unwrap();
            let options = options(30.0, StreamKind::Lcrs);
            let file = compress(&package, &original, &options, &Runtime::serial(), &limits()).unwrap();
            let decoded = decode(&package, &file, &Runtime::serial());
            for simd in Simd::available() {
                let rt = Runtime::new(simd, 2).unwrap();
                assert_eq!(compress(&package, &original, &options, &rt, &limits()).unwrap(), file);
                assert_eq!(decode(&package, &file, &rt), decoded);
            }
            files.push(decoded);
        }
        assert!(files[0] != files[1] && files[0] != files[2], "{kind}: both change what is decoded");
    }
}

/// Another program's latents are taken for ours if they are nearer than the finest step of any channel.
#[test]
fn latents_of_another_program_are_compared_in_steps_of_the_level() {
    let (height, width) = (4, 5);
    let window = PictureWindow { size: (40, 32), crop: (0, 0), decoded: (40, 32) };
    for (kind, is_log, is_whole) in CASES {
        let mut model = gained(kind, is_log, is_whole);
        // means of zero and medians of zero: values are multiples of steps
        for (name, graph) in model.description["graphs"].as_object().unwrap().clone() {
            let is_last = name.ends_with("parameters") || name == "side_0" || name == "h_s";
            for node in graph["nodes"].as_array().unwrap().iter().filter(|_| is_last) {
                for tensor in ["weight", "bias"].iter().filter_map(|key| node[key].as_str()) {
                    model.weights.change(tensor, |_, _| 0.0);
                }
            }
        }
        model.weights.change("z.medians", |_, _| 0.0);
        let package = model.package();
        let mut random = Random(5);
        let steps: Vec<f32> = (0..CHANNELS).map(|c| (-log_gain(2, c)).exp()).collect();
        let finest = steps.iter().copied().fold(f32::INFINITY, f32::min);
        let whole: Vec<f32> = (0..height * width * CHANNELS).map(|_| (6.0 * random.signed()).round()).collect();
        let write = |off: f32| {
            let y = whole.iter().enumerate().map(|(i, q)| q * steps[i % CHANNELS] + off * finest).collect();
            let y = Tensor::from_vec(CHANNELS, height, width, y).unwrap();
            let latents = GivenLatents { y, z: Some(Tensor::zeroed(4, 2, 3, &limits()).unwrap()) };
            let (rt, kind) = (Runtime::serial(), StreamKind::Lcrs);
            transcode(&package, &latents, &window, Some(100.0), kind, &rt, &limits())
        };
        let file = write(0.0).unwrap();
        assert_eq!(write(0.2).unwrap(), file, "{kind} {is_log} {is_whole}");
        let error = write(0.3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Desync, "{error}");
    }
}
