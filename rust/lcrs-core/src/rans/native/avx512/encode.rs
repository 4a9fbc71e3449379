//! Looking entries up and putting them on the states.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::digits::DigitWriter;
use super::super::encoder::RUN;
use super::super::Lanes;
use crate::cdf::CdfTable;

/// The fields `offset`, `max` and `base` of up to 64 rows, each in four registers.
type Heads = [[__m512i; 4]; 3];

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn load_heads(table: &CdfTable) -> Heads {
    let mut fields = [[0i32; 64]; 3];
    for (r, head) in table.heads().iter().enumerate() {
        (fields[0][r], fields[1][r], fields[2][r]) = (head.offset, head.max, head.base);
    }
    // SAFETY: 64 elements fill four registers.
    fields.map(|field| std::array::from_fn(|k| unsafe { _mm512_loadu_si512(field.as_ptr().add(16 * k).cast()) }))
}

/// Element `index` of 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn pick(field: [__m512i; 4], index: __m512i, is_high: __mmask16) -> __m512i {
    let low = _mm512_permutex2var_epi32(field[0], index, field[1]);
    let high = _mm512_permutex2var_epi32(field[2], index, field[3]);
    _mm512_mask_mov_epi32(low, is_high, high)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn look_up(
    table: &CdfTable,
    symbols: &[i32],
    indexes: &[i32],
    entries: &mut [u32],
    digits: &mut DigitWriter,
) -> Option<u64> {
    let heads = load_heads(table);
    let last_row = _mm512_set1_epi32(table.num_rows() as i32 - 1);
    let full = _mm512_set1_epi32(65536f32.to_bits() as i32);
    let mut sum = _mm512_setzero_si512();
    for at in (0..symbols.len()).step_by(16) {
        let here = ((1u32 << (symbols.len() - at).min(16)) - 1) as __mmask16;
        // SAFETY: the mask leaves out what is beyond the end.
        let (symbol, index) = unsafe {
            (
                _mm512_maskz_loadu_epi32(here, symbols.as_ptr().add(at)),
                _mm512_maskz_loadu_epi32(here, indexes.as_ptr().add(at)),
            )
        };
        // whole streams are looked up from the last run to the first, which the processor does not foresee
        _mm_prefetch::<_MM_HINT_T0>(symbols.as_ptr().wrapping_add(at).wrapping_sub(RUN).cast());
        _mm_prefetch::<_MM_HINT_T0>(indexes.as_ptr().wrapping_add(at).wrapping_sub(RUN).cast());
        if _mm512_cmpgt_epu32_mask(index, last_row) != 0 {
            return None;
        }
        let is_high = _mm512_cmpgt_epu32_mask(index, _mm512_set1_epi32(31));
        let [offset, max, base] = heads.map(|field| pick(field, index, is_high));
        // wraps only near 2^31, where it reads as an escape; the digits are spelled from 64 bits
        let position = _mm512_sub_epi32(symbol, offset);
        let k = _mm512_min_epu32(position, max);
        let escapes = _mm512_mask_cmpeq_epi32_mask(here, k, max);
        if escapes != 0 {
            digits.push_some(table, symbols, indexes, at, u32::from(escapes));
        }
        // SAFETY: entry `k <= max` of a row is in the table.
        let entry = unsafe { _mm512_i32gather_epi32::<4>(_mm512_add_epi32(base, k), table.entries().as_ptr().cast()) };
        // SAFETY: the mask leaves out what is beyond the end.
        unsafe { _mm512_mask_storeu_epi32(entries.as_mut_ptr().add(at).cast(), here, entry) };
        let frequency = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_srli_epi32::<16>(entry)));
        let cost = _mm512_maskz_srli_epi32::<15>(here, _mm512_sub_epi32(full, frequency));
        let (low, high) = (_mm512_and_si512(cost, _mm512_set1_epi64(0xffff_ffff)), _mm512_srli_epi64::<32>(cost));
        sum = _mm512_add_epi64(sum, _mm512_add_epi64(low, high));
    }
    Some(_mm512_reduce_add_epi64(sum) as u64)
}

/// Register `k` holds the lanes `k, 4 + k, 8 + k, ...`, so that 16-bit parts of the four registers come into the
/// order of symbols by shifts and blends alone.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi2,popcnt")]
pub(super) unsafe fn put_groups(lanes: &mut Lanes, entries: &[u32], room: &mut [u16], top: &mut usize) {
    let stride = _mm512_setr_epi64(0, 4, 8, 12, 16, 20, 24, 28);
    // SAFETY: `k + stride` are indexes of the 32 lanes.
    let mut x: [__m512i; 4] =
        std::array::from_fn(|k| unsafe { _mm512_i64gather_epi64::<8>(stride, lanes.as_ptr().add(k).cast()) });
    let even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    let odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    let iota: [u16; 32] = std::array::from_fn(|j| j as u16);
    // SAFETY: 32 elements of 16 bits are a register.
    let iota = unsafe { _mm512_loadu_si512(iota.as_ptr().cast()) };
    let (m16, one) = (_mm512_set1_epi64(0xffff), _mm512_set1_epi64(65536));
    let base = room.as_mut_ptr();
    // SAFETY: `top` is within `room`.
    let mut p = unsafe { base.add(*top) };
    for group in entries.chunks_exact(32).rev() {
        // SAFETY: a group fills two registers.
        let (e0, e1) =
            unsafe { (_mm512_loadu_si512(group.as_ptr().cast()), _mm512_loadu_si512(group.as_ptr().add(16).cast())) };
        let (e01, e23) = (_mm512_permutex2var_epi64(e0, even, e1), _mm512_permutex2var_epi64(e0, odd, e1));
        let start = [
            _mm512_and_si512(e01, m16),
            _mm512_and_si512(_mm512_srli_epi64::<32>(e01), m16),
            _mm512_and_si512(e23, m16),
            _mm512_and_si512(_mm512_srli_epi64::<32>(e23), m16),
        ];
        let frequency = [
            _mm512_and_si512(_mm512_srli_epi64::<16>(e01), m16),
            _mm512_srli_epi64::<48>(e01),
            _mm512_and_si512(_mm512_srli_epi64::<16>(e23), m16),
            _mm512_srli_epi64::<48>(e23),
        ];
        // the words of all lanes in order, those due moved to the end of the register, which ends at the top of the
        // stack
        let words =
            weave(x[0], _mm512_slli_epi64::<16>(x[1]), _mm512_slli_epi64::<32>(x[2]), _mm512_slli_epi64::<48>(x[3]));
        let tops =
            weave(_mm512_srli_epi64::<32>(x[0]), _mm512_srli_epi64::<16>(x[1]), x[2], _mm512_slli_epi64::<16>(x[3]));
        let limits =
            weave(_mm512_srli_epi64::<16>(e01), _mm512_srli_epi64::<32>(e01), _mm512_slli_epi64::<16>(e23), e23);
        let due = _mm512_cmpge_epu16_mask(tops, limits);
        let count = due.count_ones();
        let turn = _mm512_add_epi16(iota, _mm512_set1_epi16(count as i16));
        let words = _mm512_permutexvar_epi16(turn, _mm512_maskz_compress_epi16(due, words));
        // SAFETY: at most a word an entry has gone from `top`, which has a register more.
        unsafe {
            _mm512_storeu_si512(p.sub(32).cast(), words);
            p = p.sub(count as usize);
        }
        for k in 0..4 {
            let is_due = _mm512_cmpge_epu64_mask(_mm512_srli_epi64::<32>(x[k]), frequency[k]);
            let y = _mm512_mask_srli_epi64::<16>(x[k], is_due, x[k]);
            let rest = _mm512_mul_epu32(quotient(y, frequency[k]), _mm512_sub_epi64(one, frequency[k]));
            x[k] = _mm512_add_epi64(_mm512_add_epi64(y, start[k]), rest);
        }
    }
    // SAFETY: both point into `room`.
    *top = unsafe { p.offset_from(base) } as usize;
    for (k, &x) in x.iter().enumerate() {
        // SAFETY: as above.
        unsafe { _mm512_i64scatter_epi64::<8>(lanes.as_mut_ptr().add(k).cast(), stride, x) };
    }
}

/// Elements of 16 bits in turn from `a`, `b`, `c` and `d`, where they are in place.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn weave(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> __m512i {
    let (ab, cd) = (_mm512_mask_blend_epi16(0x2222_2222, a, b), _mm512_mask_blend_epi16(0x8888_8888, c, d));
    _mm512_mask_blend_epi16(0xcccc_cccc, ab, cd)
}

/// `y div f` for `y < 2^48`, `f < 2^16` and a quotient below 2^32, by two Newton steps from the 14-bit reciprocal.
/// `(y + 1/2) / f` is at least `2^-17` away from an integer, and the reciprocal's error moves it by less.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn quotient(y: __m512i, f: __m512i) -> __m512i {
    let (y, f, one) = (_mm512_cvtepi64_pd(y), _mm512_cvtepi64_pd(f), _mm512_set1_pd(1.0));
    let r = _mm512_rcp14_pd(f);
    let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(f, r, one), r);
    let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(f, r, one), r);
    _mm512_cvttpd_epi64(_mm512_fmadd_pd(y, r, _mm512_mul_pd(r, _mm512_set1_pd(0.5))))
}
