//! The NEON path: arithmetic on registers of two states or four parts of states, look-ups lane by lane, since there are
//! no gathers.
#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::progress::Progress;
use super::quotient::{ABOVE_ONE, FLOOR};
use super::shuffle::GATHER;
use super::Lanes;
use crate::cdf::Narrow;
use crate::rans::words::MARGIN;
use crate::Simd;

/// Proof that this processor has what [`Simd::Neon`] stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    /// The fewest lanes it codes.
    pub(super) const MIN_LANES: usize = 8;

    pub(super) fn new() -> Option<Self> {
        Simd::Neon.is_available().then_some(Self(()))
    }

    /// As [`super::scalar::put_groups`], for 8 lanes and more; no frequency is 2^16.
    pub(super) fn put_groups(
        self,
        lanes: &mut Lanes,
        num_lanes: usize,
        entries: &[u32],
        room: &mut [[u8; 2]],
        top: &mut usize,
    ) {
        assert!(num_lanes >= Self::MIN_LANES && num_lanes <= lanes.len());
        assert!(*top <= room.len() && *top >= entries.len() + MARGIN);
        // SAFETY: the processor has the features (see `new`); there is room for a word an entry and a register more.
        unsafe { put_groups(&mut lanes[..num_lanes], entries, room, top) }
    }

    /// As [`super::scalar::take_groups`], for 8 lanes and more.
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

/// Blocks of 8 lanes, two a register.
#[target_feature(enable = "neon")]
unsafe fn put_groups(lanes: &mut [u64], entries: &[u32], room: &mut [[u8; 2]], top: &mut usize) {
    let base = room.as_mut_ptr();
    // SAFETY: `top` is within `room`.
    let mut p = unsafe { base.add(*top) };
    for group in entries.chunks_exact(lanes.len()).rev() {
        for (lanes, entries) in lanes.as_chunks_mut::<8>().0.iter_mut().zip(group.as_chunks::<8>().0).rev() {
            // SAFETY: four registers of lanes.
            let x: [uint64x2_t; 4] = std::array::from_fn(|i| unsafe { vld1q_u64(lanes[2 * i..].as_ptr()) });
            let mut due = [vdupq_n_u32(0); 2];
            for h in 0..2 {
                // SAFETY: a register of entries.
                let entry = unsafe { vld1q_u32(entries[4 * h..].as_ptr()) };
                let pair = [x[2 * h], x[2 * h + 1]];
                let tops = vshrn_high_n_u64::<32>(vshrn_n_u64::<32>(pair[0]), pair[1]);
                due[h] = vcgeq_u32(tops, vshrq_n_u32::<16>(entry));
                let is_due = [vget_low_u32(due[h]), vget_high_u32(due[h])];
                let entry = [vget_low_u32(entry), vget_high_u32(entry)];
                for k in 0..2 {
                    let next = put_pair(pair[k], entry[k], is_due[k]);
                    // SAFETY: two lanes.
                    unsafe { vst1q_u64(lanes[4 * h + 2 * k..].as_mut_ptr(), next) };
                }
            }
            let words = vcombine_u16(low_words(x[0], x[1]), low_words(x[2], x[3]));
            let kept = mask_of(vmvnq_u16(vcombine_u16(vmovn_u32(due[0]), vmovn_u32(due[1]))));
            // SAFETY: at most a word an entry has gone from `top`, which has a register more.
            unsafe {
                let order = vld1q_u8(GATHER[kept].as_ptr());
                vst1q_u8(p.sub(8).cast(), vqtbl1q_u8(vreinterpretq_u8_u16(words), order));
                p = p.sub(8 - NUM_BITS[kept] as usize);
            }
        }
    }
    // SAFETY: both point into `room`.
    *top = unsafe { p.offset_from(base) } as usize;
}

/// Two states after taking the entries `start | frequency << 16`; those due have emitted a word.
#[inline]
#[target_feature(enable = "neon")]
fn put_pair(x: uint64x2_t, entry: uint32x2_t, is_due: uint32x2_t) -> uint64x2_t {
    let (start, frequency) = (vand_u32(entry, vdup_n_u32(0xffff)), vshr_n_u32::<16>(entry));
    let is_due = vmovl_s32(vreinterpret_s32_u32(is_due));
    let y = vshlq_u64(x, vandq_s64(is_due, vdupq_n_s64(-16)));
    let f = vcvtq_f64_u64(vmovl_u32(frequency));
    // Newton from 8 bits to 16, 32 and 64
    let r = vrecpeq_f64(f);
    let r = vmulq_f64(r, vrecpsq_f64(f, r));
    let r = vmulq_f64(r, vrecpsq_f64(f, r));
    let r = vfmaq_f64(r, r, vfmsq_f64(vdupq_n_f64(ABOVE_ONE), f, r));
    let quotient = vfmaq_f64(vdupq_n_f64(FLOOR), vcvtq_f64_u64(y), r);
    let quotient = vmovn_u64(vreinterpretq_u64_f64(quotient));
    vmlal_u32(vaddw_u32(y, start), quotient, vsub_u32(vdup_n_u32(65536), frequency))
}

/// Bits 0 to 15 of four states.
#[inline]
#[target_feature(enable = "neon")]
fn low_words(a: uint64x2_t, b: uint64x2_t) -> uint16x4_t {
    vmovn_u32(vmovn_high_u64(vmovn_u64(a), b))
}

/// Bit `i` for element `i`, which is all ones or 0.
#[inline]
#[target_feature(enable = "neon")]
fn mask_of(elements: uint16x8_t) -> usize {
    const BITS: [u16; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: eight elements of 16 bits are a register.
    let bits = unsafe { vld1q_u16(BITS.as_ptr()) };
    vaddvq_u16(vandq_u16(elements, bits)) as usize
}

/// Ones in a byte: the instruction for it wants a vector register.
static NUM_BITS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = byte.count_ones() as u8;
        byte += 1;
    }
    table
};

/// For a mask of 8 lanes: a shuffle that gives each of them its bytes of the next words.
static SPREAD: [[u8; 16]; 256] = {
    let mut table = [[0x80; 16]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut next, mut lane) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                table[mask][2 * lane] = 2 * next;
                table[mask][2 * lane + 1] = 2 * next + 1;
                next += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// The states of four lanes: bits 16 to 47 and bits 0 to 15 of each. So all but the product is done on four at a time.
#[derive(Clone, Copy)]
struct States {
    high: uint32x4_t,
    low: uint32x4_t,
}

impl States {
    #[inline]
    #[target_feature(enable = "neon")]
    fn load(lanes: &[u64]) -> Self {
        let [high, low]: [[u32; 4]; 2] =
            [std::array::from_fn(|i| (lanes[i] >> 16) as u32), std::array::from_fn(|i| lanes[i] as u32 & 0xffff)];
        // SAFETY: four elements of 32 bits are a register.
        let [high, low] = [high, low].map(|part| unsafe { vld1q_u32(part.as_ptr()) });
        Self { high, low }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn store(self, lanes: &mut [u64]) {
        let [mut high, mut low] = [[0u32; 4]; 2];
        // SAFETY: four elements of 32 bits are a register.
        unsafe {
            vst1q_u32(high.as_mut_ptr(), self.high);
            vst1q_u32(low.as_mut_ptr(), self.low);
        }
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = u64::from(high[i]) << 16 | u64::from(low[i]);
        }
    }
}

/// What is known of four symbols before the words are read.
#[derive(Clone, Copy)]
struct Taken {
    value: int32x4_t,
    /// The states, of which those below 2^32 have only bits 0 to 31 in `low`.
    high: uint32x4_t,
    low: uint32x4_t,
}

/// `8 B` lanes.
#[target_feature(enable = "neon")]
unsafe fn take_groups<const B: usize>(
    cells: Narrow<'_>,
    lanes: &mut Lanes,
    words: &[u8],
    indexes: &[i32],
    out: &mut [i32],
) -> Progress {
    let (m16, zero) = (vdupq_n_u32(0xffff), vdupq_n_u16(0));
    let mut states: [[States; 2]; B] =
        std::array::from_fn(|b| std::array::from_fn(|h| States::load(&lanes[8 * b + 4 * h..][..4])));
    let mut progress = Progress { symbols: 0, bytes: 0, suspects: 0 };
    for (indexes, out) in indexes.chunks_exact(8 * B).zip(out.chunks_exact_mut(8 * B)) {
        let mut escapes = vdupq_n_u32(0);
        for (b, states) in states.iter_mut().enumerate() {
            let [first, second] = [0, 1].map(|h| {
                // SAFETY: four indexes of the group.
                let rows = unsafe { vld1q_s32(indexes.as_ptr().add(8 * b + 4 * h)) };
                take_four(cells, states[h], rows, &mut escapes)
            });
            // SAFETY: 8 symbols of the group.
            unsafe {
                vst1q_s32(out.as_mut_ptr().add(8 * b), first.value);
                vst1q_s32(out.as_mut_ptr().add(8 * b + 4), second.value);
            }
            // below 2^32 the state moves up by a word
            let due = [vcleq_u32(first.high, m16), vcleq_u32(second.high, m16)];
            let mask = mask_of(vcombine_u16(vmovn_u32(due[0]), vmovn_u32(due[1])));
            // SAFETY: there are words for all symbols to come, 16 bytes of them for these 8.
            let next =
                unsafe { vqtbl1q_u8(vld1q_u8(words.as_ptr().add(progress.bytes)), vld1q_u8(SPREAD[mask].as_ptr())) };
            progress.bytes += 2 * NUM_BITS[mask] as usize;
            let next = vreinterpretq_u16_u8(next);
            let next = [vreinterpretq_u32_u16(vzip1q_u16(next, zero)), vreinterpretq_u32_u16(vzip2q_u16(next, zero))];
            for (h, taken) in [first, second].into_iter().enumerate() {
                states[h] = States {
                    high: vbslq_u32(due[h], taken.low, taken.high),
                    low: vbslq_u32(due[h], next[h], vandq_u32(taken.low, m16)),
                };
            }
        }
        progress.symbols += 8 * B;
        if vmaxvq_u32(vandq_u32(escapes, vdupq_n_u32(1 << 16))) != 0 {
            progress.suspects = 8 * B;
            break;
        }
    }
    for (states, lanes) in states.as_flattened().iter().zip(lanes.chunks_exact_mut(4)) {
        states.store(lanes);
    }
    progress
}

/// Takes a symbol off each of four states, by the rows in `index`, and collects escape bits.
#[inline]
#[target_feature(enable = "neon")]
fn take_four(cells: Narrow<'_>, states: States, index: int32x4_t, escapes: &mut uint32x4_t) -> Taken {
    let (buckets, cells) = cells.parts();
    let States { high, low: slot } = states;
    let m16 = vdupq_n_u32(0xffff);
    let row = vminq_u32(vreinterpretq_u32_s32(index), vdupq_n_u32(buckets.len() as u32 - 1));
    let at = to_array(vsraq_n_u32::<8>(vshlq_n_u32::<8>(row), slot));
    // SAFETY: 256 buckets a row, and rows are clamped.
    let bucket = at.map(|at| unsafe { *buckets.as_ptr().cast::<i32>().add(at as usize) });
    // SAFETY: four elements of 32 bits are a register.
    let bucket = unsafe { vld1q_s32(bucket.as_ptr()) };
    let shift = vnegq_s32(vandq_s32(bucket, vdupq_n_s32(31)));
    let within = vreinterpretq_s32_u32(vshlq_u32(slot, shift));
    let at = to_array(vreinterpretq_u32_s32(vsraq_n_s32::<5>(within, bucket)));
    // SAFETY: the cells exist (see `Narrow::parts`).
    let cell = at.map(|at| unsafe { *cells.as_ptr().add(at as usize) });
    // SAFETY: four elements of 64 bits are two registers.
    let [c01, c23] = [0, 2].map(|i| unsafe { vreinterpretq_u32_u64(vld1q_u64(cell[i..].as_ptr())) });
    // boundary | frequency of A << 16, and frequency of B | escape << 16 | value of A << 17
    let (a, b) = (vuzp1q_u32(c01, c23), vuzp2q_u32(c01, c23));
    let boundary = vandq_u32(a, m16);
    let in_b = vcgeq_u32(slot, boundary);
    let frequency_a = vbicq_u32(vshrq_n_u32::<16>(a), in_b);
    let b_side = vandq_u32(b, in_b);
    *escapes = vorrq_u32(*escapes, b_side);
    let frequency = vorrq_u32(frequency_a, vandq_u32(b_side, m16));
    let rest = vaddq_u32(vsubq_u32(slot, boundary), frequency_a);
    let value = vsubq_s32(vshrq_n_s32::<17>(vreinterpretq_s32_u32(b)), vreinterpretq_s32_u32(in_b));
    let x01 = vaddw_u32(vmull_u32(vget_low_u32(frequency), vget_low_u32(high)), vget_low_u32(rest));
    let x23 = vaddw_u32(vmull_u32(vget_high_u32(frequency), vget_high_u32(high)), vget_high_u32(rest));
    let high = vshrn_high_n_u64::<16>(vshrn_n_u64::<16>(x01), x23);
    let low = vmovn_high_u64(vmovn_u64(x01), x23);
    Taken { value, high, low }
}

#[inline]
#[target_feature(enable = "neon")]
fn to_array(x: uint32x4_t) -> [u32; 4] {
    let mut array = [0; 4];
    // SAFETY: four elements of 32 bits are a register.
    unsafe { vst1q_u32(array.as_mut_ptr(), x) };
    array
}
