//! The sections of a file of a point cloud.

/// The octree.
pub(super) const OCCUPANCIES: u8 = 0;

/// How many points each leaf has, less one.
pub(super) const COUNTS: u8 = 1;

/// Bits of coordinates below those of leaves.
pub(super) const LOW_BITS: u8 = 2;

/// The first attribute; the others follow.
pub(crate) const ATTRIBUTES: u8 = 3;

/// Bits of a count.
pub(super) const COUNT_BITS: u32 = 32;

/// What a section is, in a word.
pub(crate) fn part(section: u8) -> &'static str {
    match section {
        OCCUPANCIES => "occupancies",
        COUNTS => "counts",
        LOW_BITS => "low bits",
        _ => "attribute",
    }
}
