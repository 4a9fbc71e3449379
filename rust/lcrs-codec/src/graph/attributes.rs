//! Typed access to JSON objects: every fault names the place, the key and what is legal.

use lcrs_core::{Error, Result};
use serde_json::{Map, Value};

/// The members of one object. Members that nobody asked for are an error, see [`Attributes::finish`].
pub(crate) struct Attributes<'a> {
    members: &'a Map<String, Value>,
    asked: Vec<&'static str>,
}

impl<'a> Attributes<'a> {
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] if `value` is no object.
    pub(crate) fn new(value: &'a Value, what: &str) -> Result<Self> {
        let members = value.as_object().ok_or_else(|| Error::corrupt(format!("{what} is not an object")))?;
        Ok(Self { members, asked: Vec::new() })
    }

    /// The member, if it is there and not null.
    pub(crate) fn optional(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.push(key);
        self.members.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn required(&mut self, key: &'static str) -> Result<&'a Value> {
        self.optional(key).ok_or_else(|| Error::corrupt(format!("'{key}' is missing")))
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<&'a str> {
        let value = self.required(key)?;
        value.as_str().ok_or_else(|| fault(key, value, "a string"))
    }

    pub(crate) fn optional_text(&mut self, key: &'static str) -> Result<Option<&'a str>> {
        let value = self.optional(key);
        value.map(|value| value.as_str().ok_or_else(|| fault(key, value, "a string"))).transpose()
    }

    pub(crate) fn list(&mut self, key: &'static str) -> Result<&'a [Value]> {
        let value = self.required(key)?;
        value.as_array().map(Vec::as_slice).ok_or_else(|| fault(key, value, "a list"))
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Result<bool> {
        let value = self.required(key)?;
        value.as_bool().ok_or_else(|| fault(key, value, "true or false"))
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn count(&mut self, key: &'static str, min: usize, max: usize) -> Result<usize> {
        let value = self.required(key)?;
        in_range(key, value, min, max)
    }

    /// Two whole numbers from `min` to `max`: for height and width.
    pub(crate) fn pair(&mut self, key: &'static str, min: usize, max: usize) -> Result<[usize; 2]> {
        let value = self.required(key)?;
        match value.as_array().map(Vec::as_slice) {
            Some([height, width]) => Ok([in_range(key, height, min, max)?, in_range(key, width, min, max)?]),
            _ => Err(fault(key, value, "two numbers")),
        }
    }

    /// A finite binary32 number.
    pub(crate) fn number(&mut self, key: &'static str) -> Result<f32> {
        let value = self.required(key)?;
        finite(key, value)
    }

    pub(crate) fn optional_number(&mut self, key: &'static str) -> Result<Option<f32>> {
        self.optional(key).map(|value| finite(key, value)).transpose()
    }

    /// # Errors
    /// [`lcrs_core::ErrorKind::UnsupportedVersion`] if there is a member that nobody asked for: it may change a result.
    pub(crate) fn finish(self) -> Result<()> {
        match self.members.keys().find(|key| !self.asked.contains(&key.as_str())) {
            Some(key) => Err(Error::unsupported(format!("unknown key '{key}'"))),
            None => Ok(()),
        }
    }
}

/// Refuses every version but `known`, in words for the one before the first stable one.
///
/// # Errors
/// [`lcrs_core::ErrorKind::UnsupportedVersion`].
pub(crate) fn check_version(what: &str, version: &Value, known: u64) -> Result<()> {
    match version.as_u64() {
        Some(number) if number == known => Ok(()),
        Some(0) => {
            let message = format!("{what} version 0 was never stable, this build reads {known}: pack the model again");
            Err(Error::unsupported(message))
        }
        _ => Err(Error::unsupported(format!("{what} version {}, this build reads {known}", shown(version)))),
    }
}

fn fault(key: &str, value: &Value, wanted: &str) -> Error {
    Error::corrupt(format!("'{key}' is {}, must be {wanted}", shown(value)))
}

/// A value for messages, cut to a few words.
fn shown(value: &Value) -> String {
    let mut shown = value.to_string();
    if shown.len() > 40 {
        let end = (0..=40).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or(0);
        shown.truncate(end);
        shown.push_str("...");
    }
    shown
}

fn in_range(key: &str, value: &Value, min: usize, max: usize) -> Result<usize> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number.filter(|n| (min..=max).contains(n)).ok_or_else(|| fault(key, value, &format!("{min} to {max}")))
}

fn finite(key: &str, value: &Value) -> Result<f32> {
    // Digests do not tell -0 from 0, so neither do graphs.
    let number = value.as_f64().map(|number| number as f32 + 0.0);
    number.filter(|n| n.is_finite()).ok_or_else(|| fault(key, value, "a finite binary32 number"))
}
