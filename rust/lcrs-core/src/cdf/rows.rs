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

/// The rows that an iterator makes, no more than a table has.
pub(super) fn collected(rows: impl Iterator<Item = Result<PmfRow>>) -> Result<Vec<PmfRow>> {
    let (mut all, mut entries) = (Vec::new(), 0);
    for row in rows {
        let row = row?;
        entries += row.pmf.len() + 1;
        if all.len() == CdfTable::MAX_ROWS || entries > CdfTable::MAX_ENTRIES {
            let (rows, most) = (CdfTable::MAX_ROWS, CdfTable::MAX_ENTRIES);
            return Err(Error::invalid(format!("table has more than {rows} rows or {most} entries")));
        }
        all.try_reserve(1).map_err(|_| Error::limit(format!("no memory for a table of {entries} entries")))?;
        all.push(row);
    }
    Ok(all)
}

/// The table of these rows.
pub(super) fn table(rows: &[PmfRow], precision: u32) -> Result<CdfTable> {
    let mut table = CdfTable::without_rows(rows.len(), precision)?;
    for (r, row) in rows.iter().enumerate() {
        let cdf = pmf_to_quantized_cdf(&row.pmf, precision).map_err(|e| e.at(format_args!("row {r}")))?;
        let cdf: Vec<i32> = cdf.iter().map(|&c| c as i32).collect(); // at most 2^precision
        table.add_row(&cdf, row.offset).map_err(|e| e.at(format_args!("row {r}")))?;
    }
    Ok(table)
}

/// Refuses a tail mass that leaves nothing for the row or nothing for the escape.
pub(super) fn check_tail_mass(tail_mass: f64) -> Result<()> {
    if tail_mass > 0.0 && tail_mass < 1.0 {
        Ok(())
    } else {
        Err(Error::invalid(format!("tail mass {tail_mass} is outside 0..1")))
    }
}
