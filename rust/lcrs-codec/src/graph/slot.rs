//! The values of a graph while it runs.

use lcrs_core::exact::Tensor;
use lcrs_core::{Error, Result};

use super::job::Job;

/// A value while the graph runs.
pub(super) enum Slot<'a> {
    /// An input, which belongs to the caller.
    Borrowed(&'a Tensor),
    Owned(Tensor),
    /// Nobody takes it, or nobody does any more.
    Free,
}

impl Slot<'_> {
    pub(super) fn get(&self) -> Result<&Tensor> {
        match self {
            Self::Borrowed(tensor) => Ok(tensor),
            Self::Owned(tensor) => Ok(tensor),
            Self::Free => Err(Error::corrupt("value is used after its last use")),
        }
    }

    /// The tensor, for changing in place: moved out if `is_last`, else copied.
    pub(super) fn take(&mut self, is_last: bool, job: Job<'_>) -> Result<Tensor> {
        if is_last && matches!(self, Self::Owned(_)) {
            if let Self::Owned(tensor) = std::mem::replace(self, Self::Free) {
                return Ok(tensor);
            }
        }
        self.get()?.try_clone(job.rt, job.limits)
    }
}
