//! Three tiny models, one for each kind of tree.

use std::collections::HashMap;

use lcrs_codec::{package_digests, Package};
use lcrs_core::cdf::pmf_to_quantized_cdf;
use safetensors::tensor::{serialize, Dtype, TensorView};
use serde_json::{json, Value};

use super::{limits, GraphJson, Weights};

/// A package before it is written.
#[derive(Debug, Clone)]
pub struct Model {
    pub description: Value,
    pub weights: Weights,
}

impl Model {
    pub fn new(name: &str, graphs: Value, codec: Value, strides: Value, weights: Weights) -> Self {
        let description = json!({
            "format": "lcrm", "version": 1, "name": name, "architecture": "test", "config": {"seed": 1},
            "numerics": "f32-fma/1", "graphs": graphs, "codec": codec, "strides": strides, "pad": 8,
            "levels": null, "card": {"licence": "none"},
        });
        Self { description, weights }
    }

    /// The bytes of the package file, with the digests of what is in it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let digests = package_digests(&self.description.to_string(), &self.weights.tensors).unwrap();
        let mut description = self.description.clone();
        description["entropy_digest"] = digests.entropy_hex().into();
        description["synthesis_digest"] = digests.synthesis_hex().into();
        description["analysis_digest"] = digests.analysis_hex().into();
        self.write(&description.to_string())
    }

    /// A safetensors file with this description, right or wrong.
    pub fn write(&self, description: &str) -> Vec<u8> {
        let bytes: Vec<_> =
            self.weights.tensors.iter().map(|(name, tensor)| (name, tensor, little_endian(tensor))).collect();
        let views = bytes.iter().map(|(name, tensor, bytes)| {
            let dtype = match tensor.data().dtype() {
                "I32" => Dtype::I32,
                "F16" => Dtype::F16,
                _ => Dtype::F32,
            };
            (name.as_str(), TensorView::new(dtype, tensor.shape().to_vec(), bytes).unwrap())
        });
        serialize(views, Some(HashMap::from([("lcrs".to_owned(), description.to_owned())]))).unwrap()
    }

    pub fn package(&self) -> Package {
        Package::from_bytes(&self.to_bytes(), &limits()).unwrap()
    }
}

fn little_endian(tensor: &lcrs_codec::TensorView<'_>) -> Vec<u8> {
    use lcrs_codec::TensorData::{F16, F32, I32};
    match tensor.data() {
        F32(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        F16(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        I32(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

/// Adds tables of bell curves, one row a scale, and returns their description.
fn add_table(weights: &mut Weights, name: &str, scales: &[f64]) -> Value {
    let row = |scale: f64| {
        let reach = (4.0 * scale).ceil() as i32;
        let bell = |k: i32| (-0.5 * (f64::from(k) / scale).powi(2)).exp();
        let sum: f64 = (-reach..=reach).map(bell).sum();
        let pmf = (-reach..=reach).map(|k| (bell(k) / sum * 0.9999) as f32).chain([0.0001]);
        (pmf_to_quantized_cdf(&pmf.collect::<Vec<_>>(), 16).unwrap(), reach)
    };
    let rows: Vec<_> = scales.iter().map(|scale| row(*scale)).collect();
    let width = rows.iter().map(|(cdf, _)| cdf.len()).max().unwrap();
    let padded = rows.iter().flat_map(|(cdf, _)| (0..width).map(|i| cdf.get(i).map_or(0, |value| *value as i32)));
    weights.i32(&format!("{name}.cdf"), &[rows.len(), width], padded.collect());
    weights.i32(&format!("{name}.lengths"), &[rows.len()], rows.iter().map(|(cdf, _)| cdf.len() as i32).collect());
    weights.i32(&format!("{name}.offsets"), &[rows.len()], rows.iter().map(|(_, reach)| -reach).collect());
    json!({
        "cdf": format!("{name}.cdf"), "lengths": format!("{name}.lengths"),
        "offsets": format!("{name}.offsets"), "precision": 16,
    })
}

/// Scales from 0.2 to 30 and the thresholds between them, linear or logarithmic.
pub fn add_scales(weights: &mut Weights, name: &str, is_log: bool) -> Value {
    let scales: Vec<f64> = (0..12).map(|i| 0.2 * 1.58_f64.powi(i)).collect();
    let between = scales.windows(2).map(|pair| (pair[0] * pair[1]).sqrt());
    let thresholds: Vec<f32> = between.map(|t| if is_log { t.ln() as f32 } else { t as f32 }).collect();
    weights.f32(&format!("{name}.thresholds"), &[thresholds.len()], thresholds);
    add_table(weights, name, &scales)
}

pub fn factorized_prior(weights: &mut Weights, name: &str, channels: usize, scale: f64) -> Value {
    let scales: Vec<f64> = (0..channels).map(|c| scale * (1.0 + c as f64 / channels as f64)).collect();
    let table = add_table(weights, name, &scales);
    weights.random(&format!("{name}.medians"), &[channels], 0.0, 0.7);
    json!({"type": "factorized", "table": table, "medians": format!("{name}.medians")})
}

/// Strided convolutions with GDN, transposed ones with its inverse, one table a channel.
pub fn factorized() -> Model {
    transforms_of(3)
}

/// The same for arrays of `channels` numbers of a type (NumPy's name) and a range.
pub fn arrays(number: &str, channels: usize, minimum: f32, maximum: f32) -> Model {
    let mut model = transforms_of(channels);
    model.description["name"] = "tiny-arrays".into();
    model.description["samples"] =
        json!({"type": number, "channels": channels, "minimum": minimum, "maximum": maximum});
    model
}

fn transforms_of(channels: usize) -> Model {
    const N: usize = 6;
    let mut w = Weights::new(11);
    let mut g = GraphJson::new("g_a", &["x"], &mut w);
    let x = g.conv(0, [channels, N], 5, 2, 1);
    let x = g.gdn(x, N, false);
    let x = g.conv(x, [N, N], 5, 2, 1);
    let x = g.gdn(x, N, false);
    let x = g.conv(x, [N, N], 5, 2, 1);
    let x = g.op("mul_scalar", &[x], json!({"value": 20.0}));
    let g_a = g.finish(&[("y", x)]);
    let mut g = GraphJson::new("g_s", &["y_hat"], &mut w);
    let x = g.op("mul_scalar", &[0], json!({"value": 0.05}));
    let x = g.up(x, [N, N]);
    let x = g.gdn(x, N, true);
    let x = g.up(x, [N, N]);
    let x = g.op("tanh", &[x], json!({}));
    let x = g.up(x, [N, channels]);
    let x = g.op("sigmoid", &[x], json!({}));
    let g_s = g.finish(&[("x_hat", x)]);
    let mut codec = factorized_prior(&mut w, "entropy", N, 3.0);
    codec["latent"] = "y".into();
    Model::new("tiny-factorized", json!({"g_a": g_a, "g_s": g_s}), codec, json!({"y": 8}), w)
}

/// Means and scales from a hyperlatent with one table a channel.
pub fn hyperprior() -> Model {
    const N: usize = 8;
    let mut w = Weights::new(23);
    let (g_a, g_s) = (unshuffle_analysis(&mut w, N, None), unshuffle_synthesis(&mut w, N, None));
    let mut g = GraphJson::new("h_a", &["y"], &mut w);
    let x = g.op("abs", &[0], json!({}));
    let x = g.conv(x, [N, N], 3, 1, 1);
    let x = g.op("relu", &[x], json!({}));
    let x = g.conv(x, [N, 4], 5, 2, 1);
    let h_a = g.finish(&[("z", x)]);
    let mut g = GraphJson::new("h_s", &["z_hat"], &mut w);
    let x = g.up(0, [4, N]);
    let x = g.op("leaky_relu", &[x], json!({"slope": 0.01}));
    let x = g.conv(x, [N, 2 * N], 3, 1, 1);
    let means = g.op("slice", &[x], json!({"start": 0, "length": N}));
    let scales = g.op("slice", &[x], json!({"start": N, "length": N}));
    let scales = g.op("softplus", &[scales], json!({}));
    let scales = g.op("clamp", &[scales], json!({"min": 0.11}));
    let h_s = g.finish(&[("scales", scales), ("means", means)]);
    let hyper = factorized_prior(&mut w, "z", 4, 2.0);
    let y = json!({
        "type": "gaussian", "table": add_scales(&mut w, "y", false), "thresholds": "y.thresholds",
        "domain": "linear", "means": true,
    });
    let codec = json!({"type": "hyperprior", "analysis": "h_a", "synthesis": "h_s", "hyper": hyper, "y": y});
    let graphs = json!({"g_a": g_a, "g_s": g_s, "h_a": h_a, "h_s": h_s});
    Model::new("tiny-hyperprior", graphs, codec, json!({"y": 8, "z": 16}), w)
}

/// Gains between three levels, log-scales, a hyperlatent whose normal distribution depends on the level.
pub fn variable_rate() -> Model {
    const N: usize = 8;
    const LEVELS: usize = 3;
    let mut w = Weights::new(37);
    let (g_a, g_s) = (unshuffle_analysis(&mut w, N, Some(LEVELS)), unshuffle_synthesis(&mut w, N, Some(LEVELS)));
    let mut g = GraphJson::new("h_a", &["y"], &mut w);
    let x = g.conv(0, [N, 4], 3, 2, 1);
    let gain = g.gain(LEVELS, 4, -0.5, 0.5);
    let x = g.op("mul", &[gain, x], json!({}));
    let h_a = g.finish(&[("z", x)]);
    w.random("h_p.means", &[4], 0.0, 1.0);
    let mut g = GraphJson::new("h_p", &[], &mut w);
    let scales = g.gain(LEVELS, 4, 0.5, 1.5);
    let means = g.op("constant", &[], json!({"tensor": "h_p.means"}));
    let h_p = g.finish(&[("scales", scales), ("means", means)]);
    let mut g = GraphJson::new("h_s", &["z_hat"], &mut w);
    let x = g.conv(0, [4, 4 * N], 1, 1, 1);
    let x = g.op("pixel_shuffle", &[x], json!({"factor": 2}));
    let x = g.op("leaky_relu", &[x], json!({"slope": 0.1}));
    let means = g.conv(x, [N, N], 3, 1, 1);
    let scales = g.conv(x, [N, N], 1, 1, 1);
    let scales = g.op("add_scalar", &[scales], json!({"value": 0.5}));
    let h_s = g.finish(&[("scales", scales), ("means", means)]);
    let table = add_scales(&mut w, "z", false);
    let hyper = json!({
        "type": "gaussian", "params": "h_p", "table": table, "thresholds": "z.thresholds", "domain": "linear", "means": true,
    });
    let table = add_scales(&mut w, "y", true);
    let y = json!({"type": "gaussian", "table": table, "thresholds": "y.thresholds", "domain": "log", "means": true});
    let codec = json!({"type": "hyperprior", "analysis": "h_a", "synthesis": "h_s", "hyper": hyper, "y": y});
    let graphs = json!({"g_a": g_a, "g_s": g_s, "h_a": h_a, "h_s": h_s, "h_p": h_p});
    let mut model = Model::new("tiny-rate", graphs, codec, json!({"y": 8, "z": 16}), w);
    model.description["levels"] = LEVELS.into();
    model
}

/// Pixel unshuffle with dense and depthwise residual blocks, as in the shipped model.
fn unshuffle_analysis(w: &mut Weights, n: usize, levels: Option<usize>) -> Value {
    let mut g = GraphJson::new("g_a", &["x"], w);
    let x = g.op("add_scalar", &[0], json!({"value": -0.5}));
    let x = g.op("pixel_unshuffle", &[x], json!({"factor": 4}));
    let x = g.conv(x, [48, n], 1, 1, 1);
    let r = g.conv(x, [n, n], 3, 1, 1);
    let r = g.op("leaky_relu", &[r], json!({"slope": 0.1}));
    let r = g.conv(r, [n, n], 1, 1, 1);
    let x = g.op("add", &[x, r], json!({}));
    let x = g.op("pixel_unshuffle", &[x], json!({"factor": 2}));
    let x = g.conv(x, [4 * n, n], 1, 1, 1);
    let r = g.conv(x, [n, n], 3, 1, n);
    let x = g.op("concat", &[x, r], json!({}));
    let x = g.conv(x, [2 * n, n], 1, 1, 1);
    let x = match levels {
        Some(levels) => {
            let gain = g.gain(levels, n, 0.5, 3.0);
            g.op("mul", &[x, gain], json!({}))
        }
        None => g.op("mul_scalar", &[x], json!({"value": 12.0})),
    };
    g.finish(&[("y", x)])
}

fn unshuffle_synthesis(w: &mut Weights, n: usize, levels: Option<usize>) -> Value {
    let mut g = GraphJson::new("g_s", &["y_hat"], w);
    let x = match levels {
        Some(levels) => {
            let gain = g.gain(levels, n, -0.5, -3.0);
            g.op("mul", &[0, gain], json!({}))
        }
        None => g.op("mul_scalar", &[0], json!({"value": 1.0 / 12.0})),
    };
    let x = g.conv(x, [n, 4 * n], 1, 1, 1);
    let x = g.op("pixel_shuffle", &[x], json!({"factor": 2}));
    let r = g.conv(x, [n, n], 3, 1, n);
    let x = g.op("sub", &[x, r], json!({}));
    let x = g.conv(x, [n, 48], 1, 1, 1);
    let x = g.op("pixel_shuffle", &[x], json!({"factor": 4}));
    let x = g.op("add_scalar", &[x], json!({"value": 0.5}));
    g.finish(&[("x_hat", x)])
}
