//! Telling whether bytes have changed, at the speed of memory.

use twox_hash::XxHash3_128;

use crate::Runtime;

/// Bytes that are hashed at once: a whole number of pages.
const CHUNK: usize = 1 << 20;

/// 128 bits of the contents and the lengths of `parts`, in order: XXH3 of each chunk, and of all of these.
///
/// Equal contents have equal fingerprints; different ones differ but for a chance of 2^-128. It is no cryptographic
/// hash: contents made to collide would. Use it for caches, never for what leaves the process.
#[must_use]
pub fn fingerprint(rt: &Runtime, parts: &[&[u8]]) -> u128 {
    let chunks: Vec<&[u8]> = parts.iter().flat_map(|part| part.chunks(CHUNK)).collect();
    let hash = |i: usize| XxHash3_128::oneshot(chunks[i]);
    // threads are not woken up for little
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let hashes = if total > CHUNK { rt.pool.map(chunks.len(), hash) } else { (0..chunks.len()).map(hash).collect() };
    let lengths = parts.iter().map(|part| part.len() as u128);
    let summary: Vec<u8> = lengths.chain(hashes).flat_map(u128::to_le_bytes).collect();
    XxHash3_128::oneshot(&summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Simd;
    use std::collections::HashSet;

    #[test]
    fn each_bit_and_each_border_counts() {
        let rt = Runtime::serial();
        let data: Vec<u8> = (0..3000_u32).map(|i| (i * 7) as u8).collect();
        let mut seen = HashSet::from([fingerprint(&rt, &[]), fingerprint(&rt, &[&[]]), fingerprint(&rt, &[&data])]);
        for border in 0..=data.len() {
            let (a, b) = data.split_at(border);
            assert!(seen.insert(fingerprint(&rt, &[a, b])), "border {border}");
        }
        for bit in 0..8 * data.len() {
            let mut other = data.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(fingerprint(&rt, &[&other])), "bit {bit}");
        }
    }

    #[test]
    fn threads_change_nothing() {
        let data: Vec<u8> = (0..5 * CHUNK / 2).map(|i| (i / 3) as u8).collect();
        let parts = [&data[..], &data[17..CHUNK], &[]];
        let one = fingerprint(&Runtime::serial(), &parts);
        let rt = Runtime::new(Simd::Scalar, 3).expect("three threads");
        assert_eq!(fingerprint(&rt, &parts), one);
    }
}
