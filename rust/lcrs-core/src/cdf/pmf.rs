//! From probabilities to integer frequencies, as CompressAI's `pmf_to_quantized_cdf` does it.

use crate::{Error, Result};

/// The largest precision of a table, in bits: totals are at most 2^16.
pub const MAX_PRECISION: u32 = 16;

/// Quantises a probability mass function to a cumulative one with total `2^precision` in which every
/// symbol has a frequency of at least 1.
///
/// Integer for integer CompressAI's function of that name: frequencies are rounded (half away from
/// zero), `r[i] = round(pmf[i] * 2^precision)` with a product in `f32`, rescaled by integer division,
/// `r[i] * 2^precision div sum of r`, the last symbol takes what is left over, and each
/// symbol that came out empty, in ascending order, takes 1 from the smallest frequency above 1
/// (the first of equal ones). `pmf` need not sum to 1. The result has `pmf.len() + 1` entries, from 0
/// to `2^precision`.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if `precision` is outside 1..=16, `pmf` is empty, longer than
/// `2^precision`, contains a negative or non-finite value, or rounds to zero or to more than 32 bits in total.
///
/// ```
/// let cdf = lcrs_core::cdf::pmf_to_quantized_cdf(&[0.1, 0.2, 0.0, 0.0], 16)?;
/// assert_eq!(cdf, [0, 21845, 65534, 65535, 65536]);
/// # Ok::<(), lcrs_core::Error>(())
/// ```
pub fn pmf_to_quantized_cdf(pmf: &[f32], precision: u32) -> Result<Vec<u32>> {
    check_precision(precision)?;
    if pmf.is_empty() || pmf.len() > 1 << precision {
        return Err(Error::invalid(format!(
            "pmf has {} entries, a precision of {precision} bits allows 1..={}",
            pmf.len(),
            1u32 << precision
        )));
    }
    let mut frequencies = rescaled(pmf, precision)?;
    fill_empty(&mut frequencies);
    let mut cdf = Vec::with_capacity(frequencies.len() + 1);
    let mut sum = 0;
    cdf.push(0);
    cdf.extend(frequencies.iter().map(|f| {
        sum += f;
        sum
    }));
    Ok(cdf)
}

/// Checks that `precision` is one that tables may have.
pub(super) fn check_precision(precision: u32) -> Result<()> {
    if (1..=MAX_PRECISION).contains(&precision) {
        Ok(())
    } else {
        Err(Error::invalid(format!("precision of {precision} bits is outside 1..={MAX_PRECISION}")))
    }
}

/// Frequencies that sum to `2^precision`; some may be 0.
fn rescaled(pmf: &[f32], precision: u32) -> Result<Vec<u32>> {
    let scale = (1u32 << precision) as f32;
    let mut total = 0u64;
    let mut rounded = Vec::with_capacity(pmf.len());
    for (i, &p) in pmf.iter().enumerate() {
        if !(p.is_finite() && p >= 0.0) {
            return Err(Error::invalid(format!("pmf entry {i} is {p}, it must be finite and not negative")));
        }
        let f = (p * scale).round(); // half away from zero
        total += f as u64;
        rounded.push(f as u64);
    }
    if total == 0 || total > u64::from(u32::MAX) {
        return Err(Error::invalid(format!("pmf sums to {total} / {scale}, which cannot be normalised")));
    }
    let mut frequencies: Vec<u32> = rounded.iter().map(|f| ((f << precision) / total) as u32).collect();
    let sum: u32 = frequencies.iter().sum();
    if let Some(last) = frequencies.last_mut() {
        *last += (1 << precision) - sum;
    }
    Ok(frequencies)
}

/// Gives every empty symbol a frequency of 1. A donor stays the smallest above 1 until it is drained to 1, and a filled
/// symbol never becomes a donor, so that one sort finds all donors. There is always one: the frequencies sum to at
/// least their number.
fn fill_empty(frequencies: &mut [u32]) {
    let empty: Vec<usize> = (0..frequencies.len()).filter(|&i| frequencies[i] == 0).collect();
    if empty.is_empty() {
        return;
    }
    let mut donors: Vec<usize> = (0..frequencies.len()).filter(|&i| frequencies[i] > 1).collect();
    donors.sort_by_key(|&i| frequencies[i]); // stable: the first of equal ones comes first
    let mut donors = donors.into_iter().peekable();
    for i in empty {
        while donors.next_if(|&j| frequencies[j] == 1).is_some() {}
        if let Some(&j) = donors.peek() {
            frequencies[j] -= 1;
            frequencies[i] = 1;
        }
    }
}
