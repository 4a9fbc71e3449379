//! What a description asks for, bounded before anything is made of it.

use lcrs_core::{Error, Limits, Result};
use serde_json::Value;

use super::names::TENSOR_KEYS;
use crate::tensors::{TensorData, Tensors};

/// Deepest nesting of a description.
const MAX_DEPTH: usize = 100;

/// Bytes that one object of JSON takes beside its members: a node of a map, almost empty.
const OBJECT_BYTES: u64 = 700;

/// Bytes that one value in a list or an object takes, half of the list or the node being empty.
const VALUE_BYTES: u64 = 160;

/// Checks what `copies` of JSON will take once it is parsed, and that it is to be had: a reader of JSON ends the process
/// where memory ends.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`].
pub(super) fn check_json(text: &str, copies: u64, limits: &Limits) -> Result<()> {
    let count = |wanted: &[u8]| text.bytes().filter(|byte| wanted.contains(byte)).count() as u64;
    let parsed = text.len() as u64 + OBJECT_BYTES * count(b"{") + VALUE_BYTES * count(b"[,");
    limits.rehearse(parsed.saturating_mul(copies), "description")
}

/// Checks how deep `value` is nested; a number or a string has a depth of 0.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Corrupt`].
pub(super) fn check_depth(value: &Value) -> Result<()> {
    if depth(value) > MAX_DEPTH {
        return Err(Error::corrupt(format!("description is nested more than {MAX_DEPTH} deep")));
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Checks the bytes of all tensors, each as often as `parts` name it: whatever names one has its own copy, packed for its use.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`].
pub(super) fn check_named_bytes<'a>(
    parts: impl Iterator<Item = &'a Value>,
    tensors: &Tensors<'_>,
    limits: &Limits,
) -> Result<()> {
    let bytes = parts.map(|part| named_bytes(part, tensors)).fold(0, u64::saturating_add);
    if bytes > limits.max_bytes {
        let message = format!(
            "operations and tables take {bytes} bytes of tensors, at most {} are allowed (max_bytes)",
            limits.max_bytes
        );
        return Err(Error::limit(message));
    }
    Ok(())
}

fn named_bytes(value: &Value, tensors: &Tensors<'_>) -> u64 {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value {
                Value::String(name) if TENSOR_KEYS.contains(&key.as_str()) => {
                    tensors.get(name).map_or(0, |t| bytes(t.data()))
                }
                other => named_bytes(other, tensors),
            })
            .fold(0, u64::saturating_add),
        Value::Array(values) => values.iter().map(|value| named_bytes(value, tensors)).fold(0, u64::saturating_add),
        _ => 0,
    }
}

/// What is made of a tensor: binary32 numbers; of integers a table, whose look-up structures take as much again.
fn bytes(data: &TensorData<'_>) -> u64 {
    match data {
        TensorData::F32(_) | TensorData::F16(_) => 4 * data.len() as u64,
        TensorData::I32(_) => 16 * data.len() as u64,
    }
}
