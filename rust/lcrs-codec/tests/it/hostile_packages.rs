//! Packages that were damaged or made to mislead: refused when they are loaded, by what is wrong with them.

use crate::common::{factorized, hyperprior, limits, scanned_variable, variable_rate, Model, Random};
use lcrs_codec::Package;
use lcrs_core::{Error, ErrorKind, Limits};
use serde_json::{json, Value};

/// What loading says about `model` after `change`, without digests, so that only the content can object.
fn load(mut model: Model, change: impl FnOnce(&mut Model)) -> Result<Package, Error> {
    change(&mut model);
    Package::from_parts(&model.description.to_string(), model.weights.tensors, &limits())
}

fn refused(what: &str, kind: ErrorKind, words: &str, change: impl FnOnce(&mut Model)) {
    let error = load(variable_rate(), change).unwrap_err();
    assert_eq!(error.kind(), kind, "{what}: {error}");
    assert!(error.message().contains(words), "{what}: {error}");
}

fn node<'a>(model: &'a mut Model, graph: &str, i: usize) -> &'a mut Value {
    &mut model.description["graphs"][graph]["nodes"][i]
}

#[test]
fn whole_packages_load() {
    for model in [factorized(), hyperprior(), variable_rate()] {
        let package = Package::from_bytes(&model.to_bytes(), &limits()).unwrap();
        assert_eq!(package.name(), model.description["name"].as_str().unwrap());
        let description: Value = serde_json::from_str(package.description()).unwrap();
        assert_eq!(description["card"], model.description["card"]);
        assert!(load(model, |_| ()).is_ok(), "digests may be absent while a package is being made");
    }
}

#[test]
fn files_are_read_no_further_than_their_header_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.lcrm");
    let whole = factorized().to_bytes();
    let load = |bytes: &[u8], length: u64| {
        std::fs::write(&path, bytes).unwrap();
        // the rest is a hole: it takes no room
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        Package::from_file(&path, &limits()).map(|package| package.name().to_owned())
    };
    let length = whole.len() as u64;
    assert!(load(&whole, length).is_ok());
    for (what, bytes, length, kind, words) in [
        ("longer", &whole[..], length + 1, ErrorKind::Corrupt, "it goes on"),
        ("shorter", &whole, length - 1, ErrorKind::Truncated, "cut off"),
        (
            "hardly begun",
            &whole[..100],
            100,
            ErrorKind::Truncated,
            "not a model package (.lcrm), or cut short: header of",
        ),
        ("empty", &[], 0, ErrorKind::Truncated, "not a model package (.lcrm), or cut short"),
        ("a hole", &[], 1 << 30, ErrorKind::Corrupt, "not a model package (.lcrm): it does not begin with"),
        ("a larger hole", &[], 20 << 30, ErrorKind::Limit, "at most"),
        ("a long header", &[0xFF; 8], 1 << 30, ErrorKind::Limit, "not a model package (.lcrm): it does not begin with"),
    ] {
        let error = load(bytes, length).unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(error.message().contains(words) && error.message().contains("m.lcrm"), "{what}: {error}");
    }
    #[cfg(unix)]
    assert!(Package::from_file(std::path::Path::new("/dev/zero"), &limits()).is_err());
    let missing = Package::from_file(folder.path(), &limits()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::MissingModel, "{missing}");
}

#[test]
fn descriptions_that_would_fill_the_memory_are_refused() {
    let mut limits = Limits::default();
    limits.max_bytes = 64 << 20;
    let objects = ["{\"\":1}"; 100_000].join(",");
    let mut description = factorized().description;
    description["card"] = json!(0);
    let text = description.to_string().replace("\"card\":0", &format!("\"card\":[{objects}]"));
    let error = Package::from_parts(&text, factorized().weights.tensors, &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(Package::from_parts(&text, factorized().weights.tensors, &Limits::default()).is_ok());
}

#[test]
fn descriptions_are_checked() {
    use ErrorKind::{Corrupt, UnsupportedVersion};
    refused("other format", Corrupt, "'format'", |m| m.description["format"] = "onnx".into());
    refused("older", UnsupportedVersion, "package version 0 was never stable", |m| m.description["version"] = 0.into());
    refused("newer", UnsupportedVersion, "package version 2", |m| m.description["version"] = 2.into());
    refused("no number", UnsupportedVersion, "package version \"1\"", |m| m.description["version"] = "1".into());
    refused("other numerics", UnsupportedVersion, "int8", |m| m.description["numerics"] = "int8".into());
    refused("bad name", Corrupt, "model name", |m| m.description["name"] = "../x".into());
    refused("unknown member", UnsupportedVersion, "'bits'", |m| m.description["bits"] = 9.into());
    refused("no graphs", Corrupt, "'graphs'", |m| m.description["graphs"] = Value::Null);
    refused("pad 0", Corrupt, "'pad'", |m| m.description["pad"] = 0.into());
    refused("odd stride", Corrupt, "divide", |m| m.description["strides"] = json!({"y": 3, "z": 6}));
    refused("odd z", Corrupt, "divide", |m| m.description["strides"] = json!({"y": 8, "z": 12}));
    refused("no z", Corrupt, "stride of z", |m| m.description["strides"] = json!({"y": 8}));
    refused("other y", Corrupt, "smaller", |m| m.description["strides"] = json!({"y": 4, "z": 8}));
    refused("fixed rate", Corrupt, "interpolates", |m| m.description["levels"] = Value::Null);
    refused("more levels", Corrupt, "interpolates", |m| m.description["levels"] = 5.into());
    refused("one level", Corrupt, "'levels'", |m| m.description["levels"] = 1.into());
    refused("no g_s", Corrupt, "'g_s'", |m| {
        m.description["graphs"].as_object_mut().unwrap().remove("g_s");
    });
}

#[test]
fn graphs_are_checked() {
    use ErrorKind::{Corrupt, UnsupportedVersion};
    refused("unknown op", UnsupportedVersion, "'glu'", |m| node(m, "g_a", 4)["op"] = "glu".into());
    refused("unknown attribute", UnsupportedVersion, "g_a.4", |m| node(m, "g_a", 4)["slopes"] = 1.into());
    refused("older graph", UnsupportedVersion, "graph version 0 was never stable", |m| {
        m.description["graphs"]["h_a"]["version"] = 0.into()
    });
    refused("newer graph", UnsupportedVersion, "graph version 2", |m| {
        m.description["graphs"]["h_a"]["version"] = 2.into()
    });
    refused("itself", Corrupt, "only those below", |m| node(m, "g_a", 1)["in"] = json!([2]));
    refused("a later value", Corrupt, "only those below", |m| node(m, "g_a", 1)["in"] = json!([7]));
    refused("a negative value", Corrupt, "only those below", |m| node(m, "g_a", 1)["in"] = json!([-1]));
    refused("too few inputs", Corrupt, "0 inputs", |m| node(m, "g_a", 1)["in"] = json!([]));
    refused("too many inputs", Corrupt, "2 inputs", |m| node(m, "g_a", 1)["in"] = json!([0, 0]));
    refused("output from nowhere", Corrupt, "output 'y'", |m| {
        m.description["graphs"]["g_a"]["outputs"] = json!([["y", 99]])
    });
    refused("no output", Corrupt, "outputs", |m| m.description["graphs"]["g_a"]["outputs"] = json!([]));
    refused("huge stride", Corrupt, "'stride'", |m| node(m, "g_a", 2)["stride"] = json!([1_u64 << 40, 1]));
    refused("stride 0", Corrupt, "'stride'", |m| node(m, "g_a", 2)["stride"] = json!([0, 1]));
    refused("stride NaN", Corrupt, "'stride'", |m| node(m, "g_a", 2)["stride"] = json!([null, 1]));
    refused("huge padding", Corrupt, "'padding'", |m| node(m, "g_a", 2)["padding"] = json!([1, u64::MAX]));
    refused("groups 0", Corrupt, "'groups'", |m| node(m, "g_a", 2)["groups"] = 0.into());
    refused("groups 5", Corrupt, "groups", |m| node(m, "g_a", 2)["groups"] = 5.into());
    refused("factor 0", Corrupt, "'factor'", |m| node(m, "g_a", 1)["factor"] = 0.into());
    refused("factor 3", Corrupt, "unshuffled by 3", |m| node(m, "g_a", 1)["factor"] = 3.into());
    refused("infinite slope", Corrupt, "'slope'", |m| node(m, "g_a", 4)["slope"] = json!(1e300));
    refused("no weight", Corrupt, "no tensor", |m| node(m, "g_a", 2)["weight"] = "nothing".into());
    refused("other weight", Corrupt, "channels", |m| node(m, "g_a", 2)["weight"] = "g_a.3.weight".into());
    refused("other bias", Corrupt, "must have", |m| node(m, "g_a", 2)["bias"] = "g_s.3.bias".into());
    refused("integers as weight", Corrupt, "I32", |m| node(m, "g_a", 2)["bias"] = "y.lengths".into());
    refused("too many nodes", ErrorKind::Limit, "operations", |m| {
        let relu = json!({"op": "relu", "in": [0], "place": "x"});
        m.description["graphs"]["g_a"]["nodes"] = Value::Array(vec![relu; 10_001]);
    });
}

#[test]
fn impossible_work_is_refused() {
    let blow_up = |m: &mut Model| {
        let nodes = m.description["graphs"]["h_s"]["nodes"].as_array_mut().unwrap();
        for last in nodes.len()..nodes.len() + 8 {
            nodes.push(json!({"op": "concat", "in": vec![last; 256], "place": "bomb"}));
        }
    };
    refused("a bomb of concatenations", ErrorKind::Limit, "bomb", blow_up);
    refused("padding that grows", ErrorKind::Limit, "bomb", |m| {
        m.weights.random("bomb", &[1 << 14, 4, 1, 1], 0.0, 1.0);
        m.weights.random("again", &[1 << 10, 1 << 14, 1, 1], 0.0, 1.0);
        let nodes = m.description["graphs"]["h_s"]["nodes"].as_array_mut().unwrap();
        let geometry = json!({"op": "conv2d", "stride": [1, 1], "padding": [256, 256], "groups": 1, "place": "bomb"});
        for (i, weight) in [(0, "bomb"), (nodes.len() + 1, "again")] {
            let mut node = geometry.clone();
            node["in"] = json!([i]);
            node["weight"] = weight.into();
            nodes.push(node);
        }
    });
}

#[test]
fn tensors_are_checked() {
    use ErrorKind::Corrupt;
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused("not finite", Corrupt, "g_a.2", |m| {
            let mut data = vec![0.0; 48 * 8];
            data[17] = bad;
            m.weights.f32("g_a.2.weight", &[8, 48, 1, 1], data);
        });
    }
    refused("other shape", Corrupt, "g_a.2.weight", |m| m.weights.random("g_a.2.weight", &[8, 48], 0.0, 1.0));
    refused("no channels", Corrupt, "g_a.2.weight", |m| m.weights.f32("g_a.2.weight", &[0, 48, 1, 1], vec![]));
    refused("missing", Corrupt, "y.cdf", |m| {
        m.weights.tensors.remove("y.cdf");
    });
    let gdn = load(factorized(), |m| m.weights.random("g_a.1.beta", &[6], 0.0, 1.0)).unwrap_err();
    assert!(gdn.kind() == Corrupt && gdn.message().contains("positive"), "{gdn}");
}

#[test]
fn codec_trees_are_checked() {
    use ErrorKind::{Corrupt, UnsupportedVersion};
    fn codec(m: &mut Model) -> &mut Value {
        &mut m.description["codec"]
    }
    refused("unknown type", UnsupportedVersion, "'vq'", |m| codec(m)["type"] = "vq".into());
    refused("unknown y", UnsupportedVersion, "'mixture'", |m| codec(m)["y"]["type"] = "mixture".into());
    refused("unknown key", UnsupportedVersion, "'beam'", |m| codec(m)["y"]["beam"] = 3.into());
    refused("unknown domain", UnsupportedVersion, "'dB'", |m| codec(m)["y"]["domain"] = "dB".into());
    refused("precision 17", Corrupt, "'precision'", |m| codec(m)["y"]["table"]["precision"] = 17.into());
    refused("no such analysis", Corrupt, "'h_x'", |m| codec(m)["analysis"] = "h_x".into());
    refused("parameters of y for z", Corrupt, "h_s", |m| codec(m)["hyper"]["params"] = "h_s".into());
    refused("z from g_a", Corrupt, "g_a", |m| codec(m)["analysis"] = "g_a".into());
    refused("no scales", Corrupt, "'scales'", |m| m.description["graphs"]["h_s"]["outputs"][0][0] = "scale".into());
    refused("no means", Corrupt, "'means'", |m| m.description["graphs"]["h_s"]["outputs"][1][0] = "mean".into());
    refused("few thresholds", Corrupt, "thresholds", |m| m.weights.f32("y.thresholds", &[2], vec![0.0, 1.0]));
    refused("thresholds fall", Corrupt, "ascend", |m| {
        m.weights.f32("y.thresholds", &[11], (0..11).map(|i| -(i as f32)).collect());
    });
    refused("table falls", Corrupt, "table", |m| {
        let shape = m.weights.tensors["y.cdf"].shape().to_vec();
        m.weights.i32("y.cdf", &shape, (0..shape[0] * shape[1]).map(|i| 70_000 - i as i32).collect());
    });
    refused("long rows", Corrupt, "table", |m| m.weights.i32("y.lengths", &[12], vec![i32::MAX; 12]));
    refused("negative rows", Corrupt, "table", |m| m.weights.i32("y.lengths", &[12], vec![-1; 12]));
    let missing_row = load(factorized(), |m| m.weights.random("entropy.medians", &[5], 0.0, 1.0)).unwrap_err();
    assert!(missing_row.message().contains("5 medians"), "{missing_row}");
}

/// Else a graph that decides symbols would be under no digest that files carry.
#[test]
fn graphs_under_no_entropy_digest_decide_no_symbol() {
    for (key, name) in [("synthesis", "g_a"), ("synthesis", "g_s"), ("synthesis", "h_a"), ("analysis", "g_s")] {
        refused(name, ErrorKind::Corrupt, "must not decide symbols", |m| m.description["codec"][key] = name.into());
    }
    refused("deep", ErrorKind::Corrupt, "'params'", |m| m.description["codec"]["hyper"]["params"] = "g_a".into());
}

#[test]
fn digests_are_verified() {
    for name in ["entropy_digest", "synthesis_digest", "analysis_digest"] {
        let error = load(hyperprior(), |m| m.description[name] = "0".repeat(64).into()).unwrap_err();
        assert!(error.kind() == ErrorKind::Corrupt && error.message().contains(name), "{error}");
        let mut description: Value = serde_json::from_str(hyperprior().package().description()).unwrap();
        description.as_object_mut().unwrap().remove(name);
        let file = hyperprior().write(&description.to_string());
        let error = Package::from_bytes(&file, &limits()).unwrap_err();
        assert!(error.message().contains(name) && error.message().contains("missing"), "{error}");
    }
}

#[test]
fn damage_is_an_error_or_leaves_the_decoder_as_it_was() {
    let bytes = variable_rate().to_bytes();
    let digests = Package::from_bytes(&bytes, &limits()).unwrap().digests();
    let mut random = Random(3);
    for _ in 0..200 {
        assert!(Package::from_bytes(&bytes[..random.below(bytes.len())], &limits()).is_err());
    }
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for case in 0..1500 {
        let mut damaged = bytes.clone();
        // Half of the cases hit the JSON, which is small.
        let at = if case % 2 == 0 { random.below(header) } else { random.below(bytes.len()) };
        damaged[at] ^= 1 << random.below(8);
        if let Ok(package) = Package::from_bytes(&damaged, &limits()) {
            assert_eq!(package.digests(), digests, "byte {at} decides nothing that a decoder does");
        }
    }
}

#[test]
fn garbage_is_an_error() {
    let mut random = Random(4);
    for length in 0..300 {
        let mut bytes: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        assert!(Package::from_bytes(&bytes, &limits()).is_err());
        if let Some(announced) = bytes.first_chunk_mut::<8>() {
            *announced = (length as u64 / 2).to_le_bytes();
            assert!(Package::from_bytes(&bytes, &limits()).is_err());
        }
    }
    let plain = safetensors::serialize(Vec::<(&str, safetensors::tensor::TensorView<'_>)>::new(), None).unwrap();
    assert!(Package::from_bytes(&plain, &limits()).unwrap_err().message().contains("no description"));
    let deep = variable_rate().write(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    assert_eq!(Package::from_bytes(&deep, &limits()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn large_files_are_above_the_limit() {
    let bytes = variable_rate().to_bytes();
    let mut limits = Limits::default();
    limits.max_bytes = bytes.len() as u64 - 1;
    assert_eq!(Package::from_bytes(&bytes, &limits).unwrap_err().kind(), ErrorKind::Limit);
    let mut announced = bytes.clone();
    announced[..8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert_eq!(Package::from_bytes(&announced, &Limits::default()).unwrap_err().kind(), ErrorKind::Limit);
}

/// Operations that name one tensor have a packed copy each.
#[test]
fn many_operations_with_one_large_tensor_are_above_the_limit() {
    let weight = |nodes: usize| {
        load(variable_rate(), |m| {
            m.weights.random("large", &[512, 512, 1, 1], 0.0, 0.1);
            let node = json!({
                "op": "conv2d", "weight": "large", "stride": [1, 1], "padding": [0, 0], "groups": 1, "place": "p", "in": [0],
            });
            let graph = json!({"version": 1, "inputs": ["x"], "outputs": [["y", 1]], "nodes": vec![node; nodes]});
            m.description["graphs"]["unused"] = graph;
        })
    };
    let (bytes, limit) = (512 * 512 * 4, limits().max_bytes as usize);
    assert!(weight(20).is_ok());
    let error = weight(limit / bytes + 1).unwrap_err();
    assert!(error.kind() == ErrorKind::Limit && error.message().contains("bytes of tensors"), "{error}");
}

/// Rows of a density are found by hundreds of thousands of evaluations.
#[test]
fn densities_that_would_take_minutes_are_above_the_limit() {
    let widened = |width: usize| {
        load(scanned_variable(), |m| {
            m.weights.random("wide.0", &[40, width, 1], 0.0, 1.0);
            m.weights.random("wide.1", &[40, width, width], 0.0, 1.0);
            m.weights.random("wide.2", &[40, 1, width], 0.0, 1.0);
            m.weights.random("wide.vector", &[40, width], 0.0, 1.0);
            m.weights.random("wide.last", &[40, 1], 0.0, 1.0);
            m.weights.random("wide.medians", &[40], 0.0, 1.0);
            let layer =
                |i: usize| json!({"weight": format!("wide.{i}"), "bias": "wide.vector", "factor": "wide.vector"});
            let hyper = &mut m.description["codec"]["hyper"];
            hyper["layers"] = json!([layer(0), layer(1), {"weight": "wide.2", "bias": "wide.last"}]);
            hyper["medians"] = "wide.medians".into();
        })
    };
    let error = widened(256).unwrap_err();
    assert!(error.kind() == ErrorKind::Limit && error.message().contains("products"), "{error}");
    assert!(!widened(8).unwrap_err().message().contains("products"), "it is refused for its 40 channels only");
}

#[test]
fn descriptions_are_nested_a_hundred_deep_at_most() {
    let nested = |depth: usize| (0..depth).fold(Value::Null, |inner, _| json!([inner]));
    let with_card = |depth: usize| load(hyperprior(), |m| m.description["card"] = nested(depth));
    assert!(with_card(99).is_ok());
    assert!(with_card(100).unwrap_err().message().contains("100 deep"));
}

/// Names in packages may hold anything; messages that quote them stay one line.
#[test]
fn messages_stay_one_line() {
    let long = "evil\n\u{1b}[31m".repeat(100_000);
    let changes: [&dyn Fn(&mut Model); 5] = [
        &|m| node(m, "g_a", 4)["op"] = long.as_str().into(),
        &|m| node(m, "g_a", 4)[&long] = 1.into(),
        &|m| node(m, "g_a", 2)["weight"] = long.as_str().into(),
        &|m| m.description["graphs"][&long] = json!({}),
        &|m| m.description["name"] = long.as_str().into(),
    ];
    for change in changes {
        let error = load(variable_rate(), |m| change(m)).unwrap_err();
        assert!(error.message().len() <= 400 && !error.message().contains(char::is_control), "{error}");
    }
}
