//! Which code runs the groups: the plain one or that of an instruction set. All do the same.
//!
//! What the instruction sets do not serve goes to the plain path, or from AVX-512 to AVX2:
//! - streams of few lanes, since a register of states is then mostly empty;
//! - encoding with a row of one entry, whose frequency 2^16 has no room in 16 bits: rare, and such rows cost no time;
//! - decoding with wide cells, that is with values beyond 15 bits or a row of one entry: what a register does at once
//!   there is bound by the loads of cells, and those are far apart in large tables;
//! - looking up in more than 64 rows on AVX-512, whose registers hold no more: the loads of AVX2 serve any number.

#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::progress::{Progress, Symbols, Words};
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};
use super::{
    digits::{DigitWriter, LateDigits},
    scalar, Lanes, MAX_LANES,
};
use crate::cdf::{CdfTable, Search};
use crate::Simd;

/// A path that this processor has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// With the one for fewer lanes than it is made for.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512, Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Path {
    /// The path for `simd`, or the plain one if this processor lacks it.
    pub(super) fn new(simd: Simd) -> Self {
        #[cfg(target_arch = "x86_64")]
        match (simd, Avx2::new()) {
            (Simd::Avx2, Some(avx2)) => return Self::Avx2(avx2),
            (Simd::Avx512, Some(avx2)) => {
                return Avx512::new().map_or(Self::Avx2(avx2), |avx512| Self::Avx512(avx512, avx2))
            }
            _ => (),
        }
        #[cfg(target_arch = "aarch64")]
        if let (Simd::Neon, Some(neon)) = (simd, Neon::new()) {
            return Self::Neon(neon);
        }
        let _ = simd;
        Self::Scalar
    }

    /// Whether all indexes are rows of `table`.
    pub(super) fn are_rows(self, table: &CdfTable, indexes: &[i32]) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(path, _) => path.are_rows(indexes, table.num_rows()),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(path) => path.are_rows(indexes, table.num_rows()),
            _ => table.check_indexes(indexes).is_ok(),
        }
    }

    /// Looks up the entries of symbols and appends escapes to `digits`; nothing if an index is not a row.
    pub(super) fn look_up(
        self,
        table: &CdfTable,
        symbols: &[i32],
        indexes: &[i32],
        entries: &mut [u32],
        digits: &mut DigitWriter,
    ) -> Option<()> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(path, _) if !table.has_certainty() && table.num_rows() <= Avx512::MAX_ROWS => {
                path.look_up(table, symbols, indexes, entries, digits)
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_, path) | Self::Avx2(path) if !table.has_certainty() => {
                path.look_up(table, symbols, indexes, entries, digits)
            }
            _ => scalar::look_up(table, symbols, indexes, entries, digits),
        }
    }

    /// As [`scalar::cost`].
    pub(super) fn cost(self, entries: &[u32]) -> u64 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(path, _) => path.cost(entries),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(path) => path.cost(entries),
            _ => scalar::cost(entries),
        }
    }

    /// Whether [`Self::encode_groups`] serves this table and number of lanes.
    pub(super) fn encodes_groups(self, table: &CdfTable, num_lanes: usize) -> bool {
        #[cfg(target_arch = "x86_64")]
        if let Self::Avx512(..) = self {
            return num_lanes == Avx512::LANES && !table.has_certainty() && table.num_rows() <= Avx512::MAX_ROWS;
        }
        let _ = (table, num_lanes);
        false
    }

    /// Looks up and encodes whole groups, where one loop does both, as [`Self::look_up`] and [`Self::put_groups`] do one
    /// after the other. Escapes come group by group, from the last to the first.
    pub(super) fn encode_groups(
        self,
        input: Symbols<'_>,
        output: Words<'_>,
        late_digits: &mut LateDigits,
    ) -> Option<()> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(path, _) => path.encode_groups(input, output, late_digits),
            _ => {
                let _ = (input, output, late_digits);
                unreachable!("see `encodes_groups`")
            }
        }
    }

    /// Encodes whole groups, from the last to the first, into `room` below `top`, which has a
    /// register of words more than a word for each entry. No frequency is 2^16.
    pub(super) fn put_groups(
        self,
        lanes: &mut Lanes,
        num_lanes: usize,
        entries: &[u32],
        room: &mut [[u8; 2]],
        top: &mut usize,
    ) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(path, _) if num_lanes == Avx512::LANES => path.put_groups(lanes, entries, room, top),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_, path) | Self::Avx2(path) if num_lanes >= Avx2::MIN_LANES => {
                path.put_groups(lanes, num_lanes, entries, room, top);
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon(path) if num_lanes >= Neon::MIN_LANES => path.put_groups(lanes, num_lanes, entries, room, top),
            _ => scalar::put_groups(lanes, num_lanes, entries, room, top),
        }
    }

    /// Decodes a symbol on each of the lanes from `first` on, a part of a group. Indexes are rows; `words` has a word
    /// for every symbol.
    #[inline]
    pub(super) fn take_part(
        self,
        search: impl Search,
        lanes: &mut Lanes,
        first: usize,
        words: &[u8],
        indexes: &[i32],
        out: &mut [i32],
    ) -> Progress {
        let (bytes, has_escapes) = match (self, search.narrow()) {
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512(path, _), Some(cells))
                if out.len() >= Avx512::MIN_PART && words.len() >= 2 * Avx512::LANES =>
            {
                path.take_part(cells, lanes, first, words, indexes, out)
            }
            _ => {
                let (lanes, mut found) = (&mut lanes[first..first + out.len()], [0; MAX_LANES]);
                scalar::take_part(search, lanes, words, indexes, out, &mut found)
            }
        };
        Progress { symbols: out.len(), bytes, suspects: if has_escapes { out.len() } else { 0 } }
    }

    /// Decodes whole groups, all or up to the first with an escape. Indexes are rows; `words` has a word for every
    /// symbol.
    #[inline]
    pub(super) fn take_groups(
        self,
        search: impl Search,
        lanes: &mut Lanes,
        num_lanes: usize,
        words: &[u8],
        indexes: &[i32],
        out: &mut [i32],
    ) -> Progress {
        match (self, search.narrow()) {
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512(path, _), Some(cells)) if num_lanes >= Avx512::LANES / 2 => {
                path.take_groups(cells, lanes, num_lanes, words, indexes, out)
            }
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512(_, path) | Self::Avx2(path), Some(cells)) if num_lanes >= Avx2::MIN_LANES => {
                path.take_groups(cells, lanes, num_lanes, words, indexes, out)
            }
            #[cfg(target_arch = "aarch64")]
            (Self::Neon(path), Some(cells)) if num_lanes >= Neon::MIN_LANES => {
                path.take_groups(cells, lanes, num_lanes, words, indexes, out)
            }
            _ => scalar::take_groups(search, lanes, num_lanes, words, indexes, out),
        }
    }
}
