//! What is made for one instruction set, when it is first needed.

use std::sync::OnceLock;

use lcrs_core::{Result, Simd};

/// One value for each instruction set, made when it is first asked for.
#[derive(Debug)]
pub(crate) struct PerSimd<T>([OnceLock<T>; Simd::ALL.len()]);

impl<T> Default for PerSimd<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl<T> PerSimd<T> {
    /// The value for `simd`. Where several threads make it at the same time, all get the one that was ready first.
    pub(crate) fn get_or_make(&self, simd: Simd, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        let place = Simd::ALL.iter().position(|path| *path == simd).unwrap_or(0);
        if let Some(made) = self.0[place].get() {
            return Ok(made);
        }
        let made = make()?;
        Ok(self.0[place].get_or_init(|| made))
    }
}
