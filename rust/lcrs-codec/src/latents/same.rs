//! Whether two sets of values belong to the same symbols.

use lcrs_core::exact::Tensor;
use lcrs_core::{Error, Result};

/// Values may differ by less than this part of a step when symbols are the same.
const TOLERANCE: f32 = 0.25;

/// Checks that values of which some lie off by less than half a step belong to the same symbols.
pub(crate) fn check_same(given: &Tensor, decoded: &Tensor, step: f32) -> Result<()> {
    // NaN is far, too.
    let is_near = |given: f32, decoded: f32| (given - decoded).abs() < TOLERANCE * step;
    let far = |(given, decoded): (&f32, &f32)| !is_near(*given, *decoded);
    match given.data().iter().zip(decoded.data()).position(far) {
        None => Ok(()),
        Some(i) => {
            let (row, column) = (i / (given.channels() * given.width()), i / given.channels() % given.width());
            let (channel, value, ours) = (i % given.channels(), given.data()[i], decoded.data()[i]);
            Err(Error::desync(format!(
                "value {value} of channel {channel} at row {row}, column {column} is none of this model's (nearest: {ours})"
            )))
        }
    }
}
