//! From latents to integer symbols and back.

use super::float_control::with_ieee;
use crate::wide::wide;
use crate::{Error, Result, Simd};

/// Latents of this size and above are refused: their neighbours are further than one apart.
const SYMBOL_BOUND: f32 = 16_777_216.0; // 2^24

/// `out[i] = round_half_even(y[i] - means[i])`, the difference rounded to binary32 first; without means of `y[i]` itself.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if lengths differ, or a difference is not finite or has a magnitude of 2^24 or more;
/// the message has its position.
pub fn quantize(simd: Simd, y: &[f32], means: Option<&[f32]>, out: &mut [i32]) -> Result<()> {
    check_lengths(y.len(), means, out.len())?;
    if with_ieee(|| round_all(simd, y, means, out)) {
        return Ok(());
    }
    Err(illegal_symbol(y, means))
}

/// The error for latents of which one has no symbol.
pub(crate) fn illegal_symbol(y: &[f32], means: Option<&[f32]>) -> Error {
    let value = |i: usize| y[i] - means.map_or(0.0, |means| means[i]);
    let at = (0..y.len()).find(|&i| !is_legal(value(i))).unwrap_or(0);
    Error::invalid(format!(
        "latent minus mean is {} at position {at}, it must lie within -2^24 and 2^24",
        y.get(at).map_or(f32::NAN, |_| value(at))
    ))
}

/// Whether a difference has a symbol: it is finite and not too large.
#[inline(always)]
pub(crate) fn is_legal(value: f32) -> bool {
    value.abs() < SYMBOL_BOUND
}

wide! {
/// Writes the rounded differences, and says whether all were legal.
fn round_all(simd: Simd, y: &[f32], means: Option<&[f32]>, out: &mut [i32]) -> bool {
    let mut legal = true;
    let mut round = |value: f32, out: &mut i32| {
        legal &= is_legal(value);
        *out = round_half_even(value);
    };
    match means {
        Some(means) => y.iter().zip(means).zip(out.iter_mut()).for_each(|((y, m), out)| round(y - m, out)),
        None => y.iter().zip(out.iter_mut()).for_each(|(y, out)| round(*y, out)),
    }
    legal
}
}

/// Refuses decoded symbols that no encoder writes.
///
/// # Errors
/// [`crate::ErrorKind::Corrupt`] if a symbol has a magnitude of 2^24 or more; the message has its position.
pub fn check_symbols(symbols: &[i32]) -> Result<()> {
    let is_legal = |symbol: i32| symbol.unsigned_abs() < SYMBOL_BOUND as u32;
    if symbols.iter().fold(true, |legal, &symbol| legal & is_legal(symbol)) {
        return Ok(());
    }
    let at = symbols.iter().position(|&symbol| !is_legal(symbol)).unwrap_or(0);
    Err(Error::corrupt(format!("symbol at position {at} is {}, must be within -2^24 and 2^24", symbols[at])))
}

/// `out[i] = symbols[i] as f32 + means[i]`; without means the symbol itself.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if lengths differ.
pub fn dequantize(symbols: &[i32], means: Option<&[f32]>, out: &mut [f32]) -> Result<()> {
    check_lengths(symbols.len(), means, out.len())?;
    with_ieee(|| match means {
        Some(means) => symbols.iter().zip(means).zip(out).for_each(|((s, m), out)| *out = *s as f32 + m),
        None => symbols.iter().zip(out).for_each(|(s, out)| *out = *s as f32),
    });
    Ok(())
}

/// `out[i] = round_half_even((y[i] - means[i]) / step)`, difference and quotient rounded to binary32; without means of `y[i] / step`.
///
/// # Errors
/// As [`quantize`].
pub fn quantize_with_step_size(simd: Simd, y: &[f32], means: Option<&[f32]>, step: f32, out: &mut [i32]) -> Result<()> {
    check_lengths(y.len(), means, out.len())?;
    let difference = |i: usize| means.map_or(y[i], |means| y[i] - means[i]);
    let scaled = with_ieee(|| (0..y.len()).map(|i| difference(i) / step).collect::<Vec<_>>());
    quantize(simd, &scaled, None, out)
}

/// `out[i] = symbols[i] as f32 * step + means[i]`, product and sum rounded to binary32; without means the product itself.
///
/// # Errors
/// As [`dequantize`].
pub fn dequantize_with_step_size(symbols: &[i32], means: Option<&[f32]>, step: f32, out: &mut [f32]) -> Result<()> {
    check_lengths(symbols.len(), means, out.len())?;
    let product = |i: usize| symbols[i] as f32 * step;
    let value = |i: usize| means.map_or(product(i), |means| product(i) + means[i]);
    with_ieee(|| out.iter_mut().enumerate().for_each(|(i, out)| *out = value(i)));
    Ok(())
}

/// The nearest integer, ties to even, of a number below 2^31: adding 1.5 * 2^52 in binary64 rounds it into the low bits.
#[inline(always)]
pub(crate) fn round_half_even(value: f32) -> i32 {
    const ROUNDER: f64 = 6_755_399_441_055_744.0;
    (f64::from(value) + ROUNDER).to_bits() as u32 as i32
}

fn check_lengths(values: usize, means: Option<&[f32]>, out: usize) -> Result<()> {
    if values != out || means.is_some_and(|means| means.len() != values) {
        let means = means.map_or("no".to_string(), |means| means.len().to_string());
        return Err(Error::invalid(format!("{values} values, {means} means and room for {out} results do not fit")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::testing::{compare, number};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_plain_symbols(
            pairs in prop::collection::vec((-1e7_f32..1e7, -100.0_f32..100.0), 1..150),
            odd in number(),
        ) {
            let (mut y, means): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let symbols = |y: &[f32], means: Option<&[f32]>| {
                compare(|simd| {
                    let mut out = vec![0; y.len()];
                    quantize(simd, y, means, &mut out).map(|()| out)
                });
            };
            symbols(&y, None);
            symbols(&y, Some(&means));
            let middle = y.len() / 2;
            y[middle] = odd;
            symbols(&y, Some(&means));
        }
    }

    #[test]
    fn rounding_is_half_to_even_over_the_whole_range() {
        for value in
            [0.5, -0.5, 1.5, -1.5, 2.5, 0.499_999_97, -0.499_999_97, 8_388_607.5, -8_388_607.5, 16_777_215.0, -0.0]
        {
            assert_eq!(round_half_even(value), value.round_ties_even() as i32, "{value}");
        }
        for i in -200_000_i32..200_000 {
            let value = i as f32 * 0.03125;
            assert_eq!(round_half_even(value), value.round_ties_even() as i32, "{value}");
        }
    }

    #[test]
    fn illegal_latents_name_their_position() {
        let mut out = [0; 3];
        for bad in [f32::NAN, f32::INFINITY, -16_777_216.0] {
            let error = quantize(Simd::Scalar, &[1.0, 2.0, bad], None, &mut out).expect_err("must be refused");
            assert!(error.message().contains("position 2"), "{error}");
        }
        quantize(Simd::Scalar, &[16_777_215.0, -16_777_215.0, 0.0], None, &mut out).expect("legal");
        assert_eq!(out, [16_777_215, -16_777_215, 0]);
    }

    #[test]
    fn symbols_that_no_encoder_writes_are_refused() {
        assert!(check_symbols(&[16_777_215, -16_777_215, 0]).is_ok());
        for bad in [16_777_216, -16_777_216, i32::MAX, i32::MIN] {
            let error = check_symbols(&[0, bad]).expect_err("must be refused");
            assert!(error.message().contains("position 1"), "{error}");
        }
    }

    #[test]
    fn symbols_and_means_give_the_value_back() {
        let (y, means) = ([1.25, -7.6, 0.5], [0.5, -0.1, 0.0]);
        let mut symbols = [0; 3];
        quantize(Simd::Scalar, &y, Some(&means), &mut symbols).expect("legal");
        assert_eq!(symbols, [1, -8, 0]);
        let mut back = [0.0; 3];
        dequantize(&symbols, Some(&means), &mut back).expect("fits");
        assert_eq!(back, [1.5, -8.1, 0.0]);
        assert!(quantize(Simd::Scalar, &y, Some(&means[..2]), &mut symbols).is_err());
    }
}
