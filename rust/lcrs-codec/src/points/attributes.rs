//! Properties of points, without loss: each is predicted from points before it, and the differences are coded.
//!
//! A property is a column of codes ([`super::values`]) in the order of the points of a file. Where it takes few values, these are listed, and
//! the codes are places in the list. An encoder takes the predictor that leaves the smallest differences.

use lcrs_core::{Error, Limits, Pool, Result, Runtime};
use lcrs_format::{read_varint, write_varint};

use super::residuals::{decode, encode};
use crate::container::from_format;

/// Points before one in which those nearest to it are looked for.
const NEAR: usize = 16;

/// Longest list of values, and the most of the points that it may be, as 1 / this.
const MAX_LIST: usize = 4096;
const LIST_SHARE: usize = 8;

/// Points that are looked at before it is asked whether the job is interrupted.
const BLOCK: usize = 1 << 14;

/// Points that predictors are compared on.
const TRIAL_POINTS: usize = 1 << 16;

/// Flags of the first byte of a section.
const PREDICTOR: u8 = 0b11;
const LISTED: u8 = 0b100;
const REFERRED: u8 = 0b1000;

/// What a value is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Predictor {
    /// 0.
    Nothing,
    /// The value before.
    Previous,
    /// The mean of the values of the points that are nearest among the [`NEAR`] before, rounded down.
    Near,
}

impl Predictor {
    const ALL: [Self; 3] = [Self::Nothing, Self::Previous, Self::Near];
}

/// A column that is coded or known: places in a list, or codes.
pub(super) struct Column {
    bits: u32,
    numbers: Vec<u64>,
    /// Whether it is a list of values: then nothing refers to it.
    is_listed: bool,
}

/// Where the nearest of the points before each one are: bit b of a point for the one b + 1 before.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`], [`lcrs_core::ErrorKind::Interrupted`].
pub(super) fn near(voxels: &[[u32; 3]], pool: &Pool, limits: &Limits) -> Result<Vec<u16>> {
    let mut near: Vec<u16> = limits.zeroed(voxels.len(), "neighbours")?;
    let mut blocks: Vec<&mut [u16]> = near.chunks_mut(BLOCK).collect();
    pool.map_mut(&mut blocks, |block, flags| {
        if pool.check().is_ok() {
            flags.iter_mut().zip(block * BLOCK..).for_each(|(flags, i)| *flags = near_one(voxels, i));
        }
    });
    pool.check()?;
    Ok(near)
}

fn near_one(voxels: &[[u32; 3]], i: usize) -> u16 {
    let (mut least, mut flags) = (u64::MAX, 0);
    for back in 1..=NEAR.min(i) {
        let distance = (0..3).map(|axis| u64::from(voxels[i][axis].abs_diff(voxels[i - back][axis]))).sum();
        if distance < least {
            (least, flags) = (distance, 0);
        }
        if distance == least {
            flags |= 1 << (back - 1);
        }
    }
    flags
}

/// The prediction of number `i` from those before.
fn predicted(predictor: Predictor, numbers: &[u64], near: &[u16], i: usize) -> u64 {
    match predictor {
        Predictor::Nothing => 0,
        Predictor::Previous => i.checked_sub(1).map_or(0, |before| numbers[before]),
        Predictor::Near => {
            let (mut flags, mut sum, count) = (near[i], 0_u128, u128::from(near[i].count_ones()));
            if count == 0 {
                return 0;
            }
            while flags != 0 {
                sum += u128::from(numbers[i - 1 - flags.trailing_zeros() as usize]);
                flags &= flags - 1;
            }
            (sum / count) as u64
        }
    }
}

/// A difference in a ring of `bits` bits as a number that is small if the difference is.
fn folded(difference: u64, bits: u32) -> u64 {
    let shift = 64 - bits;
    let signed = (difference << shift) as i64 >> shift;
    ((signed << 1) ^ (signed >> 63)) as u64 & (u64::MAX >> shift)
}

fn unfolded(folded: u64) -> u64 {
    (folded >> 1) ^ (folded & 1).wrapping_neg()
}

/// What is added to the prediction of number `i`: by how much the other column is off there.
fn off(predictor: Predictor, other: Option<&Column>, near: &[u16], i: usize) -> u64 {
    other.map_or(0, |other| other.numbers[i].wrapping_sub(predicted(predictor, &other.numbers, near, i)))
}

/// The section of a column of codes of `bits` bits, and what later columns may refer to.
pub(super) fn encode_column(
    codes: Vec<u64>,
    bits: u32,
    before: &[Column],
    near: &[u16],
    rt: &Runtime,
    limits: &Limits,
) -> Result<(Vec<u8>, Column)> {
    let mut out = Vec::new();
    let list = short_list(&codes);
    let column = match &list {
        Some(list) => {
            let place = |code: &u64| list.binary_search(code).map_or(0, |place| place as u64);
            Column { bits: list_bits(list.len()), numbers: codes.iter().map(place).collect(), is_listed: true }
        }
        None => Column { bits, numbers: codes, is_listed: false },
    };
    let referred = referable(before, &column);
    let trials = Predictor::ALL.into_iter().flat_map(|predictor| [(predictor, false), (predictor, true)]);
    let trials = trials.filter(|(_, refers)| !refers || referred.is_some());
    let cost = |(predictor, refers): &(Predictor, bool)| {
        let other = if *refers { referred.map(|at| &before[at]) } else { None };
        let from = (column.numbers.len().saturating_sub(TRIAL_POINTS)) / 2;
        let points = from..(from + TRIAL_POINTS).min(column.numbers.len());
        points
            .map(|i| u64::from(u64::BITS - residual(&column, *predictor, other, near, i).leading_zeros()))
            .sum::<u64>()
    };
    let (predictor, refers) = trials.min_by_key(cost).unwrap_or((Predictor::Nothing, false));
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.push(predictor as u8 | flag(list.is_some(), LISTED) | flag(refers, REFERRED));
    if let (Some(at), true) = (referred, refers) {
        out.push(at as u8);
    }
    if let Some(list) = &list {
        write_varint(&mut out, list.len() as u64);
        let mut last = 0;
        for value in list {
            write_varint(&mut out, value - last);
            last = *value;
        }
    }
    let other = if refers { referred.map(|at| &before[at]) } else { None };
    let mut residuals: Vec<u64> = limits.zeroed(column.numbers.len(), "differences")?;
    let mut blocks: Vec<&mut [u64]> = residuals.chunks_mut(BLOCK).collect();
    rt.pool.map_mut(&mut blocks, |block, places| {
        if rt.pool.check().is_ok() {
            let each = places.iter_mut().zip(block * BLOCK..);
            each.for_each(|(place, i)| *place = residual(&column, predictor, other, near, i));
        }
    });
    rt.pool.check()?;
    out.extend(encode(&residuals, column.bits, rt)?);
    Ok((out, column))
}

fn residual(column: &Column, predictor: Predictor, other: Option<&Column>, near: &[u16], i: usize) -> u64 {
    let expected = predicted(predictor, &column.numbers, near, i).wrapping_add(off(predictor, other, near, i));
    folded(column.numbers[i].wrapping_sub(expected), column.bits)
}

/// The codes of a column of `bits` bits in its section, and what later columns may refer to.
///
/// # Errors
/// `Truncated`, `Corrupt` or `Desync` for a section of something else, [`lcrs_core::ErrorKind::Interrupted`].
pub(super) fn decode_column(
    data: &[u8],
    bits: u32,
    before: &[Column],
    near: &[u16],
    rt: &Runtime,
    limits: &Limits,
) -> Result<(Vec<u64>, Column)> {
    let (&flags, mut data) = data.split_first().ok_or_else(|| Error::truncated("it is empty"))?;
    let predictor = Predictor::ALL.get(usize::from(flags & PREDICTOR)).copied();
    let predictor = predictor.filter(|_| flags & !(PREDICTOR | LISTED | REFERRED) == 0);
    let predictor = predictor.ok_or_else(|| Error::unsupported(format!("unknown prediction {flags:#04x}")))?;
    let mut column = Column { bits, numbers: Vec::new(), is_listed: flags & LISTED != 0 };
    let mut at = None;
    if flags & REFERRED != 0 {
        let (&other, rest) = data.split_first().ok_or_else(|| Error::truncated("it ends after its first byte"))?;
        (at, data) = (Some(usize::from(other)), rest);
    }
    let mut list: Vec<u64> = Vec::new();
    if column.is_listed {
        let (count, rest) = read_varint(data, "number of values").map_err(from_format)?;
        let count = usize::try_from(count).ok().filter(|count| (1..=MAX_LIST).contains(count));
        let count = count.ok_or_else(|| Error::corrupt(format!("list of values is not of 1 to {MAX_LIST}")))?;
        data = rest;
        for i in 0..count {
            let (more, rest) = read_varint(data, "value of a list").map_err(from_format)?;
            let value = list.last().copied().unwrap_or(0_u64).checked_add(more);
            let value = value.filter(|value| *value <= u64::MAX >> (64 - bits) && (more > 0 || i == 0));
            list.push(value.ok_or_else(|| Error::corrupt("values of a list do not ascend within their type"))?);
            data = rest;
        }
        column.bits = list_bits(count);
    }
    let other = match at {
        Some(at) => match before.get(at).filter(|other| refers_well(other, &column)) {
            Some(other) => Some(other),
            None => {
                return Err(Error::corrupt(format!("it refers to attribute {at}, which is none before it of its type")))
            }
        },
        None => None,
    };
    let mut numbers = decode(data, near.len(), column.bits, rt, limits)?;
    let mask = u64::MAX >> (64 - column.bits);
    for i in 0..numbers.len() {
        if i % BLOCK == 0 {
            rt.pool.check()?;
        }
        let expected = predicted(predictor, &numbers, near, i).wrapping_add(off(predictor, other, near, i));
        numbers[i] = expected.wrapping_add(unfolded(numbers[i])) & mask;
    }
    let codes = if column.is_listed {
        let mut codes: Vec<u64> = limits.zeroed(numbers.len(), "values")?;
        for (code, place) in codes.iter_mut().zip(&numbers) {
            let value = list.get(*place as usize);
            *code = *value.ok_or_else(|| Error::corrupt(format!("value {place} of a list of {}", list.len())))?;
        }
        codes
    } else {
        let mut codes: Vec<u64> = limits.zeroed(numbers.len(), "values")?;
        codes.copy_from_slice(&numbers);
        codes
    };
    column.numbers = numbers;
    Ok((codes, column))
}

/// The last column before that one may refer to.
fn referable(before: &[Column], column: &Column) -> Option<usize> {
    before.iter().rposition(|other| refers_well(other, column))
}

fn refers_well(other: &Column, column: &Column) -> bool {
    other.bits == column.bits && !other.is_listed && !column.is_listed
}

/// Bits of a place in a list.
fn list_bits(count: usize) -> u32 {
    (usize::BITS - (count - 1).leading_zeros()).max(1)
}

/// The values of a column in their order, if they are few and differ more than their places do.
fn short_list(codes: &[u64]) -> Option<Vec<u64>> {
    let most = MAX_LIST.min(codes.len() / LIST_SHARE);
    let mut seen = std::collections::BTreeSet::new();
    for code in codes {
        if seen.insert(*code) && seen.len() > most {
            return None;
        }
    }
    let (first, last) = (*seen.first()?, *seen.last()?);
    // values without gaps are as good as their places
    (last - first >= 2 * seen.len() as u64).then(|| seen.into_iter().collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn columns_come_back(bits in 1_u32..=64, seed: u64, count in 0_usize..120, step in 0_u32..64, spread in 1_u64..40) {
            let mask = u64::MAX >> (64 - bits);
            let mut state = seed | 1;
            let mut next = || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); state >> 33 };
            let voxels: Vec<[u32; 3]> = (0..count).map(|i| [i as u32 / 3, next() as u32 % 4, u32::MAX - next() as u32 % 2]).collect();
            let limits = Limits::default();
            let rt = Runtime::serial();
            let near = near(&voxels, &rt.pool, &limits).unwrap();
            let first: Vec<u64> = (0..count).map(|_| (next() % spread) << step & mask).collect();
            let second: Vec<u64> = first.iter().map(|v| v.wrapping_add(next() % 3) & mask).collect();
            let (mut coded, mut known) = (Vec::new(), Vec::new());
            for column in [&first, &second] {
                let (data, numbers) = encode_column(column.clone(), bits, &coded, &near, &rt, &limits).unwrap();
                coded.push(numbers);
                let (codes, numbers) = decode_column(&data, bits, &known, &near, &rt, &limits).unwrap();
                known.push(numbers);
                prop_assert_eq!(&codes, column);
                for cut in (0..data.len()).step_by(1 + data.len() / 8) {
                    prop_assert!(decode_column(&data[..cut], bits, &known[..known.len() - 1], &near, &rt, &limits).is_err());
                }
            }
        }
    }

    #[test]
    fn neighbours_do_not_depend_on_threads() {
        let voxels: Vec<[u32; 3]> = (0..2 * BLOCK as u32 + 77).map(|i| [i % 91, i * i % 17, i / 300]).collect();
        let limits = Limits::default();
        let serial = near(&voxels, &Pool::serial(), &limits).unwrap();
        assert_eq!(near(&voxels, &Pool::new(3).unwrap(), &limits).unwrap(), serial);
        assert_eq!((serial[0], serial[1]), (0, 1));
    }

    #[test]
    fn folding_is_a_bijection() {
        for bits in [1, 2, 8, 64] {
            let mask = u64::MAX >> (64 - bits);
            for difference in [0, 1, 2, 3, 100, u64::MAX, u64::MAX - 1, 1 << 63, 1 << 7] {
                let difference = difference & mask;
                assert_eq!(unfolded(folded(difference, bits)) & mask, difference);
            }
        }
        assert_eq!([0, 255, 1, 254].map(|difference| folded(difference, 8)), [0, 1, 2, 3]);
    }
}
