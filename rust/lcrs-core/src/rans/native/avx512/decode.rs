//! Taking symbols off the states.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::progress::Progress;
use super::super::Lanes;
use crate::cdf::Narrow;

#[target_feature(enable = "avx512f")]
pub(super) fn are_rows(indexes: &[i32], num_rows: usize) -> bool {
    let (blocks, rest) = indexes.as_chunks::<16>();
    let top = blocks.iter().fold(_mm512_setzero_si512(), |top, block| {
        // SAFETY: 16 indexes are a register.
        _mm512_max_epu32(top, unsafe { _mm512_loadu_si512(block.as_ptr().cast()) })
    });
    let top = rest.iter().fold(_mm512_reduce_max_epu32(top), |top, &index| top.max(index as u32));
    (top as usize) < num_rows
}

/// The states of 16 lanes: bits 16 to 47 and bits 0 to 15 of each, in the order of lanes. So all but the product is
/// done on 16 lanes at a time.
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

/// Symbols between the ones that are decoded and those after them for which memory is fetched to the cache.
const AHEAD: usize = 512;

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

/// The cells of 16 lanes, those of the even ones and those of the odd ones.
type Found = [__m512i; 2];

/// Finds the cells for states by the rows in `index`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn find(tables: Tables, states: States, index: __m512i) -> Found {
    let row = _mm512_slli_epi32::<8>(_mm512_min_epu32(index, tables.last_row));
    let at = _mm512_add_epi32(row, _mm512_srli_epi32::<8>(states.low));
    // SAFETY: 256 buckets a row, and rows are clamped.
    let bucket = unsafe { _mm512_i32gather_epi32::<4>(at, tables.buckets) };
    let within = _mm512_srlv_epi32(states.low, _mm512_and_si512(bucket, _mm512_set1_epi32(31)));
    let at = _mm512_add_epi32(_mm512_srai_epi32::<5>(bucket), within);
    let both = [_mm512_and_si512(at, _mm512_set1_epi64(0xffff_ffff)), _mm512_srli_epi64::<32>(at)];
    // SAFETY: the cells exist (see `Narrow::parts`).
    both.map(|at| unsafe { _mm512_i64gather_epi64::<8>(at, tables.cells) })
}

/// Takes a symbol off each of the lanes in `on`, whose cells are `found`; returns the values and collects escape bits.
/// The next 16 words are at `words`; returns how many of them were read.
///
/// # Safety
/// 32 bytes can be read at `words`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")]
unsafe fn take_symbols(
    [even, odd]: Found,
    states: &mut States,
    on: __mmask16,
    words: *const u8,
    escapes: &mut __m512i,
) -> (__m512i, usize) {
    let (m16, m32) = (_mm512_set1_epi32(0xffff), _mm512_set1_epi64(0xffff_ffff));
    let States { high, low: slot } = *states;
    // boundary | frequency of A << 16, and frequency of B | escape << 16 | value of A << 17
    let a = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd));
    let b = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<32>(even), odd);
    let rest = _mm512_sub_epi32(slot, _mm512_and_si512(a, m16));
    let in_a = _mm512_srai_epi32::<31>(rest);
    // by bits: `in_a ? first : second`, and `second & !in_a`
    let frequency_b = _mm512_and_si512(b, m16);
    let frequency = _mm512_ternarylogic_epi32::<0xca>(in_a, _mm512_srli_epi32::<16>(a), frequency_b);
    let rest = _mm512_add_epi32(rest, _mm512_and_si512(frequency, in_a));
    *escapes = _mm512_mask_or_epi32(*escapes, on, *escapes, _mm512_andnot_si512(in_a, b));
    let value = _mm512_add_epi32(_mm512_srai_epi32::<17>(b), _mm512_sub_epi32(in_a, _mm512_set1_epi32(-1)));

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

/// Decodes groups of `16 H` lanes. Each block of 16 renormalises on its own: the gathers of one hide behind the
/// arithmetic of the other.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")]
pub(super) unsafe fn take_groups<const H: usize>(
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
        for h in 0..H {
            // half of the time would go by waiting for memory that is read and written once
            _mm_prefetch::<_MM_HINT_T0>(indexes.as_ptr().wrapping_add(16 * h + AHEAD).cast());
            _mm_prefetch::<_MM_HINT_ET0>(out.as_ptr().wrapping_add(16 * h + AHEAD).cast());
        }
        let found: [Found; H] = std::array::from_fn(|h| {
            // SAFETY: there are 16 indexes in this block.
            find(tables, states[h], unsafe { _mm512_loadu_si512(indexes.as_ptr().add(16 * h).cast()) })
        });
        for (h, states) in states.iter_mut().enumerate() {
            // SAFETY: there are 16 symbols in this block; and words for all symbols to come, 32 bytes of them for
            // these.
            unsafe {
                let next = words.as_ptr().add(progress.bytes);
                let (value, read) = take_symbols(found[h], states, !0, next, &mut escapes);
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
pub(super) unsafe fn take_part(
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
                let found = find(tables, states, index);
                let (value, read) = take_symbols(found, &mut states, on, next, &mut escapes);
                _mm512_mask_storeu_epi32(out.as_mut_ptr().wrapping_add(at), on, value);
                bytes += 2 * read;
            }
            states.store(lanes);
        }
    }
    (bytes, _mm512_test_epi32_mask(escapes, _mm512_set1_epi32(1 << 16)) != 0)
}
