//! Containers and packages on arbitrary bytes.

use lcrs_codec::{CloudPackage, Package};
use lcrs_core::Limits;
use lcrs_format::{bytes_needed, pack, parse};

/// A container whose checksums would keep the fuzzer out: the input is a header body, and the checksum is made right.
/// What parses must be written back and parse to the same.
pub fn container(data: &[u8]) {
    let limits = lcrs_format::Limits::default();
    check_length(data, &limits);
    // one byte is enough for the length of a body below 128 bytes
    let body = &data[..data.len().min(127)];
    let mut file = lcrs_format::MAGIC.to_vec();
    file.extend([lcrs_format::FORMAT_VERSION, body.len() as u8]);
    file.extend(body);
    file.extend(crc32c(&file).to_le_bytes());
    check_length(&file, &limits);
    if let Ok(container) = parse(&file, &limits) {
        let written = pack(&container.header, &container.sections, &container.metadata);
        let written = written.expect("what was read can be written");
        let again = parse(&written, &limits).expect("what was written can be read");
        assert_eq!((again.header, again.sections), (container.header, container.sections));
    }
}

/// What the first bytes tell of a file's length is what all of them tell: nothing is refused by them that is whole.
fn check_length(file: &[u8], limits: &lcrs_format::Limits) {
    let is_whole = parse(file, limits).is_ok();
    let mut known = 0;
    while let Ok(needed) = bytes_needed(&file[..known], limits) {
        let needed = usize::try_from(needed).unwrap_or(usize::MAX);
        if needed <= known || needed > file.len() {
            assert!(!is_whole || needed == file.len());
            return;
        }
        known = needed;
    }
    assert!(!is_whole);
}

/// A package: the input is its description, beside no tensors; and a whole file.
pub fn package(data: &[u8]) {
    let mut limits = Limits::default();
    limits.max_bytes = 64 << 20;
    let _ = Package::from_bytes(data, &limits);
    let _ = CloudPackage::from_bytes(data, &limits);
    if let Ok(description) = std::str::from_utf8(data) {
        let _ = Package::from_parts(description, Default::default(), &limits);
        let _ = CloudPackage::from_parts(description, Default::default(), &limits);
    }
}

/// CRC-32C, bit by bit.
fn crc32c(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
