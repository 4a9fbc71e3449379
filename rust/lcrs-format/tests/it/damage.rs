//! Damage that every reader must notice.

use lcrs_format::{parse, Error, Limits};

/// Cuts a whole file everywhere, and flips each of its bits.
pub(crate) fn check_damage(whole: &[u8]) {
    for length in 0..whole.len() {
        assert!(matches!(parse(&whole[..length], &Limits::default()), Err(Error::Truncated(_))), "{length} bytes");
    }
    for bit in 0..8 * whole.len() {
        let mut damaged = whole.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(parse(&damaged, &Limits::default()).is_err(), "bit {bit}");
    }
}
