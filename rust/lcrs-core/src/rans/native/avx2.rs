//! The AVX2 path: lanes in registers of four states.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::digits::DigitWriter;
use super::progress::{Progress, RUN};
use super::quotient::{ABOVE_ONE, FLOOR};
use super::shuffle::GATHER;
use super::{scalar, Lanes};
use crate::cdf::{CdfTable, Narrow};
use crate::rans::words::MARGIN;
use crate::Simd;

/// Proof that this processor has what [`Simd::Avx2`] stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The fewest lanes it codes.
    pub(super) const MIN_LANES: usize = 8;

    pub(super) fn new() -> Option<Self> {
        Simd::Avx2.is_available().then_some(Self(()))
    }

    /// Whether all indexes are below `num_rows`.
    pub(super) fn are_rows(self, indexes: &[i32], num_rows: usize) -> bool {
        // SAFETY: the processor has the features (see `new`).
        unsafe { are_rows(indexes, num_rows) }
    }

    /// As [`scalar::look_up`], for a table without certainty.
    pub(super) fn look_up(
        self,
        table: &CdfTable,
        symbols: &[i32],
        indexes: &[i32],
        entries: &mut [u32],
        digits: &mut DigitWriter,
    ) -> Option<()> {
        assert!(symbols.len() == indexes.len() && symbols.len() == entries.len() && !table.has_certainty());
        let whole = symbols.len() & !7;
        // SAFETY: the processor has the features (see `new`); the sizes are as asserted.
        unsafe { look_up(table, &symbols[..whole], &indexes[..whole], entries, digits)? };
        scalar::look_up(table, &symbols[whole..], &indexes[whole..], &mut entries[whole..], digits)
    }

    /// As [`scalar::cost`].
    pub(super) fn cost(self, entries: &[u32]) -> u64 {
        // SAFETY: the processor has the features (see `new`).
        unsafe { cost(entries) }
    }

    /// As [`scalar::put_groups`], for 8 lanes and more; no frequency is 2^16.
    pub(super) fn put_groups(
        self,
        lanes: &mut Lanes,
        num_lanes: usize,
        entries: &[u32],
        room: &mut [[u8; 2]],
        top: &mut usize,
    ) {
        assert!(*top <= room.len() && *top >= entries.len() + MARGIN);
        // SAFETY: the processor has the features (see `new`); there is room for a word an entry and a register more.
        unsafe {
            match num_lanes {
                32 => put_groups::<4>(lanes, entries, room, top),
                16 => put_groups::<2>(lanes, entries, room, top),
                8 => put_groups::<1>(lanes, entries, room, top),
                _ => unreachable!("8, 16 or 32 lanes"),
            }
        }
    }

    /// As [`scalar::take_groups`], for 8 lanes and more.
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
                32 => take_groups::<4>(cells, lanes, words, indexes, out),
                16 => take_groups::<2>(cells, lanes, words, indexes, out),
                8 => take_groups::<1>(cells, lanes, words, indexes, out),
                _ => unreachable!("8, 16 or 32 lanes"),
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn are_rows(indexes: &[i32], num_rows: usize) -> bool {
    // this loop becomes a register at a time here
    (indexes.iter().fold(0, |top, &index| top.max(index as u32)) as usize) < num_rows
}

/// A multiple of eight symbols.
#[target_feature(enable = "avx2")]
unsafe fn look_up(
    table: &CdfTable,
    symbols: &[i32],
    indexes: &[i32],
    entries: &mut [u32],
    digits: &mut DigitWriter,
) -> Option<()> {
    let heads = table.heads();
    let last_row = _mm256_set1_epi32(heads.len() as i32 - 1);
    for at in (0..symbols.len()).step_by(8) {
        // SAFETY: eight of the symbols and indexes begin at `at`.
        let (symbol, index) = unsafe {
            (_mm256_loadu_si256(symbols.as_ptr().add(at).cast()), _mm256_loadu_si256(indexes.as_ptr().add(at).cast()))
        };
        // whole streams are looked up from the last run to the first, which the processor does not foresee
        if at.is_multiple_of(16) {
            _mm_prefetch::<_MM_HINT_T1>(symbols.as_ptr().wrapping_add(at).wrapping_sub(RUN).cast());
            _mm_prefetch::<_MM_HINT_T1>(indexes.as_ptr().wrapping_add(at).wrapping_sub(RUN).cast());
        }
        let is_row = _mm256_cmpeq_epi32(_mm256_min_epu32(index, last_row), index);
        if _mm256_movemask_epi8(is_row) != -1 {
            return None;
        }
        // offset, max and base of each row, by loads and a transposition, which is faster than three gathers
        let pair = |i: usize| {
            // SAFETY: the indexes are rows, as just checked; a head has 16 bytes.
            let head = |i: usize| unsafe { _mm_loadu_si128(heads.as_ptr().add(indexes[at + i] as usize).cast()) };
            _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(head(i)), head(i + 4))
        };
        let (h0, h1, h2, h3) = (pair(0), pair(1), pair(2), pair(3));
        let (low01, low23) = (_mm256_unpacklo_epi32(h0, h1), _mm256_unpacklo_epi32(h2, h3));
        let (high01, high23) = (_mm256_unpackhi_epi32(h0, h1), _mm256_unpackhi_epi32(h2, h3));
        let (offset, max) = (_mm256_unpacklo_epi64(low01, low23), _mm256_unpackhi_epi64(low01, low23));
        let base = _mm256_unpacklo_epi64(high01, high23);
        // wraps only near 2^31, where it reads as an escape; the digits are spelled from 64 bits
        let position = _mm256_sub_epi32(symbol, offset);
        let k = _mm256_min_epu32(position, max);
        let escapes = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(k, max)));
        if escapes != 0 {
            digits.push_some(table, symbols, indexes, at, escapes as u32);
        }
        // SAFETY: entry `k <= max` of a row is in the table; eight of the entries begin at `at`.
        unsafe {
            let entry = _mm256_i32gather_epi32::<4>(table.entries().as_ptr().cast(), _mm256_add_epi32(base, k));
            _mm256_storeu_si256(entries.as_mut_ptr().add(at).cast(), entry);
        }
    }
    Some(())
}

#[target_feature(enable = "avx2")]
fn cost(entries: &[u32]) -> u64 {
    scalar::cost(entries) // becomes a register at a time here
}

/// Blocks of 8 lanes: lane `8 b + 2 j + k` is element `j` of `x[b][k]`, as in [`take_groups`].
#[target_feature(enable = "avx2,fma,bmi2,popcnt")]
unsafe fn put_groups<const B: usize>(lanes: &mut Lanes, entries: &[u32], room: &mut [[u8; 2]], top: &mut usize) {
    let magic = _mm256_set1_epi64x(0x4330_0000_0000_0000); // 2^52, whose mantissa takes an integer
    let to_pd = |y| _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(y, magic)), _mm256_castsi256_pd(magic));
    let (m16, one, c16) = (_mm256_set1_epi64x(0xffff), _mm256_set1_epi64x(65536), _mm256_set1_epi64x(16));
    let low_words = _mm256_setr_epi8(
        0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1,
        -1,
    );
    let mut x: [[__m256i; 2]; B] = load_lanes(lanes);
    let base = room.as_mut_ptr();
    // SAFETY: `top` is within `room`.
    let mut p = unsafe { base.add(*top) };
    for group in entries.chunks_exact(8 * B).rev() {
        for (b, x) in x.iter_mut().enumerate().rev() {
            // SAFETY: eight of the group's entries begin at `8 b`.
            let entry = unsafe { _mm256_loadu_si256(group.as_ptr().add(8 * b).cast()) };
            let start = [_mm256_and_si256(entry, m16), _mm256_and_si256(_mm256_srli_epi64::<32>(entry), m16)];
            let frequency = [_mm256_and_si256(_mm256_srli_epi64::<16>(entry), m16), _mm256_srli_epi64::<48>(entry)];
            let words = _mm256_blend_epi32::<0xaa>(x[0], _mm256_slli_epi64::<32>(x[1]));
            let words = _mm256_permute4x64_epi64::<0b1000>(_mm256_shuffle_epi8(words, low_words));
            // negative where a state takes its symbol without emitting a word
            let kept: [__m256i; 2] =
                std::array::from_fn(|k| _mm256_sub_epi64(x[k], _mm256_slli_epi64::<32>(frequency[k])));
            let both = _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<32>(kept[0]), kept[1]);
            let mask = _mm256_movemask_ps(_mm256_castsi256_ps(both)) as usize;
            // SAFETY: at most a word an entry has gone from `top`, which has a register more.
            unsafe {
                let order = _mm_loadu_si128(GATHER[mask].as_ptr().cast());
                _mm_storeu_si128(p.sub(8).cast(), _mm_shuffle_epi8(_mm256_castsi256_si128(words), order));
                p = p.sub(8 - mask.count_ones() as usize);
            }
            for k in 0..2 {
                let shift = _mm256_andnot_si256(_mm256_srli_epi64::<59>(kept[k]), c16);
                let y = _mm256_srlv_epi64(x[k], shift);
                // as on the AVX-512 path
                let reciprocal = _mm256_div_pd(_mm256_set1_pd(ABOVE_ONE), to_pd(frequency[k]));
                let quotient = _mm256_fmadd_pd(to_pd(y), reciprocal, _mm256_set1_pd(FLOOR));
                let rest = _mm256_mul_epu32(_mm256_castpd_si256(quotient), _mm256_sub_epi64(one, frequency[k]));
                x[k] = _mm256_add_epi64(_mm256_add_epi64(y, start[k]), rest);
            }
        }
    }
    // SAFETY: both point into `room`.
    *top = unsafe { p.offset_from(base) } as usize;
    store_lanes(x, lanes);
}

/// The first `8 B` lanes: lane `8 b + 2 j + k` is element `j` of register `[b][k]`, so that two registers of states
/// share one register of 32-bit elements in the order of symbols.
#[inline]
#[target_feature(enable = "avx2")]
fn load_lanes<const B: usize>(lanes: &Lanes) -> [[__m256i; 2]; B] {
    std::array::from_fn(|b| {
        std::array::from_fn(|k| {
            let y = &lanes[8 * b + k..];
            _mm256_setr_epi64x(y[0] as i64, y[2] as i64, y[4] as i64, y[6] as i64)
        })
    })
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_lanes<const B: usize>(x: [[__m256i; 2]; B], lanes: &mut Lanes) {
    for (b, x) in x.iter().enumerate() {
        for k in 0..2 {
            // SAFETY: four numbers of 64 bits are a register.
            let y: [u64; 4] = unsafe { std::mem::transmute(x[k]) };
            for j in 0..4 {
                lanes[8 * b + 2 * j + k] = y[j];
            }
        }
    }
}

/// For a mask of 8 lanes: which of the next words each of them takes.
static SPREAD: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut next, mut lane) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                table[mask][lane] = next;
                next += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// The states of 8 lanes: bits 16 to 47 and bits 0 to 15 of each, in the order of lanes. So all but the product is done
/// on 8 lanes at a time.
#[derive(Clone, Copy)]
struct States {
    high: __m256i,
    low: __m256i,
}

impl States {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(lanes: &[u64]) -> Self {
        let [high, low]: [[u32; 8]; 2] =
            [std::array::from_fn(|i| (lanes[i] >> 16) as u32), std::array::from_fn(|i| lanes[i] as u32 & 0xffff)];
        // SAFETY: eight elements of 32 bits are a register.
        let [high, low] = [high, low].map(|part| unsafe { _mm256_loadu_si256(part.as_ptr().cast()) });
        Self { high, low }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(self, lanes: &mut [u64]) {
        // SAFETY: eight elements of 32 bits are a register.
        let [high, low]: [[u32; 8]; 2] = unsafe { std::mem::transmute([self.high, self.low]) };
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = u64::from(high[i]) << 16 | u64::from(low[i]);
        }
    }
}

/// `8 B` lanes.
#[target_feature(enable = "avx2,bmi2,popcnt")]
unsafe fn take_groups<const B: usize>(
    cells: Narrow<'_>,
    lanes: &mut Lanes,
    words: &[u8],
    indexes: &[i32],
    out: &mut [i32],
) -> Progress {
    let (buckets, cells) = cells.parts();
    let last_row = _mm256_set1_epi32(buckets.len() as i32 - 1);
    let (m16, m32) = (_mm256_set1_epi32(0xffff), _mm256_set1_epi64x(0xffff_ffff));
    let mut states: [States; B] = std::array::from_fn(|b| States::load(&lanes[8 * b..8 * (b + 1)]));
    let mut progress = Progress { symbols: 0, bytes: 0, suspects: 0 };
    for (indexes, out) in indexes.chunks_exact(8 * B).zip(out.chunks_exact_mut(8 * B)) {
        let mut escapes = _mm256_setzero_si256();
        for (b, states) in states.iter_mut().enumerate() {
            let States { high, low: slot } = *states;
            // SAFETY: 8 indexes of the group; clamped ones are rows.
            let index = unsafe { _mm256_loadu_si256(indexes.as_ptr().add(8 * b).cast()) };
            let row = _mm256_slli_epi32::<8>(_mm256_min_epu32(index, last_row));
            let at = _mm256_add_epi32(row, _mm256_srli_epi32::<8>(slot));
            // SAFETY: 256 buckets a row.
            let bucket = unsafe { _mm256_i32gather_epi32::<4>(buckets.as_ptr().cast(), at) };
            let within = _mm256_srlv_epi32(slot, _mm256_and_si256(bucket, _mm256_set1_epi32(31)));
            let at = _mm256_add_epi32(_mm256_srai_epi32::<5>(bucket), within);
            // SAFETY: the cells exist (see `Narrow::parts`).
            let [even, odd] = unsafe {
                [_mm256_and_si256(at, m32), _mm256_srli_epi64::<32>(at)]
                    .map(|at| _mm256_i64gather_epi64::<8>(cells.as_ptr().cast(), at))
            };
            // boundary | frequency of A << 16, and frequency of B | escape << 16 | value of A << 17
            let a = _mm256_blend_epi32::<0xaa>(even, _mm256_slli_epi64::<32>(odd));
            let b_side = _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<32>(even), odd);
            let rest = _mm256_sub_epi32(slot, _mm256_and_si256(a, m16));
            let in_a = _mm256_srai_epi32::<31>(rest);
            let frequency_a = _mm256_and_si256(_mm256_srli_epi32::<16>(a), in_a);
            let frequency_b = _mm256_andnot_si256(in_a, b_side); // with the escape and the value above it
            escapes = _mm256_or_si256(escapes, frequency_b);
            let frequency = _mm256_or_si256(frequency_a, _mm256_and_si256(frequency_b, m16));
            let rest = _mm256_add_epi32(rest, frequency_a);
            let value = _mm256_add_epi32(_mm256_srai_epi32::<17>(b_side), in_a); // less 1 in A
                                                                                 // SAFETY: 8 symbols of the group.
            unsafe {
                let at = out.as_mut_ptr().add(8 * b).cast();
                _mm256_storeu_si256(at, _mm256_sub_epi32(value, _mm256_set1_epi32(-1)));
            }
            let even = _mm256_add_epi64(_mm256_mul_epu32(frequency, high), _mm256_and_si256(rest, m32));
            let odd = _mm256_mul_epu32(_mm256_srli_epi64::<32>(frequency), _mm256_srli_epi64::<32>(high));
            let odd = _mm256_add_epi64(odd, _mm256_srli_epi64::<32>(rest));
            // below 2^32 the state moves up by a word
            let high = _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<16>(even), _mm256_slli_epi64::<16>(odd));
            let low = _mm256_blend_epi32::<0xaa>(even, _mm256_slli_epi64::<32>(odd));
            let due = _mm256_cmpeq_epi32(_mm256_min_epu32(high, m16), high);
            let mask = _mm256_movemask_ps(_mm256_castsi256_ps(due)) as usize;
            // SAFETY: there are words for all symbols to come, 16 bytes of them for these 8.
            let (order, next) = unsafe {
                (
                    _mm_loadl_epi64(SPREAD[mask].as_ptr().cast()),
                    _mm_loadu_si128(words.as_ptr().add(progress.bytes).cast()),
                )
            };
            let word = _mm256_permutevar8x32_epi32(_mm256_cvtepu16_epi32(next), _mm256_cvtepu8_epi32(order));
            progress.bytes += 2 * mask.count_ones() as usize;
            *states = States {
                high: _mm256_blendv_epi8(high, low, due),
                low: _mm256_blendv_epi8(_mm256_and_si256(low, m16), word, due),
            };
        }
        progress.symbols += 8 * B;
        if _mm256_testz_si256(escapes, _mm256_set1_epi32(1 << 16)) == 0 {
            progress.suspects = 8 * B;
            break;
        }
    }
    for (states, lanes) in states.into_iter().zip(lanes.chunks_exact_mut(8)) {
        states.store(lanes);
    }
    progress
}
