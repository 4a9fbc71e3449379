//! The digests of a package: SHA-256 over canonical bytes, never over file bytes. The crate's README specifies the
//! bytes.

use std::collections::BTreeSet;

use lcrs_core::{Error, Limits, Result};
use serde_json::{json, Map, Value};
use sha2::{Digest as _, Sha256};

use super::description::Description;
use super::names::{ANALYSIS, SYNTHESIS, TENSOR_KEYS};
use crate::graph::GRAPH_VERSION;
use crate::tensors::{TensorData, TensorView, Tensors};

/// SHA-256 digests of the three parts of a model. Files carry the first two, which decide what they decode to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// Over everything that decides a symbol.
    pub entropy: [u8; 32],
    /// Over everything that turns symbols into pixels.
    pub synthesis: [u8; 32],
    /// Over everything that only encoders run.
    pub analysis: [u8; 32],
}

/// The digests of a package with this description (in which digests, if any, are ignored) and these tensors.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Corrupt`] if the description is not one, or names a tensor that is not there.
pub fn package_digests(description: &str, tensors: &Tensors<'_>) -> Result<Digests> {
    digests(&Description::parse(description, &Limits::default())?, tensors)
}

pub(crate) fn digests(description: &Description, tensors: &Tensors<'_>) -> Result<Digests> {
    let analyses: BTreeSet<&str> = analyses(&description.codec).into_iter().chain([ANALYSIS]).collect();
    check_roles(&description.codec, &analyses).map_err(|e| e.at("codec"))?;
    let decides_symbols = |name: &str| name != SYNTHESIS && !analyses.contains(name);
    let select = |keep: &dyn Fn(&str) -> bool| -> Value {
        let kept = description.graphs.iter().filter(|(name, _)| keep(name.as_str()));
        Value::Object(kept.map(|(name, graph)| (name.clone(), graph.clone())).collect::<Map<_, _>>())
    };
    let mut entropy = json!({
        "codec": description.codec,
        "graphs": select(&decides_symbols),
        "numerics": description.numerics.name(),
        "version": GRAPH_VERSION,
    });
    if let Some(picture) = &description.picture {
        entropy["levels"] = json!(picture.levels);
        entropy["pad"] = json!(picture.pad);
        entropy["strides"] = picture.strides.clone();
    }
    let networks_alone = |keep: &dyn Fn(&str) -> bool| {
        let mut part =
            json!({"graphs": select(keep), "numerics": description.numerics.name(), "version": GRAPH_VERSION});
        if description.picture.as_ref().is_some_and(|picture| picture.samples.is_some()) {
            part["samples"] = description.json["samples"].clone();
        }
        digest(&part, tensors)
    };
    Ok(Digests {
        entropy: digest(&entropy, tensors)?,
        synthesis: networks_alone(&|name| name == SYNTHESIS)?,
        analysis: networks_alone(&|name| analyses.contains(name))?,
    })
}

/// Checks that no graph outside the entropy digest decides a symbol: the tree names such a graph as an analysis only.
fn check_roles(codec: &Value, analyses: &BTreeSet<&str>) -> Result<()> {
    let is_outside = |name: &str| name == SYNTHESIS || analyses.contains(name);
    match codec {
        Value::Object(members) => members.iter().try_for_each(|(key, value)| match value {
            Value::String(name) if key == "analysis" && name != SYNTHESIS => Ok(()),
            Value::String(name) if is_outside(name) => {
                Err(Error::corrupt(format!("'{key}' is {name:?}, the name of a graph that must not decide symbols")))
            }
            other => check_roles(other, analyses),
        }),
        Value::Array(values) => values.iter().try_for_each(|value| check_roles(value, analyses)),
        _ => Ok(()),
    }
}

/// The graphs that the tree names as an analysis: only encoders run them.
fn analyses(codec: &Value) -> Vec<&str> {
    match codec {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(name) if key == "analysis" => vec![name.as_str()],
                other => analyses(other),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(analyses).collect(),
        _ => Vec::new(),
    }
}

fn digest(part: &Value, tensors: &Tensors<'_>) -> Result<[u8; 32]> {
    let mut names = BTreeSet::new();
    tensor_names(part, &mut names);
    let mut hash = Sha256::new();
    for name in names {
        let tensor = tensors.get(name).ok_or_else(|| Error::corrupt(format!("there is no tensor {name:?}")))?;
        update_text(&mut hash, name.as_bytes());
        update_tensor(&mut hash, tensor);
    }
    let text = serde_json_canonicalizer::to_vec(part)
        .map_err(|e| Error::corrupt(format!("description has no canonical form: {e}")))?;
    update_text(&mut hash, &text);
    Ok(hash.finalize().into())
}

fn tensor_names<'a>(value: &'a Value, names: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(name) if TENSOR_KEYS.contains(&key.as_str()) => {
                        names.insert(name);
                    }
                    other => tensor_names(other, names),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| tensor_names(value, names)),
        _ => {}
    }
}

fn update_number(hash: &mut Sha256, number: usize) {
    hash.update((number as u64).to_le_bytes());
}

fn update_text(hash: &mut Sha256, text: &[u8]) {
    update_number(hash, text.len());
    hash.update(text);
}

fn update_tensor(hash: &mut Sha256, tensor: &TensorView<'_>) {
    update_text(hash, tensor.data().dtype().as_bytes());
    update_number(hash, tensor.shape().len());
    tensor.shape().iter().for_each(|side| update_number(hash, *side));
    match tensor.data() {
        TensorData::F32(data) => update_elements(hash, data, |value| value.to_le_bytes()),
        TensorData::F16(data) => update_elements(hash, data, |value| value.to_le_bytes()),
        TensorData::I32(data) => update_elements(hash, data, |value| value.to_le_bytes()),
    }
}

fn update_elements<T: Copy, const N: usize>(hash: &mut Sha256, data: &[T], bytes: impl Fn(T) -> [u8; N]) {
    update_number(hash, data.len() * N);
    // In runs: the hash takes many bytes at once several times as fast as a few.
    let mut buffer = [[0; N]; 4096];
    for chunk in data.chunks(buffer.len()) {
        let run = &mut buffer[..chunk.len()];
        run.iter_mut().zip(chunk).for_each(|(place, value)| *place = bytes(*value));
        hash.update(run.as_flattened());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tensors() -> Tensors<'static> {
        let mut tensors = Tensors::new();
        tensors.insert("b".into(), TensorView::new(vec![2], TensorData::F32(vec![1.0, -0.0].into())).unwrap());
        tensors.insert("a".into(), TensorView::new(vec![1, 1], TensorData::I32(vec![-2].into())).unwrap());
        tensors
    }

    /// The canonical bytes, spelled out by hand from the README.
    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let part = json!({"x": [{"tensor": "b"}, {"cdf": "a", "value": 0.5}], "medians": null});
        let mut bytes = Vec::new();
        let mut text = |text: &[u8]| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text);
        };
        text(b"a");
        text(b"I32");
        bytes.extend([2, 1, 1, 4].iter().flat_map(|number: &u64| number.to_le_bytes()));
        bytes.extend([0xFE, 0xFF, 0xFF, 0xFF]);
        let mut text = |text: &[u8]| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text);
        };
        text(b"b");
        text(b"F32");
        bytes.extend([1, 2, 8].iter().flat_map(|number: &u64| number.to_le_bytes()));
        bytes.extend([0, 0, 0x80, 0x3F, 0, 0, 0, 0x80]);
        let json = br#"{"medians":null,"x":[{"tensor":"b"},{"cdf":"a","value":0.5}]}"#;
        bytes.extend((json.len() as u64).to_le_bytes());
        bytes.extend(json);
        assert_eq!(digest(&part, &tensors()).unwrap(), <[u8; 32]>::from(Sha256::digest(&bytes)));
    }

    #[test]
    fn key_order_and_number_form_do_not_matter() {
        let a: Value = serde_json::from_str(r#"{"b": 1.0, "a": 1e-5}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":0.00001,"b":1}"#).unwrap();
        assert_eq!(digest(&a, &tensors()).unwrap(), digest(&b, &tensors()).unwrap());
    }

    #[test]
    fn missing_tensors_are_named() {
        let error = digest(&json!({"weight": "c"}), &tensors()).unwrap_err();
        assert!(error.message().contains("\"c\""), "{error}");
    }
}
