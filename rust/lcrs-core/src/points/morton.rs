//! Morton order: points in the order of an octree's leaves, by their coordinates' bits in turn.
//!
//! Of each level, highest first, a code has three bits: x, then y, then z. Points nearby in space are mostly nearby in
//! this order, and the points of an octree's node are one run of it.

use super::coordinate::check_count;
use crate::{Pool, Result};

/// Bits of a coordinate that a code of 64 bits has room for.
pub const AXIS_BITS: u32 = 21;

/// Fewer points than this are sorted by one thread.
const FEW_POINTS: usize = 1 << 14;

/// The code of a point by the lower [`AXIS_BITS`] bits of its coordinates.
#[inline]
#[must_use]
pub const fn encode([x, y, z]: [u32; 3]) -> u64 {
    spread(x) << 2 | spread(y) << 1 | spread(z)
}

/// The coordinates of a code of 63 bits.
#[inline]
#[must_use]
pub const fn decode(code: u64) -> [u32; 3] {
    [gather(code >> 2), gather(code >> 1), gather(code)]
}

/// The code of a point of any coordinates, in 96 bits. Of points that [`encode`] has room for it is the same number.
#[inline]
#[must_use]
pub const fn encode_wide([x, y, z]: [u32; 3]) -> u128 {
    let high = encode([x >> AXIS_BITS, y >> AXIS_BITS, z >> AXIS_BITS]);
    (high as u128) << (3 * AXIS_BITS) | encode([x, y, z]) as u128
}

/// The coordinates of a code of 96 bits.
#[inline]
#[must_use]
pub const fn decode_wide(code: u128) -> [u32; 3] {
    let low = decode((code & ((1 << (3 * AXIS_BITS)) - 1)) as u64);
    let high = decode((code >> (3 * AXIS_BITS)) as u64);
    [low[0] | high[0] << AXIS_BITS, low[1] | high[1] << AXIS_BITS, low[2] | high[2] << AXIS_BITS]
}

/// The lower [`AXIS_BITS`] bits of `v`, two zeros before each.
#[inline]
const fn spread(v: u32) -> u64 {
    let mut v = v as u64 & 0x1f_ffff;
    v = (v | v << 32) & 0x001f_0000_0000_ffff;
    v = (v | v << 16) & 0x001f_0000_ff00_00ff;
    v = (v | v << 8) & 0x100f_00f0_0f00_f00f;
    v = (v | v << 4) & 0x10c3_0c30_c30c_30c3;
    (v | v << 2) & 0x1249_2492_4924_9249
}

/// Every third bit of `v`, from the lowest on.
#[inline]
const fn gather(v: u64) -> u32 {
    let mut v = v & 0x1249_2492_4924_9249;
    v = (v | v >> 2) & 0x10c3_0c30_c30c_30c3;
    v = (v | v >> 4) & 0x100f_00f0_0f00_f00f;
    v = (v | v >> 8) & 0x001f_0000_ff00_00ff;
    v = (v | v >> 16) & 0x001f_0000_0000_ffff;
    ((v | v >> 32) & 0x1f_ffff) as u32
}

/// The bits of the largest coordinate.
#[must_use]
pub fn axis_bits(points: &[[u32; 3]]) -> u32 {
    u32::BITS - points.iter().fold(0, |used, [x, y, z]| used | x | y | z).leading_zeros()
}

/// The indexes of `points` in Morton order; equal points are in the order that they are given in.
///
/// # Errors
/// [`crate::ErrorKind::Limit`] for more points than an index of 32 bits can count.
pub fn order(points: &[[u32; 3]], pool: &Pool) -> Result<Vec<u32>> {
    check_count(points.len(), "points")?;
    let axis_bits = axis_bits(points);
    let index_bits = usize::BITS - points.len().leading_zeros();
    // A key is a code and, below it, an index: keys differ, so any way to sort them gives the same order.
    Ok(if 3 * axis_bits + index_bits <= u64::BITS {
        let mask = (1 << index_bits) - 1;
        let keys = sorted(points, pool, |i, point| encode(point) << index_bits | i as u64);
        keys.into_iter().map(|key| (key & mask) as u32).collect()
    } else {
        let keys = sorted(points, pool, |i, point| encode_wide(point) << u32::BITS | i as u128);
        keys.into_iter().map(|key| key as u32).collect()
    })
}

/// The keys of all points, sorted.
fn sorted<K: Ord + Copy + Default + Send + Sync>(
    points: &[[u32; 3]],
    pool: &Pool,
    key: impl Fn(usize, [u32; 3]) -> K + Sync,
) -> Vec<K> {
    let parts = if points.len() < FEW_POINTS { 1 } else { pool.threads().next_power_of_two() };
    let size = points.len().div_ceil(parts).max(1);
    let mut keys = vec![K::default(); points.len()];
    let mut runs: Vec<&mut [K]> = keys.chunks_mut(size).collect();
    pool.map_mut(&mut runs, |part, run| {
        let begin = part * size;
        for (i, slot) in run.iter_mut().enumerate() {
            *slot = key(begin + i, points[begin + i]);
        }
        run.sort_unstable();
    });
    let mut size = size;
    while size < keys.len() {
        let mut merged = vec![K::default(); keys.len()];
        let mut pairs: Vec<(&[K], &mut [K])> = keys.chunks(2 * size).zip(merged.chunks_mut(2 * size)).collect();
        pool.map_mut(&mut pairs, |_, (pair, out)| merge(pair, size, out));
        (keys, size) = (merged, 2 * size);
    }
    keys
}

/// Merges the sorted runs `pair[..size]` and `pair[size..]`.
fn merge<K: Ord + Copy>(pair: &[K], size: usize, out: &mut [K]) {
    let (a, b) = pair.split_at(size.min(pair.len()));
    let (mut i, mut j) = (0, 0);
    for slot in out {
        let from_a = j == b.len() || (i < a.len() && a[i] < b[j]);
        *slot = if from_a { a[i] } else { b[j] };
        (i, j) = if from_a { (i + 1, j) } else { (i, j + 1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: one bit at a time.
    fn slow_code(point: [u32; 3]) -> u128 {
        (0..32).rev().fold(0, |code, bit| point.iter().fold(code, |code, v| code << 1 | u128::from(v >> bit & 1)))
    }

    #[test]
    fn x_comes_before_y_before_z() {
        assert_eq!([[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 2]].map(encode), [1, 2, 4, 8]);
        assert_eq!(encode_wide([u32::MAX; 3]), (1 << 96) - 1);
        assert_eq!(order(&[], &Pool::serial()), Ok(vec![]));
        assert_eq!(order(&[[7, 8, 9]; 3], &Pool::serial()), Ok(vec![0, 1, 2]));
    }

    proptest! {
        #[test]
        fn codes_are_those_of_the_definition_and_decode(point: [u32; 3]) {
            prop_assert_eq!(encode_wide(point), slow_code(point));
            prop_assert_eq!(decode_wide(encode_wide(point)), point);
            let small = point.map(|v| v >> (32 - AXIS_BITS));
            prop_assert_eq!(u128::from(encode(small)), slow_code(small));
            prop_assert_eq!(decode(encode(small)), small);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn the_order_is_stable_for_every_number_of_threads(seed: u32, bits in 0_u32..=32, threads in 1_usize..6) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.checked_shr(32 - bits).unwrap_or(0)
            };
            // enough points for threads to share them
            let points: Vec<[u32; 3]> = (0..FEW_POINTS + 11).map(|_| [next(), next(), next()]).collect();
            let mut expected: Vec<u32> = (0..points.len() as u32).collect();
            expected.sort_by_key(|i| slow_code(points[*i as usize]));
            prop_assert_eq!(order(&points, &Pool::new(threads).expect("threads"))?, expected);
        }
    }
}
