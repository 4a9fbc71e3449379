//! Putting probability rows together to a table.

use super::{pmf_to_quantized_cdf, CdfTable, MAX_PRECISION};
use crate::{Error, Result};

/// Entries of one row, the escape included: each needs a frequency of at least 1.
pub(super) const MAX_ROW: usize = 1 << MAX_PRECISION;

/// One row: probabilities of the values from `offset` on, and last that of all other values.
pub(super) struct PmfRow {
    pub(super) pmf: Vec<f32>,
    pub(super) offset: i32,
}

/// The table of these rows.
pub(super) fn table(rows: &[PmfRow], precision: u32) -> Result<CdfTable> {
    let width = rows.iter().map(|row| row.pmf.len() + 1).max().unwrap_or(0);
    let mut cdfs = Vec::with_capacity(rows.len() * width);
    for (r, row) in rows.iter().enumerate() {
        let cdf = pmf_to_quantized_cdf(&row.pmf, precision).map_err(|e| e.at(format_args!("row {r}")))?;
        cdfs.extend(cdf.iter().map(|&c| c as i32)); // at most 2^precision
        cdfs.resize((r + 1) * width, 0);
    }
    let lengths: Vec<i32> = rows.iter().map(|row| row.pmf.len() as i32 + 1).collect();
    let offsets: Vec<i32> = rows.iter().map(|row| row.offset).collect();
    CdfTable::new(&cdfs, width, &lengths, &offsets, precision)
}

/// Refuses a tail mass that leaves nothing for the row or nothing for the escape.
pub(super) fn check_tail_mass(tail_mass: f64) -> Result<()> {
    if tail_mass > 0.0 && tail_mass < 1.0 {
        Ok(())
    } else {
        Err(Error::invalid(format!("tail mass {tail_mass} is outside 0..1")))
    }
}
