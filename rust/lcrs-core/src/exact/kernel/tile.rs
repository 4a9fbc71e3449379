//! Some columns of a matrix, which one thread may write while others write the rest.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::Range;

/// The columns of some outputs in a row-major matrix of positions x outputs.
#[derive(Debug)]
pub(crate) struct Tile<'a> {
    /// The matrix; only elements of `columns` are ours.
    matrix: *mut f32,
    rows: usize,
    row_len: usize,
    columns: Range<usize>,
    _ours: PhantomData<&'a mut [f32]>,
}

impl<'a> Tile<'a> {
    /// These columns of rows of `row_len` elements.
    ///
    /// # Panics
    /// If rows do not have such columns: a bug of the caller.
    pub(crate) fn new(matrix: &'a mut [f32], row_len: usize, columns: Range<usize>) -> Self {
        // SAFETY: the whole matrix is borrowed for as long as the tile lives.
        unsafe { Self::shared(matrix.as_mut_ptr(), matrix.len(), row_len, columns) }
    }

    /// The same of a matrix that others use too.
    ///
    /// # Safety
    /// `matrix` points to `len` numbers that live for `'a`; meanwhile nobody else reads or writes these columns of them.
    ///
    /// # Panics
    /// As [`Tile::new`].
    pub(crate) unsafe fn shared(matrix: *mut f32, len: usize, row_len: usize, columns: Range<usize>) -> Self {
        assert!(columns.start <= columns.end && columns.end <= row_len, "columns outside a matrix");
        Self { matrix, rows: len / row_len.max(1), row_len, columns, _ours: PhantomData }
    }

    /// The outputs that the columns stand for.
    pub(super) fn columns(&self) -> &Range<usize> {
        &self.columns
    }

    /// From one row to the next, in elements.
    pub(super) fn row_len(&self) -> usize {
        self.row_len
    }

    /// The first column in `row`.
    ///
    /// # Panics
    /// If there are not `count` rows from there on: a bug of the caller.
    #[inline(always)]
    pub(super) fn at(&mut self, row: usize, count: usize) -> *mut f32 {
        assert!(count <= self.rows && row <= self.rows - count, "rows outside a matrix");
        self.matrix.wrapping_add(row * self.row_len + self.columns.start)
    }

    /// The columns in `row`.
    ///
    /// # Panics
    /// If there is no such row: a bug of the caller.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let first = self.at(row, 1);
        // SAFETY: `at` has checked the row, `shared` the columns; they are ours, and borrowed from us.
        unsafe { std::slice::from_raw_parts_mut(first, self.columns.len()) }
    }
}
