//! The AVX-512 path: 32 lanes (or 16 for decoding) in registers of eight states.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::digits::DigitWriter;
use super::encoder::RUN;
use super::path::Progress;
use super::Lanes;
use crate::cdf::{CdfTable, Narrow};
use crate::rans::words::MARGIN;
use crate::Simd;

/// Proof that this processor has what [`Simd::Avx512`] stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The lanes it is made for.
    pub(super) const LANES: usize = 32;
    /// Parts of groups smaller than this are faster one by one.
    pub(super) const MIN_PART: usize = 8;
    /// Rows whose heads fit the registers that entries are looked up with.
    pub(super) const MAX_ROWS: usize = 64;

    pub(super) fn new() -> Option<Self> {
        Simd::Avx512.is_available().then_some(Self(()))
    }

    /// Whether all indexes are below `num_rows`.
    pub(super) fn are_rows(self, indexes: &[i32], num_rows: usize) -> bool {
        // SAFETY: the processor has the features (see `new`).
        unsafe { are_rows(indexes, num_rows) }
    }

    /// As [`super::scalar::look_up`], for a table of at most [`Self::MAX_ROWS`] rows without certainty.
    pub(super) fn look_up(
        self,
        table: &CdfTable,
        symbols: &[i32],
        indexes: &[i32],
        entries: &mut [u32],
        digits: &mut DigitWriter,
    ) -> Option<u64> {
        assert!(table.num_rows() <= Self::MAX_ROWS && !table.has_certainty());
        assert!(symbols.len() == indexes.len() && symbols.len() == entries.len());
        // SAFETY: the processor has the features (see `new`); the sizes are as asserted.
        unsafe { look_up(table, symbols, indexes, entries, digits) }
    }

    /// As [`super::scalar::put_groups`] for 32 lanes; no frequency is 2^16.
    pub(super) fn put_groups(self, lanes: &mut Lanes, entries: &[u32], room: &mut [u16], top: &mut usize) {
        assert!(*top <= room.len() && *top >= entries.len() + MARGIN);
        // SAFETY: the processor has the features (see `new`); there is room for a word an entry and a register more.
        unsafe { put_groups(lanes, entries, room, top) }
    }

    /// As [`super::scalar::take_part`], for the lanes from `first` on of 16 or 32. There are words for all lanes of the group.
    pub(super) fn take_part(
        self,
        cells: Narrow<'_>,
        lanes: &mut Lanes,
        first: usize,
        words: &[u8],
        indexes: &[i32],
        out: &mut [i32],
    ) -> (usize, bool) {
        assert!(indexes.len() == out.len() && first + out.len() <= Self::LANES && words.len() >= 2 * Self::LANES);
        // SAFETY: the processor has the features (see `new`); the sizes are as asserted.
        unsafe { take_part(cells, lanes, first, words, indexes, out) }
    }

    /// As [`super::scalar::take_groups`], for 16 or 32 lanes.
    pub(super) fn take_groups(
        self,
        cells: Narrow<'_>,
        lanes: &mut Lanes,
        num_lanes: usize,
        words: &[u8],
        indexes: &[i32],
        out: &mut [i32],
    ) -> Progress {
        assert!(indexes.len() == out.len() && words.len() >= 2 * indexes.len());
        // SAFETY: the processor has the features (see `new`); there are as many words as symbols.
        unsafe {
            match num_lanes {
                32 => take_groups::<2>(cells, lanes, words, indexes, out),
                16 => take_groups::<1>(cells, lanes, words, indexes, out),
                _ => unreachable!("16 or 32 lanes"),
            }
        }
    }
}

#[target_feature(enable = "avx512f")]
fn are_rows(indexes: &[i32], num_rows: usize) -> bool {
    let (blocks, rest) = indexes.as_chunks::<16>();
    let top = blocks.iter().fold(_mm512_setzero_si512(), |top, block| {
        // SAFETY: 16 indexes are a register.
        _mm512_max_epu32(top, unsafe { _mm512_loadu_si512(block.as_ptr().cast()) })
    });
    let top = rest.iter().fold(_mm512_reduce_max_epu32(top), |top, &index| top.max(index as u32));
    (top as usize) < num_rows
}

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
unsafe fn look_up(
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
            push_escapes(table, symbols, indexes, at, u32::from(escapes), digits);
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

/// Spells the escapes among the symbols from `at` on that the mask names.
#[cold]
pub(super) fn push_escapes(
    table: &CdfTable,
    symbols: &[i32],
    indexes: &[i32],
    at: usize,
    mut escapes: u32,
    digits: &mut DigitWriter,
) {
    while escapes != 0 {
        let i = at + escapes.trailing_zeros() as usize;
        let head = table.heads()[indexes[i] as usize];
        digits.push(i64::from(symbols[i]) - i64::from(head.offset), i64::from(head.max));
        escapes &= escapes - 1;
    }
}

/// Register `k` holds the lanes `k, 4 + k, 8 + k, ...`, so that 16-bit parts of the four registers come into the order of symbols by
/// shifts and blends alone.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi2,popcnt")]
unsafe fn put_groups(lanes: &mut Lanes, entries: &[u32], room: &mut [u16], top: &mut usize) {
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
        // the words of all lanes in order, those due moved to the end of the register, which ends at the top of the stack
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

/// `y div f` for `y < 2^48`, `f < 2^16` and a quotient below 2^32, by two Newton steps from the 14-bit reciprocal. `(y + 1/2) / f` is at
/// least `2^-17` away from an integer, and the reciprocal's error moves it by less.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn quotient(y: __m512i, f: __m512i) -> __m512i {
    let (y, f, one) = (_mm512_cvtepi64_pd(y), _mm512_cvtepi64_pd(f), _mm512_set1_pd(1.0));
    let r = _mm512_rcp14_pd(f);
    let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(f, r, one), r);
    let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(f, r, one), r);
    _mm512_cvttpd_epi64(_mm512_fmadd_pd(y, r, _mm512_mul_pd(r, _mm512_set1_pd(0.5))))
}

/// The states of 16 lanes: bits 16 to 47 and bits 0 to 15 of each, in the order of lanes. So all but the product is done on 16 lanes
/// at a time.
#[derive(Clone, Copy)]
struct States {
    high: __m512i,
    low: __m512i,
}

impl States {
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn load(lanes: &[u64; 16]) -> Self {
        let [first, second] = [0, 8].map(|at| {
            // SAFETY: two registers of eight lanes.
            unsafe { _mm512_loadu_si512(lanes.as_ptr().add(at).cast()) }
        });
        let join =
            |a, b| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(a)), _mm512_cvtepi64_epi32(b));
        let low = _mm512_and_si512(join(first, second), _mm512_set1_epi32(0xffff));
        Self { high: join(_mm512_srli_epi64::<16>(first), _mm512_srli_epi64::<16>(second)), low }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn store(self, lanes: &mut [u64; 16]) {
        let [high, low] = [self.high, self.low].map(|x| {
            let halves = [_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x)];
            halves.map(|half| _mm512_cvtepu32_epi64(half))
        });
        for k in 0..2 {
            let x = _mm512_or_si512(_mm512_slli_epi64::<16>(high[k]), low[k]);
            // SAFETY: two registers of eight lanes.
            unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().add(8 * k).cast(), x) };
        }
    }
}

/// What a decoder looks up in.
#[derive(Clone, Copy)]
struct Tables {
    buckets: *const i32,
    cells: *const i64,
    last_row: __m512i,
}

impl Tables {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(cells: Narrow<'_>) -> Self {
        let (buckets, cells) = cells.parts();
        let last_row = _mm512_set1_epi32(buckets.len() as i32 - 1);
        Self { buckets: buckets.as_ptr().cast(), cells: cells.as_ptr().cast(), last_row }
    }
}

/// Takes a symbol off each of the lanes in `on`, by the rows in `index`; returns the values and collects escape bits. The next 16 words are at
/// `words`; returns how many of them were read.
///
/// # Safety
/// `tables` are those of [`Narrow::parts`], 32 bytes can be read at `words`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")]
unsafe fn take_symbols(
    tables: Tables,
    states: &mut States,
    on: __mmask16,
    index: __m512i,
    words: *const u8,
    escapes: &mut __m512i,
) -> (__m512i, usize) {
    let (m16, m32) = (_mm512_set1_epi32(0xffff), _mm512_set1_epi64(0xffff_ffff));
    let States { high, low: slot } = *states;
    let row = _mm512_slli_epi32::<8>(_mm512_min_epu32(index, tables.last_row));
    let at = _mm512_add_epi32(row, _mm512_srli_epi32::<8>(slot));
    // SAFETY: 256 buckets a row, and rows are clamped.
    let bucket = unsafe { _mm512_i32gather_epi32::<4>(at, tables.buckets) };
    let within = _mm512_and_si512(slot, _mm512_set1_epi32(255));
    let within = _mm512_srlv_epi32(within, _mm512_and_si512(bucket, _mm512_set1_epi32(15)));
    let at = _mm512_add_epi32(_mm512_srli_epi32::<4>(bucket), within);
    // SAFETY: the cells exist (see `Narrow::parts`).
    let [even, odd] = unsafe {
        [_mm512_and_si512(at, m32), _mm512_srli_epi64::<32>(at)].map(|at| _mm512_i64gather_epi64::<8>(at, tables.cells))
    };
    // boundary | frequency of A << 16, and frequency of B | escape << 16 | value of A << 17
    let a = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd));
    let b = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<32>(even), odd);
    let boundary = _mm512_and_si512(a, m16);
    let in_b = _mm512_cmpge_epu32_mask(slot, boundary);
    let frequency = _mm512_mask_and_epi32(_mm512_srli_epi32::<16>(a), in_b, b, m16);
    let rest = _mm512_sub_epi32(slot, boundary);
    let rest = _mm512_mask_add_epi32(rest, !in_b, rest, frequency);
    *escapes = _mm512_mask_or_epi32(*escapes, in_b & on, *escapes, b);
    let value = _mm512_srai_epi32::<17>(b);
    let value = _mm512_mask_sub_epi32(value, in_b, value, _mm512_set1_epi32(-1));

    let even = _mm512_add_epi64(_mm512_mul_epu32(frequency, high), _mm512_and_si512(rest, m32));
    let odd = _mm512_mul_epu32(_mm512_srli_epi64::<32>(frequency), _mm512_srli_epi64::<32>(high));
    let odd = _mm512_add_epi64(odd, _mm512_srli_epi64::<32>(rest));
    // below 2^32 the state moves up by a word
    let high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<16>(even), _mm512_slli_epi64::<16>(odd));
    let low = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd));
    let due = _mm512_mask_cmple_epu32_mask(on, high, m16);
    // SAFETY: as the caller promises.
    let words = _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(words.cast()) });
    let taken = States {
        high: _mm512_mask_mov_epi32(high, due, low),
        low: _mm512_mask_expand_epi32(_mm512_and_si512(low, m16), due, words),
    };
    *states = States {
        high: _mm512_mask_mov_epi32(states.high, on, taken.high),
        low: _mm512_mask_mov_epi32(states.low, on, taken.low),
    };
    (value, due.count_ones() as usize)
}

/// Decodes groups of `16 H` lanes. Each block of 16 renormalises on its own: the gathers of one hide behind the arithmetic of the other.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")]
unsafe fn take_groups<const H: usize>(
    cells: Narrow<'_>,
    lanes: &mut Lanes,
    words: &[u8],
    indexes: &[i32],
    out: &mut [i32],
) -> Progress {
    let tables = Tables::new(cells);
    let (lanes, _) = lanes.as_chunks_mut::<16>();
    let mut states: [States; H] = std::array::from_fn(|h| States::load(&lanes[h]));
    let mut progress = Progress { symbols: 0, bytes: 0, suspects: 0 };
    for (indexes, out) in indexes.chunks_exact(16 * H).zip(out.chunks_exact_mut(16 * H)) {
        let mut escapes = _mm512_setzero_si512();
        for (h, states) in states.iter_mut().enumerate() {
            // SAFETY: there are 16 indexes and symbols in this block; and words for all symbols to come, 32 bytes of them for these.
            unsafe {
                let index = _mm512_loadu_si512(indexes.as_ptr().add(16 * h).cast());
                let next = words.as_ptr().add(progress.bytes);
                let (value, read) = take_symbols(tables, states, !0, index, next, &mut escapes);
                _mm512_storeu_si512(out.as_mut_ptr().add(16 * h).cast(), value);
                progress.bytes += 2 * read;
            }
        }
        progress.symbols += 16 * H;
        if _mm512_test_epi32_mask(escapes, _mm512_set1_epi32(1 << 16)) != 0 {
            progress.suspects = 16 * H;
            break;
        }
    }
    for (states, lanes) in states.into_iter().zip(lanes) {
        states.store(lanes);
    }
    progress
}

/// Decodes a part of a group, with the other lanes idle.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")]
unsafe fn take_part(
    cells: Narrow<'_>,
    lanes: &mut Lanes,
    first: usize,
    words: &[u8],
    indexes: &[i32],
    out: &mut [i32],
) -> (usize, bool) {
    let tables = Tables::new(cells);
    let active = ((1u64 << indexes.len()) - 1) << first;
    let (mut bytes, mut escapes) = (0, _mm512_setzero_si512());
    for (h, lanes) in lanes.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let on = (active >> (16 * h)) as __mmask16;
        if on != 0 {
            let mut states = States::load(lanes);
            // where lane 16 h would be; the mask keeps all that is read and written inside
            let at = (16 * h).wrapping_sub(first);
            // SAFETY: the mask leaves out what is outside; 32 bytes of words are left for each block of 16 lanes.
            unsafe {
                let index = _mm512_maskz_loadu_epi32(on, indexes.as_ptr().wrapping_add(at));
                let next = words.as_ptr().add(bytes);
                let (value, read) = take_symbols(tables, &mut states, on, index, next, &mut escapes);
                _mm512_mask_storeu_epi32(out.as_mut_ptr().wrapping_add(at), on, value);
                bytes += 2 * read;
            }
            states.store(lanes);
        }
    }
    (bytes, _mm512_test_epi32_mask(escapes, _mm512_set1_epi32(1 << 16)) != 0)
}
