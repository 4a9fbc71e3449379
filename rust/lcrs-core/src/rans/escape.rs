//! Values outside a row: folded into one number without sign, which each stream kind spells in its own digits.

use crate::{Error, Result};

/// The number for `position = value - offset`, which is below 0 or at least `max`.
#[inline]
pub(super) fn fold(position: i64, max: i64) -> u64 {
    if position < 0 {
        (-2 * position - 1) as u64
    } else {
        (2 * (position - max)) as u64
    }
}

/// The value that `raw` stands for in a row with this offset and `max` values. `raw` is below 2^40.
///
/// # Errors
/// [`crate::ErrorKind::Corrupt`] if it is not an `i32`.
pub(super) fn unfold(raw: u64, offset: i32, max: i32) -> Result<i32> {
    let half = (raw >> 1) as i64;
    let position = if raw & 1 == 1 { -half - 1 } else { half + i64::from(max) };
    let value = position + i64::from(offset);
    i32::try_from(value).map_err(|_| Error::corrupt(format!("escaped value {value} does not fit 32 bits")))
}
