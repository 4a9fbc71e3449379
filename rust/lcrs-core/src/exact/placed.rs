//! Rows of a value, and where they lie in it.

use super::tensor::View;
use super::Tensor;
use crate::{Error, Result};
use std::ops::Range;

/// Some rows of a value, and where they lie in it.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// The rows that are there.
    pub rows: View<'a>,
    /// Which row of the value is the first of them.
    pub first: usize,
    /// Rows of the whole value.
    pub height: usize,
}

impl<'a> Placed<'a> {
    /// All rows of a tensor.
    #[must_use]
    pub fn whole(tensor: &'a Tensor) -> Self {
        Self { rows: tensor.view(), first: 0, height: tensor.height() }
    }

    /// Some of the rows, counted in the whole value.
    pub(super) fn cut(self, rows: &Range<usize>) -> Result<Self> {
        let there = self.first..self.first + self.rows.height();
        if rows.start < there.start || rows.end > there.end {
            return Err(Error::corrupt(format!("rows {rows:?} are needed, {there:?} are there")));
        }
        let view = self.rows.rows(rows.start - self.first..rows.end - self.first)?;
        Ok(Self { rows: view, first: rows.start, ..self })
    }

    /// The elements of row `y` of the whole value.
    pub(super) fn row(self, y: usize) -> &'a [f32] {
        let len = self.rows.row_len();
        &self.rows.data()[(y - self.first) * len..][..len]
    }
}
