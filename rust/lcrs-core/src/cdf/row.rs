//! One row of a table, as readers and as coders see it.

/// One row of a [`super::CdfTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Cumulative frequencies, from 0 to `2^precision`, strictly increasing.
    pub cdf: &'a [u32],
    /// The value that entry 0 stands for.
    pub offset: i32,
    /// Number of cumulative frequencies: `cdf.len()`, two more than the number of values.
    pub length: usize,
}

/// What the encoder needs to know of a row. Four 32-bit fields, which the SIMD paths gather.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct RowHead {
    /// The value of entry 0.
    pub(crate) offset: i32,
    /// The escape entry, which is the number of values.
    pub(crate) max: i32,
    /// Where the row begins in the entries of all rows.
    pub(crate) base: i32,
    /// Makes rows 16 bytes apart.
    _pad: i32,
}

impl RowHead {
    pub(super) fn new(offset: i32, max: i32, base: i32) -> Self {
        Self { offset, max, base, _pad: 0 }
    }
}
