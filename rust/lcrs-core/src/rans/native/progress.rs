//! What the paths take and give, so that all of them have the same signatures.

use super::Lanes;
use crate::cdf::CdfTable;

/// How far a decoder came in one go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Symbols decoded.
    pub(super) symbols: usize,
    /// Bytes of words read.
    pub(super) bytes: usize,
    /// The number of symbols before `symbols` among which are escapes, which hold the value of the escape entry.
    /// Before those there is none.
    pub(super) suspects: usize,
}

/// Symbols are looked up and coded in runs of at most this many, a multiple of [`super::MAX_LANES`].
pub(super) const RUN: usize = 4096;

/// Symbols with their rows. Only paths of x86-64 code groups of them at once.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols<'a> {
    pub(super) table: &'a CdfTable,
    pub(super) symbols: &'a [i32],
    /// As many as symbols.
    pub(super) indexes: &'a [i32],
}

/// Where words go: to `room`, below `top`, from the states of the lanes.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Debug)]
pub(super) struct Words<'a> {
    pub(super) lanes: &'a mut Lanes,
    pub(super) room: &'a mut [[u8; 2]],
    pub(super) top: &'a mut usize,
}
