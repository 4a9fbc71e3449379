//! What a run is given besides its inputs.

use lcrs_core::{Limits, Runtime};

/// What a job runs on.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub rt: &'a Runtime,
    pub limits: &'a Limits,
    /// Of a variable-rate model.
    pub level: Option<f32>,
}
