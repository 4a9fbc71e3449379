//! Models with scans whose analysis only rearranges: decoding must give back every pixel.

use serde_json::{json, Value};

use super::models::{add_scales, factorized_prior};
use super::{GraphJson, Model, Weights};

/// Channels of y: the 8 x 8 x 3 components of a block, times this gain, so that rounding is finer than a component.
pub const CHANNELS: usize = 192;
pub const GAIN: f32 = 512.0;
const SIDE: usize = 16;

/// A model whose y is coded as `kind` says: `gaussian`, `raster`, `checkerboard`, or `channel_groups`, which holds all three kinds.
pub fn scanned(kind: &str) -> Model {
    let mut w = Weights::new(51);
    let mut graphs = json!({"g_a": rearranged(&mut w, true), "g_s": rearranged(&mut w, false)});
    let mut g = GraphJson::new("h_a", &["y"], &mut w);
    let z = g.conv(0, [CHANNELS, 4], 3, 2, 1);
    let z = g.op("mul_scalar", &[z], json!({"value": 0.02}));
    graphs["h_a"] = g.finish(&[("z", z)]);
    let mut g = GraphJson::new("h_s", &["z_hat"], &mut w);
    let side = g.up(0, [4, SIDE]);
    graphs["h_s"] = g.finish(&[("side", side)]);
    let hyper = factorized_prior(&mut w, "z", 4, 4.0);
    let y = match kind {
        "channel_groups" => {
            graphs["side_0"] = side_graph(&mut w, "side_0", 0, 100, true);
            graphs["side_1"] = side_graph(&mut w, "side_1", 50, 12, false);
            graphs["side_2"] = side_graph(&mut w, "side_2", 120, 10, false);
            let mut first = prior(&mut w, "y0");
            (first["type"], first["channels"], first["side"]) = ("gaussian".into(), 50.into(), "side_0".into());
            let mut second = scan(&mut w, &mut graphs, "checkerboard", "y1", [70, 12]);
            (second["channels"], second["side"], second["first"]) = (70.into(), "side_1".into(), "odd".into());
            let mut third = scan(&mut w, &mut graphs, "raster", "y2", [72, 10]);
            (third["channels"], third["side"]) = (72.into(), "side_2".into());
            json!({"type": "channel_groups", "groups": [first, second, third]})
        }
        "gaussian" => {
            let mut g = GraphJson::new("h_s", &["z_hat"], &mut w);
            let [scales, means] = [(); 2].map(|()| g.up(0, [4, CHANNELS]));
            graphs["h_s"] = g.finish(&[("scales", scales), ("means", means)]);
            let mut y = prior(&mut w, "y");
            y["type"] = "gaussian".into();
            y
        }
        _ => scan(&mut w, &mut graphs, kind, "y", [CHANNELS, SIDE]),
    };
    let codec = json!({"type": "hyperprior", "analysis": "h_a", "synthesis": "h_s", "hyper": hyper, "y": y});
    Model::new(&format!("tiny-{kind}"), graphs, codec, json!({"y": 8, "z": 16}), w)
}

fn rearranged(w: &mut Weights, is_analysis: bool) -> Value {
    let mut g = GraphJson::new(if is_analysis { "g_a" } else { "g_s" }, &["x"], w);
    let x = if is_analysis {
        let x = g.op("pixel_unshuffle", &[0], json!({"factor": 8}));
        g.op("mul_scalar", &[x], json!({"value": GAIN}))
    } else {
        let x = g.op("mul_scalar", &[0], json!({"value": 1.0 / GAIN}));
        g.op("pixel_shuffle", &[x], json!({"factor": 8}))
    };
    g.finish(&[("out", x)])
}

fn prior(w: &mut Weights, name: &str) -> Value {
    let table = add_scales(w, name, false);
    json!({"table": table, "thresholds": format!("{name}.thresholds"), "domain": "linear", "means": true})
}

/// Side information of a group from that of the latent and the groups before.
fn side_graph(w: &mut Weights, name: &str, known: usize, outputs: usize, is_parameters: bool) -> Value {
    let inputs: &[&str] = if known > 0 { &["side", "known"] } else { &["side"] };
    let mut g = GraphJson::new(name, inputs, w);
    let x = if known > 0 { g.op("concat", &[0, 1], json!({})) } else { 0 };
    let x = g.conv(x, [SIDE + known, outputs], 3, 1, 1);
    if !is_parameters {
        return g.finish(&[("side", x)]);
    }
    let means = g.op("slice", &[x], json!({"start": 0, "length": outputs / 2}));
    let scales = g.op("slice", &[x], json!({"start": outputs / 2, "length": outputs / 2}));
    g.finish(&[("scales", scales), ("means", means)])
}

/// A raster or checkerboard scan with its two graphs.
fn scan(w: &mut Weights, graphs: &mut Value, kind: &str, name: &str, [channels, side]: [usize; 2]) -> Value {
    const FEATURES: usize = 6;
    const KERNEL: usize = 5;
    let (context, parameters) = (format!("{name}.context"), format!("{name}.parameters"));
    let is_seen = |tap: usize| {
        let (row, column) = (tap / KERNEL, tap % KERNEL);
        if kind == "raster" {
            tap < KERNEL * KERNEL / 2
        } else {
            (row + column) % 2 == 1
        }
    };
    let weight = format!("{context}.weight");
    w.random(&weight, &[FEATURES, channels, KERNEL, KERNEL], 0.0, 0.01);
    w.change(&weight, |i, value| if is_seen(i % (KERNEL * KERNEL)) { value } else { 0.0 });
    let mut g = GraphJson::new(&context, &["y_hat"], w);
    let geometry = json!({"weight": weight, "stride": [1, 1], "padding": [2, 2], "groups": 1});
    let features = g.op("conv2d", &[0], geometry);
    graphs[&context] = g.finish(&[("features", features)]);
    let mut g = GraphJson::new(&parameters, &["side", "context"], w);
    let merged = if kind == "raster" { [0, 1] } else { [1, 0] };
    let x = g.op("concat", &merged, json!({}));
    let x = g.conv(x, [side + FEATURES, 20], 1, 1, 1);
    let x = g.op("leaky_relu", &[x], json!({"slope": 0.01}));
    let x = g.conv(x, [20, 2 * channels], 1, 1, 1);
    let x = g.op("mul_scalar", &[x], json!({"value": 3.0}));
    let first = g.op("slice", &[x], json!({"start": 0, "length": channels}));
    let second = g.op("slice", &[x], json!({"start": channels, "length": channels}));
    let (scales, means) = if kind == "raster" { (first, second) } else { (second, first) };
    graphs[&parameters] = g.finish(&[("scales", scales), ("means", means)]);
    let mut leaf = prior(w, name);
    leaf["type"] = kind.into();
    leaf["context"] = context.into();
    leaf["parameters"] = parameters.into();
    if kind == "checkerboard" {
        leaf["first"] = "even".into();
    }
    leaf
}

/// A raster scan whose steps, context and shrinkage depend on one of three levels, with a density for z.
pub fn scanned_variable() -> Model {
    const LEVELS: [f32; 3] = [0.05, 0.3, 2.0];
    let mut model = scanned("raster");
    let w = &mut model.weights;
    w.f32("gain", &[LEVELS.len(), 1], LEVELS.to_vec());
    let mut g = GraphJson::new("y.gain", &[], w);
    let gain = g.op("interpolate", &[], json!({"tensor": "gain"}));
    let y_gain = g.finish(&[("gain", gain)]);
    let mut g = GraphJson::new("y.context_bias", &[], w);
    let gain = g.op("interpolate", &[], json!({"tensor": "gain"}));
    let bias = g.conv(gain, [1, 6], 1, 1, 1);
    let context_bias = g.finish(&[("bias", bias)]);
    let mut g = GraphJson::new("y.shrinkage", &["features"], w);
    let x = g.conv(0, [2, 5], 1, 1, 1);
    let x = g.op("relu", &[x], json!({}));
    let x = g.conv(x, [5, 1], 1, 1, 1);
    let x = g.op("mul_scalar", &[x], json!({"value": 0.01}));
    let shrinkage = g.finish(&[("amount", x)]);
    w.f32("one", &[1], vec![1.0]);
    let mut g = GraphJson::new("z.step", &[], w);
    let gain = g.op("interpolate", &[], json!({"tensor": "gain"}));
    let one = g.op("constant", &[], json!({"tensor": "one"}));
    let step = g.op("div", &[one, gain], json!({}));
    let step = g.op("clamp", &[step], json!({"min": 0.6, "max": 3.0}));
    let z_step = g.finish(&[("step", step)]);
    let hyper = density(w, "z", 4);
    let added = [("y.gain", y_gain), ("y.context_bias", context_bias), ("y.shrinkage", shrinkage), ("z.step", z_step)];
    added.into_iter().for_each(|(name, graph)| model.description["graphs"][name] = graph);
    let codec = &mut model.description["codec"];
    codec["hyper"] = hyper;
    codec["y"]["gain"] = "y.gain".into();
    codec["y"]["context_bias"] = "y.context_bias".into();
    codec["y"]["shrinkage"] = json!({"network": "y.shrinkage", "bound": 0.11});
    model.description["levels"] = LEVELS.len().into();
    model
}

/// A prior of three layers with two numbers between them.
fn density(w: &mut Weights, name: &str, channels: usize) -> Value {
    let widths = [1, 2, 2, 1];
    let layer = |i: usize, w: &mut Weights| {
        let at = |part: &str| format!("{name}.{i}.{part}");
        w.random(&at("weight"), &[channels, widths[i + 1], widths[i]], -0.5, 0.3);
        w.random(&at("bias"), &[channels, widths[i + 1]], 0.0, 0.3);
        let mut layer = json!({"weight": at("weight"), "bias": at("bias")});
        if i < 2 {
            w.random(&at("factor"), &[channels, widths[i + 1]], 0.0, 0.5);
            layer["factor"] = at("factor").into();
        }
        layer
    };
    let layers: Vec<Value> = (0..3).map(|i| layer(i, w)).collect();
    json!({
        "type": "density", "layers": layers, "medians": format!("{name}.medians"), "tail_mass": 1e-9,
        "step": format!("{name}.step"),
    })
}
