//! Tiles of eight by eight in registers.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::TILE;

/// As [`super::tiles_plain`], which it calls if the processor has no AVX2.
pub(super) fn tiles(from: &[i32], from_stride: usize, to: &mut [i32], to_stride: usize, tiles: [usize; 2]) {
    if tiles.contains(&0) {
        return;
    }
    if !is_x86_feature_detected!("avx2") {
        return super::tiles_plain(from, from_stride, to, to_stride, tiles);
    }
    let [rows, columns] = tiles.map(|count| count * TILE);
    assert!((rows - 1) * from_stride + columns <= from.len() && (columns - 1) * to_stride + rows <= to.len());
    for i in (0..rows).step_by(TILE) {
        for j in (0..columns).step_by(TILE) {
            // SAFETY: the processor has AVX2, and all elements of the tile exist in both matrices, as asserted.
            unsafe {
                let (from, to) = (from.as_ptr().add(i * from_stride + j), to.as_mut_ptr().add(j * to_stride + i));
                tile(from, from_stride, to, to_stride);
            }
        }
    }
}

/// One tile: pairs of rows are interleaved by elements, by pairs of elements, and by halves of registers.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile(from: *const i32, from_stride: usize, to: *mut i32, to_stride: usize) {
    // SAFETY: the caller has checked that eight elements are there in each of eight rows.
    let r: [__m256i; 8] = std::array::from_fn(|i| unsafe { _mm256_loadu_si256(from.add(i * from_stride).cast()) });
    let a: [__m256i; 8] = std::array::from_fn(|i| {
        let (low, high) = (r[i & !1], r[i | 1]);
        if i & 1 == 0 {
            _mm256_unpacklo_epi32(low, high)
        } else {
            _mm256_unpackhi_epi32(low, high)
        }
    });
    // columns 0, 1, 2, 3 (and 4 to 7 in the upper halves) of rows 0 to 3, then of rows 4 to 7
    let b: [__m256i; 8] = std::array::from_fn(|i| {
        let (low, high) = (a[(i & 4) + (i & 2) / 2], a[(i & 4) + (i & 2) / 2 + 2]);
        if i & 1 == 0 {
            _mm256_unpacklo_epi64(low, high)
        } else {
            _mm256_unpackhi_epi64(low, high)
        }
    });
    for k in 0..4 {
        let low = _mm256_permute2x128_si256::<0x20>(b[k], b[k + 4]);
        let high = _mm256_permute2x128_si256::<0x31>(b[k], b[k + 4]);
        // SAFETY: as above, for columns.
        unsafe {
            _mm256_storeu_si256(to.add(k * to_stride).cast(), low);
            _mm256_storeu_si256(to.add((k + 4) * to_stride).cast(), high);
        }
    }
}
