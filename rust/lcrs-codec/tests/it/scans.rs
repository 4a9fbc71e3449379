//! Latents that are coded step by step: the same pixels everywhere, and exactly those that were encoded.

use crate::common::{limits, picture, runtimes, scanned, scanned_variable, Model};
use lcrs_codec::{compress, decompress, CompressOptions, DecompressOptions, Package};
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, ErrorKind, Runtime};
use serde_json::{json, Value};

const KINDS: [&str; 3] = ["raster", "checkerboard", "channel_groups"];

fn load(model: &Model) -> Result<Package, Error> {
    Package::from_parts(&model.description.to_string(), model.weights.tensors.clone(), &limits())
}

#[test]
fn every_pixel_comes_back_on_every_path_and_thread_count() {
    for kind in KINDS {
        let package = scanned(kind).package();
        let original = picture(77, 59, 1);
        let options = CompressOptions::default();
        let file = compress(&package, &original, &options, &Runtime::serial(), &limits()).unwrap();
        for rt in runtimes() {
            assert_eq!(compress(&package, &original, &options, &rt, &limits()).unwrap(), file, "{kind} on {rt:?}");
            let decoded = decompress(&package, &file, &DecompressOptions::default(), &rt, &limits()).unwrap();
            assert_eq!(decoded, original, "{kind} on {rt:?}");
        }
    }
}

#[test]
fn every_size_and_both_stream_kinds_work() {
    for kind in KINDS {
        let package = scanned(kind).package();
        for (width, height) in [(1, 1), (9, 1), (1, 17), (25, 24), (40, 33)] {
            let original = picture(width, height, 2);
            for stream in StreamKind::ALL {
                let options = CompressOptions { kind: stream, ..CompressOptions::default() };
                let rt = Runtime::serial();
                let file = compress(&package, &original, &options, &rt, &limits()).unwrap();
                let decoded = decompress(&package, &file, &DecompressOptions::default(), &rt, &limits()).unwrap();
                assert_eq!(decoded, original, "{kind}, {stream:?}");
            }
        }
    }
}

#[test]
fn damage_is_an_error() {
    let package = scanned("channel_groups").package();
    let options = CompressOptions::default();
    let file = compress(&package, &picture(24, 20, 3), &options, &Runtime::serial(), &limits()).unwrap();
    for length in (0..file.len()).step_by(7) {
        let error = decompress(&package, &file[..length], &DecompressOptions::default(), &Runtime::serial(), &limits());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Truncated);
    }
    for at in (0..file.len()).step_by(5) {
        let mut damaged = file.clone();
        damaged[at] ^= 0x10;
        let error = decompress(&package, &damaged, &DecompressOptions::default(), &Runtime::serial(), &limits());
        assert_ne!(error.unwrap_err().kind(), ErrorKind::InvalidArgument, "byte {at}");
    }
}

#[test]
fn the_networks_of_a_scan_belong_to_the_entropy_digest() {
    for tensor in ["y.context.weight", "y.parameters.1.weight", "y.parameters.3.bias"] {
        let (model, mut other) = (scanned("raster"), scanned("raster"));
        other.weights.change(tensor, |_, value| value * 0.5);
        let (digests, others) = (model.package().digests(), other.package().digests());
        assert_ne!(digests.entropy, others.entropy, "{tensor}");
        assert_eq!(digests.synthesis, others.synthesis);
    }
}

fn refused(what: &str, kind: &str, words: &str, change: impl FnOnce(&mut Model)) {
    let mut model = scanned(kind);
    change(&mut model);
    let error = load(&model).unwrap_err();
    assert!(error.message().contains(words), "{what}: {error}");
    let kinds = [ErrorKind::Corrupt, ErrorKind::UnsupportedVersion];
    assert!(kinds.contains(&error.kind()), "{what}: {:?}", error.kind());
}

#[test]
fn scans_are_checked_when_a_package_is_loaded() {
    fn y(m: &mut Model) -> &mut Value {
        &mut m.description["codec"]["y"]
    }
    fn node<'a>(m: &'a mut Model, graph: &str, i: usize) -> &'a mut Value {
        &mut m.description["graphs"][graph]["nodes"][i]
    }
    refused("no first", "checkerboard", "'first'", |m| y(m)["first"] = Value::Null);
    refused("odd first", "checkerboard", "'first'", |m| y(m)["first"] = "both".into());
    refused("first of a raster scan", "raster", "'first'", |m| y(m)["first"] = "even".into());
    refused("no context", "raster", "'no'", |m| y(m)["context"] = "no".into());
    refused("context of two steps", "raster", "'h_s'", |m| y(m)["context"] = "h_s".into());
    refused("stride of a context", "raster", "y.context", |m| node(m, "y.context", 0)["stride"] = json!([2, 2]));
    refused("kernel off centre", "raster", "y.context", |m| node(m, "y.context", 0)["padding"] = json!([1, 2]));
    refused("parameters that are no layers", "raster", "1x1 layers", |m| {
        *node(m, "y.parameters", 4) = json!({"op": "add", "in": [5, 5], "place": "sum"});
    });
    refused("halves elsewhere", "raster", "halves", |m| node(m, "y.parameters", 5)["start"] = 191.into());
    refused("no groups", "channel_groups", "groups", |m| y(m)["groups"] = json!([]));
    refused("too few channels", "channel_groups", "channels", |m| y(m)["groups"][2]["channels"] = 71.into());
    refused("missing group", "channel_groups", "channels", |m| {
        y(m)["groups"].as_array_mut().unwrap().pop();
    });
    refused("group of another type", "channel_groups", "'vq'", |m| y(m)["groups"][0]["type"] = "vq".into());
    refused("first group knows nothing", "channel_groups", "inputs", |m| y(m)["groups"][0]["side"] = "side_1".into());
    refused("unknown key", "channel_groups", "'beam'", |m| y(m)["groups"][0]["beam"] = 1.into());
}

#[test]
fn a_context_that_sees_the_future_is_refused() {
    let mut model = scanned("raster");
    model.weights.change("y.context.weight", |_, value| value + 0.001);
    let error = load(&model).unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("hidden tap"), "{error}");
}

#[test]
fn a_level_sets_the_steps_of_a_scan() {
    let package = scanned_variable().package();
    let original = picture(77, 59, 1);
    let mut errors = Vec::new();
    for quality in [0.0, 12.5, 50.0, 77.0, 100.0] {
        let options = CompressOptions { quality: Some(quality), ..CompressOptions::default() };
        let file = compress(&package, &original, &options, &Runtime::serial(), &limits()).unwrap();
        let by_default = DecompressOptions::default();
        let decoded = decompress(&package, &file, &by_default, &Runtime::serial(), &limits()).unwrap();
        for rt in runtimes() {
            assert_eq!(compress(&package, &original, &options, &rt, &limits()).unwrap(), file, "{quality} on {rt:?}");
            assert_eq!(
                decompress(&package, &file, &by_default, &rt, &limits()).unwrap(),
                decoded,
                "{quality} on {rt:?}"
            );
        }
        let apart = decoded.data().iter().zip(original.data()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        errors.push(apart);
    }
    assert!(errors.iter().rev().is_sorted() && 4 * errors[4] < errors[0], "{errors:?}");
}

#[test]
fn what_a_level_sets_is_checked_when_a_package_is_loaded() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 9] = [
        ("must have one output, of [1, 192] channels", |c| c["y"]["gain"] = "y.context_bias".into()),
        ("must have one output, of [6] channels", |c| c["y"]["context_bias"] = "y.gain".into()),
        ("there is no graph 'no'", |c| c["y"]["gain"] = "no".into()),
        ("needs a 'gain'", |c| c["y"]["gain"] = Value::Null),
        ("1x1 layers", |c| c["y"]["shrinkage"]["network"] = "h_s".into()),
        ("'bound'", |c| c["y"]["shrinkage"]["bound"] = Value::Null),
        ("unknown key 'slope'", |c| c["y"]["shrinkage"]["slope"] = 1.into()),
        ("'tail_mass'", |c| c["hyper"]["tail_mass"] = 0.into()),
        ("must be for 4 channels", |c| c["hyper"]["layers"][1] = c["hyper"]["layers"][0].clone()),
    ];
    for (words, change) in cases {
        let mut model = scanned_variable();
        change(&mut model.description["codec"]);
        let error = load(&model).unwrap_err();
        assert!(error.message().contains(words), "{words}: {error}");
    }
}

#[test]
fn a_step_of_zero_and_a_gain_below_it_are_errors() {
    for (tensor, words) in [("gain", "gain is -"), ("one", "step is")] {
        let mut model = scanned_variable();
        model.weights.change(tensor, |_, value| -value);
        if tensor == "one" {
            model.description["graphs"]["z.step"]["nodes"][3]["min"] = json!(-9);
        }
        let options = CompressOptions { quality: Some(40.0), ..CompressOptions::default() };
        let error = load(&model).and_then(|p| compress(&p, &picture(8, 8, 4), &options, &Runtime::serial(), &limits()));
        let error = error.unwrap_err();
        assert!(error.kind() == ErrorKind::Corrupt && error.message().contains(words), "{error}");
    }
}
