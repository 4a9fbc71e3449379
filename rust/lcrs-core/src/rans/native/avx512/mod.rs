//! The AVX-512 path: 32 lanes (or 16 for decoding) in registers of eight states.
#![allow(unsafe_code)]

mod decode;
mod encode;

use super::digits::{DigitWriter, LateDigits};
use super::progress::{Progress, Symbols, Words};
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
        unsafe { decode::are_rows(indexes, num_rows) }
    }

    /// As [`super::scalar::look_up`], for a table of at most [`Self::MAX_ROWS`] rows without certainty.
    pub(super) fn look_up(
        self,
        table: &CdfTable,
        symbols: &[i32],
        indexes: &[i32],
        entries: &mut [u32],
        digits: &mut DigitWriter,
    ) -> Option<()> {
        assert!(table.num_rows() <= Self::MAX_ROWS && !table.has_certainty());
        assert!(symbols.len() == indexes.len() && symbols.len() == entries.len());
        // SAFETY: the processor has the features (see `new`); the sizes are as asserted.
        unsafe { encode::look_up(table, symbols, indexes, entries, digits) }
    }

    /// As [`super::scalar::cost`].
    pub(super) fn cost(self, entries: &[u32]) -> u64 {
        // SAFETY: the processor has the features (see `new`).
        unsafe { encode::cost(entries) }
    }

    /// As [`super::scalar::put_groups`] for 32 lanes; no frequency is 2^16.
    pub(super) fn put_groups(self, lanes: &mut Lanes, entries: &[u32], room: &mut [[u8; 2]], top: &mut usize) {
        assert!(*top <= room.len() && *top >= entries.len() + MARGIN);
        // SAFETY: the processor has the features (see `new`); there is room for a word an entry and a register more.
        unsafe { encode::put_groups(lanes, entries, room, top) }
    }

    /// As [`Self::look_up`] and [`Self::put_groups`] of whole groups of 32 symbols. Escapes come group by group, from the
    /// last to the first.
    pub(super) fn encode_groups(
        self,
        input: Symbols<'_>,
        output: Words<'_>,
        late_digits: &mut LateDigits,
    ) -> Option<()> {
        let (Symbols { table, symbols, indexes }, Words { room, top, .. }) = (input, &output);
        assert!(table.num_rows() <= Self::MAX_ROWS && !table.has_certainty());
        assert!(symbols.len() == indexes.len() && symbols.len().is_multiple_of(Self::LANES));
        assert!(**top <= room.len() && **top >= symbols.len() + MARGIN);
        // SAFETY: the processor has the features (see `new`); the sizes are as asserted.
        unsafe { encode::encode_groups(input, output, late_digits) }
    }

    /// As [`super::scalar::take_part`], for the lanes from `first` on of 16 or 32. There are words for all lanes of
    /// the group.
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
        unsafe { decode::take_part(cells, lanes, first, words, indexes, out) }
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
                32 => decode::take_groups::<2>(cells, lanes, words, indexes, out),
                16 => decode::take_groups::<1>(cells, lanes, words, indexes, out),
                _ => unreachable!("16 or 32 lanes"),
            }
        }
    }
}
