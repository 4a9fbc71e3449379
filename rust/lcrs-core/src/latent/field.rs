//! What is given for every value of a latent, or once for each channel.

use std::borrow::Cow;
use std::iter::repeat_n;

use crate::{Error, Result};

/// Properties of values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<'a, T> {
    /// One for each value: items, channels, pixels.
    Value(&'a [T]),
    /// One for each channel, the same in all items and pixels.
    Channel(&'a [T]),
}

impl<'a, T: Copy> Field<'a, T> {
    /// Told from each other by the number of values.
    pub(super) fn new(shape: [usize; 3], name: &str, values: &'a [T]) -> Result<Self> {
        let [items, channels, pixels] = shape;
        let total = channels.checked_mul(pixels).and_then(|n| n.checked_mul(items));
        if Some(values.len()) == total {
            Ok(Self::Value(values))
        } else if values.len() == channels && total.is_some() {
            Ok(Self::Channel(values))
        } else {
            let given = values.len();
            Err(Error::invalid(format!("{given} {name} are given for {items} x {channels} x {pixels} latents")))
        }
    }

    /// That of one item, which has so many values.
    pub(super) fn item(self, item: usize, len: usize) -> Self {
        match self {
            Self::Value(values) => Self::Value(&values[item * len..][..len]),
            Self::Channel(_) => self,
        }
    }

    pub(super) fn values(self) -> &'a [T] {
        match self {
            Self::Value(values) | Self::Channel(values) => values,
        }
    }

    /// One for each value.
    pub(super) fn expanded(self, [items, _, pixels]: [usize; 3]) -> Cow<'a, [T]> {
        match self {
            Self::Value(values) => Cow::Borrowed(values),
            Self::Channel(values) => {
                repeat_n(values, items).flatten().flat_map(|value| repeat_n(*value, pixels)).collect()
            }
        }
    }
}
