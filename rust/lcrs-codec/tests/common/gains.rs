//! Scans whose steps follow the level, wherever a gain may stand.

use serde_json::{json, Value};

use super::scans::{scanned, CHANNELS};
use super::{GraphJson, Model};

/// Levels of a gained model.
pub const LEVELS: usize = 3;

/// Logarithms of gains of one channel at all levels: they rise with the level and differ between neighbours.
pub fn log_gain(level: usize, channel: usize) -> f32 {
    [-3.0, -1.0, 0.5][level] + 0.25 * (channel % 7) as f32
}

/// [`scanned`], quantised by gains: each scan by its own, or, with `is_whole`, all groups by those of the latent. Scales
/// are logarithms if `is_log`.
pub fn gained(kind: &str, is_log: bool, is_whole: bool) -> Model {
    let mut model = scanned(kind);
    let mut y = model.description["codec"]["y"].take();
    let mut first = 0;
    let mut leaf = |leaf: &mut Value, channels: usize| {
        let thresholds = leaf["thresholds"].as_str().unwrap().to_owned();
        if is_log {
            model.weights.change(&thresholds, |_, scale| scale.ln());
            leaf["domain"] = "log".into();
        }
        if !is_whole {
            leaf["gain"] = add_gain(&mut model, &thresholds.replace("thresholds", "gain"), first, channels, is_log);
        }
        first += channels;
    };
    if y.get("groups").is_some() {
        for group in y["groups"].as_array_mut().unwrap() {
            let channels = group["channels"].as_u64().unwrap() as usize;
            leaf(group, channels);
        }
    } else {
        leaf(&mut y, CHANNELS);
    }
    if is_whole {
        y["gain"] = add_gain(&mut model, "y.gain", 0, CHANNELS, is_log);
    }
    model.description["codec"]["y"] = y;
    model.description["levels"] = LEVELS.into();
    model
}

/// A graph of the gains of some channels; its name.
fn add_gain(model: &mut Model, name: &str, first: usize, channels: usize, is_log: bool) -> Value {
    let tensor = format!("{name}.log");
    let data = (0..LEVELS * channels).map(|i| log_gain(i / channels, first + i % channels)).collect();
    model.weights.f32(&tensor, &[LEVELS, channels], data);
    let mut g = GraphJson::new(name, &[], &mut model.weights);
    let logarithm = g.op("interpolate", &[], json!({"tensor": tensor}));
    let gain = g.op("exp", &[logarithm], json!({}));
    let outputs: &[(&str, usize)] = if is_log { &[("log_gain", logarithm), ("gain", gain)] } else { &[("gain", gain)] };
    model.description["graphs"][name] = g.finish(outputs);
    name.into()
}
