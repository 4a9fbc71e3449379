//! What a run is given besides its inputs.

use lcrs_core::{Limits, Result, Runtime};

/// What a job runs on.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub rt: &'a Runtime,
    pub limits: &'a Limits,
    /// Of a variable-rate model.
    pub level: Option<f32>,
}

impl Job<'_> {
    /// The limits of what is done while `bytes` of `what` are held besides. Memory that is kept for later gives way to both.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Limit`] if that is more than may be held.
    pub(crate) fn holding(&self, bytes: u64, what: &str) -> Result<Limits> {
        let limits = self.limits.without(bytes, what)?;
        self.rt.settle(limits.max_bytes);
        Ok(limits)
    }
}
