//! Colour profiles as files carry them: whether all of one is there, by the rule of the Python program.
//!
//! The layout is that of ICC.1 (profile version 4.4), section 7: a header of 128 bytes, a table of tags, their data.

const HEADER: usize = 128;
const SIGNATURE: &[u8] = b"acsp";
/// Bytes of an entry of the table: a name, where the data begin, how many there are.
const ENTRY: usize = 12;

/// Whether the profile has the length that its header says, and all its tags lie in it. Bytes after its end do no harm.
pub(super) fn is_whole(profile: &[u8]) -> bool {
    let number = |at: usize| profile.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let (Some(size), Some(count)) = (number(0), number(HEADER)) else { return false };
    let end = (HEADER + 4).saturating_add(ENTRY.saturating_mul(count));
    if profile.get(36..40) != Some(SIGNATURE) || count == 0 || !(end..=profile.len()).contains(&size) {
        return false;
    }
    (HEADER + 4..end).step_by(ENTRY).all(|entry| match (number(entry + 4), number(entry + 8)) {
        (Some(start), Some(length)) => end <= start && start.saturating_add(length) <= size,
        _ => false,
    })
}

/// The colours that the profile is for.
pub(super) fn color_space(profile: &[u8]) -> &[u8] {
    profile.get(16..20).unwrap_or_default()
}
