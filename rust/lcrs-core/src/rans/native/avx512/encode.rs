//! Looking entries up and putting them on the states.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::digits::{DigitWriter, LateDigits};
use super::super::progress::{Symbols, Words};
use super::super::quotient::{ABOVE_ONE, FLOOR};
use super::super::{scalar, Lanes};
use crate::cdf::CdfTable;

/// The fields `offset`, `max` and `base` of up to 64 rows, each in four registers.
type Heads = [[__m512i; 4]; 3];

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn load_heads(table: &CdfTable) -> Heads {
    // SAFETY: 64 elements fill four registers.
    let load =
        |field: &[i32; 64]| std::array::from_fn(|k| unsafe { _mm512_loadu_si512(field[16 * k..].as_ptr().cast()) });
    table.first_heads().each_ref().map(load)
}

/// Symbols between the ones that are encoded and those before them that are fetched to the cache.
const AHEAD: usize = 512;

/// Element `index` of 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn pick(field: [__m512i; 4], index: __m512i, is_high: __mmask16) -> __m512i {
    let low = _mm512_permutex2var_epi32(field[0], index, field[1]);
    let high = _mm512_permutex2var_epi32(field[2], index, field[3]);
    _mm512_mask_mov_epi32(low, is_high, high)
}

/// What entries are looked up in.
#[derive(Clone, Copy)]
struct Tables<'a> {
    heads: Heads,
    last_row: __m512i,
    table: &'a CdfTable,
}

impl<'a> Tables<'a> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn new(table: &'a CdfTable) -> Self {
        Self { heads: load_heads(table), last_row: _mm512_set1_epi32(table.num_rows() as i32 - 1), table }
    }

    /// The entries of the symbols that `here` names, and which of them are escapes; nothing if an index is not a row.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn find(&self, symbol: __m512i, index: __m512i, here: __mmask16) -> Option<(__m512i, __mmask16)> {
        if _mm512_cmpgt_epu32_mask(index, self.last_row) != 0 {
            return None;
        }
        let is_high = _mm512_cmpgt_epu32_mask(index, _mm512_set1_epi32(31));
        let [offset, max, base] = self.heads.map(|field| pick(field, index, is_high));
        // wraps only near 2^31, where it reads as an escape; the digits are spelled from 64 bits
        let position = _mm512_sub_epi32(symbol, offset);
        let k = _mm512_min_epu32(position, max);
        // SAFETY: entry `k <= max` of a row is in the table.
        let entry =
            unsafe { _mm512_i32gather_epi32::<4>(_mm512_add_epi32(base, k), self.table.entries().as_ptr().cast()) };
        Some((entry, _mm512_mask_cmpeq_epi32_mask(here, k, max)))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn look_up(
    table: &CdfTable,
    symbols: &[i32],
    indexes: &[i32],
    entries: &mut [u32],
    digits: &mut DigitWriter,
) -> Option<()> {
    let tables = Tables::new(table);
    for at in (0..symbols.len()).step_by(16) {
        let here = ((1u32 << (symbols.len() - at).min(16)) - 1) as __mmask16;
        // SAFETY: the mask leaves out what is beyond the end.
        let (symbol, index) = unsafe {
            (
                _mm512_maskz_loadu_epi32(here, symbols.as_ptr().add(at)),
                _mm512_maskz_loadu_epi32(here, indexes.as_ptr().add(at)),
            )
        };
        let (entry, escapes) = tables.find(symbol, index, here)?;
        if escapes != 0 {
            digits.push_some(table, symbols, indexes, at, u32::from(escapes));
        }
        // SAFETY: the mask leaves out what is beyond the end.
        unsafe { _mm512_mask_storeu_epi32(entries.as_mut_ptr().add(at).cast(), here, entry) };
    }
    Some(())
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn cost(entries: &[u32]) -> u64 {
    scalar::cost(entries) // becomes a register at a time here
}

/// Where to find, from element `k` on, the numbers from `k` on: turns a register of 32 by `k`.
static TURN: [u16; 64] = {
    let mut table = [0; 64];
    let mut k = 0;
    while k < 64 {
        table[k] = k as u16;
        k += 1;
    }
    table
};

/// The place of lane `k` of the even and odd ones of a half.
const fn place(half: usize, k: usize) -> usize {
    16 * half + k
}

/// The states of 32 lanes and the stack that their words go to. Register `k` of a half holds its even or odd lanes, so
/// that both share one register of 32-bit elements in the order of symbols.
struct States {
    x: [[__m512i; 2]; 2],
    /// The order of words, from even and odd lanes to all.
    order: __m512i,
    base: *mut [u8; 2],
    /// The top of the stack.
    top: *mut [u8; 2],
}

impl States {
    /// `top` is within `room`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn load(lanes: &Lanes, room: &mut [[u8; 2]], top: usize) -> Self {
        let stride = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
        let load = |half, k| {
            // SAFETY: `place + stride` are indexes of the 32 lanes.
            unsafe { _mm512_i64gather_epi64::<8>(stride, lanes.as_ptr().add(place(half, k)).cast()) }
        };
        let order: [u16; 32] = std::array::from_fn(|j| (2 * (j % 16) + j / 16) as u16);
        // SAFETY: 32 elements of 16 bits are a register.
        let order = unsafe { _mm512_loadu_si512(order.as_ptr().cast()) };
        let base = room.as_mut_ptr();
        Self { x: [[load(0, 0), load(0, 1)], [load(1, 0), load(1, 1)]], order, base, top: base.wrapping_add(top) }
    }

    /// The states go back to `lanes`, and the top is told.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn store(self, lanes: &mut Lanes, top: &mut usize) {
        // SAFETY: both point into the same memory.
        *top = unsafe { self.top.offset_from(self.base) } as usize;
        let stride = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
        for (half, x) in self.x.iter().enumerate() {
            for (k, &x) in x.iter().enumerate() {
                // SAFETY: `place + stride` are indexes of the 32 lanes.
                unsafe { _mm512_i64scatter_epi64::<8>(lanes.as_mut_ptr().add(place(half, k)).cast(), stride, x) };
            }
        }
    }

    /// Puts a group, given as two registers of entries.
    ///
    /// # Safety
    /// There is room for a register of words below the top.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512ifma,bmi2,popcnt")]
    unsafe fn put(&mut self, entries: [__m512i; 2]) {
        let (m16, one) = (_mm512_set1_epi64(0xffff), _mm512_set1_epi64(65536));
        // the words of all lanes in order
        let [low, high] = self.x.map(|[even, odd]| _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd)));
        let words = _mm512_mask_blend_epi16(0xaaaa_aaaa, low, _mm512_slli_epi32::<16>(high));
        let words = _mm512_permutexvar_epi16(self.order, words);
        let mut due = 0;
        for (half, entry) in entries.into_iter().enumerate() {
            let start = [_mm512_and_si512(entry, m16), _mm512_and_si512(_mm512_srli_epi64::<32>(entry), m16)];
            let frequency = [_mm512_and_si512(_mm512_srli_epi64::<16>(entry), m16), _mm512_srli_epi64::<48>(entry)];
            for k in 0..2 {
                let x = &mut self.x[half][k];
                let is_due = _mm512_cmpge_epu64_mask(_mm512_srli_epi64::<32>(*x), frequency[k]);
                due |= _pdep_u32(u32::from(is_due), 0x5555 << place(half, k));
                let y = _mm512_mask_srli_epi64::<16>(*x, is_due, *x);
                let quotient = if k == 0 { quotient_by_newton(y, frequency[k]) } else { quotient(y, frequency[k]) };
                // the product is of the low 52 bits, in which the quotient is
                let rest = _mm512_sub_epi64(one, frequency[k]);
                *x = _mm512_madd52lo_epu64(_mm512_add_epi64(y, start[k]), quotient, rest);
            }
        }
        // those due move to the end of the register, which ends at the top of the stack
        let count = due.count_ones() as usize;
        // SAFETY: as the caller promises.
        unsafe {
            let turn = _mm512_loadu_si512(TURN[count..].as_ptr().cast());
            let words = _mm512_permutexvar_epi16(turn, _mm512_maskz_compress_epi16(due, words));
            _mm512_storeu_si512(self.top.sub(32).cast(), words);
            self.top = self.top.sub(count);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512ifma,bmi2,popcnt")]
pub(super) unsafe fn put_groups(lanes: &mut Lanes, entries: &[u32], room: &mut [[u8; 2]], top: &mut usize) {
    let mut states = States::load(lanes, room, *top);
    for group in entries.chunks_exact(32).rev() {
        // SAFETY: a group fills two registers; at most a word an entry has gone from `top`, which has a register more.
        unsafe {
            let [first, second] = [0, 16].map(|at| _mm512_loadu_si512(group.as_ptr().add(at).cast()));
            states.put([first, second]);
        }
    }
    states.store(lanes, top);
}

/// [`look_up`] and [`put_groups`] in one loop, in which the loads of the one hide behind the arithmetic of the other.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512ifma,bmi2,popcnt")]
pub(super) unsafe fn encode_groups(input: Symbols<'_>, output: Words<'_>, late_digits: &mut LateDigits) -> Option<()> {
    let (Symbols { table, symbols, indexes }, Words { lanes, room, top }) = (input, output);
    let tables = Tables::new(table);
    let mut states = States::load(lanes, room, *top);
    for at in (0..symbols.len()).step_by(32).rev() {
        // SAFETY: a group fills two registers.
        let load = |from: &[i32]| [0, 16].map(|k| unsafe { _mm512_loadu_si512(from.as_ptr().add(at + k).cast()) });
        let (symbol, index) = (load(symbols), load(indexes));
        for from in [symbols, indexes] {
            for k in [0, 16] {
                _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().wrapping_add(at + k).wrapping_sub(AHEAD).cast());
            }
        }
        let (first, first_escapes) = tables.find(symbol[0], index[0], !0)?;
        let (second, second_escapes) = tables.find(symbol[1], index[1], !0)?;
        let escapes = u32::from(first_escapes) | u32::from(second_escapes) << 16;
        if escapes != 0 {
            late_digits.push_some(table, symbols, indexes, at, escapes);
        }
        // SAFETY: at most a word a symbol has gone from `top`, which has a register more.
        unsafe { states.put([first, second]) };
    }
    states.store(lanes, top);
    Some(())
}

/// `y div f` in the low 52 bits, for `f <= y < 2^48`, `f < 2^16` and a quotient below 2^32.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn quotient(y: __m512i, f: __m512i) -> __m512i {
    let reciprocal = _mm512_div_pd(_mm512_set1_pd(ABOVE_ONE), _mm512_cvtepi64_pd(f));
    _mm512_castpd_si512(_mm512_fmadd_pd(_mm512_cvtepi64_pd(y), reciprocal, _mm512_set1_pd(FLOOR)))
}

/// As [`quotient`], by two Newton steps from the reciprocal of 14 bits: of use while the divider is busy.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn quotient_by_newton(y: __m512i, f: __m512i) -> __m512i {
    let (y, f) = (_mm512_cvtepi64_pd(y), _mm512_cvtepi64_pd(f));
    let r = _mm512_rcp14_pd(f);
    let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(f, r, _mm512_set1_pd(1.0)), r);
    let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(f, r, _mm512_set1_pd(ABOVE_ONE)), r);
    _mm512_castpd_si512(_mm512_fmadd_pd(y, r, _mm512_set1_pd(FLOOR)))
}
