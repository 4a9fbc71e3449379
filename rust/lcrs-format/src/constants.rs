//! Every number of the wire format, in one place. `README.md` says what each means.

use crc::{Crc, Table, CRC_32_ISCSI};

/// First bytes of every file. The first one is not ASCII, so text transfers and text tools notice.
pub const MAGIC: [u8; 4] = [0x8C, b'L', b'C', b'S'];

/// Version written by this crate, and the only one it reads. It is frozen: see the README.
pub const FORMAT_VERSION: u8 = 1;

/// The version before it, which was never stable.
pub(crate) const UNSTABLE_VERSION: u8 = 0;

/// Longest header body in bytes: far above any need, small enough to be read before it is trusted.
pub const MAX_HEADER_LENGTH: usize = 65_535;

/// Magic number, version and the longest form of a legal header length: so much tells how long the header is. No
/// file is as short.
pub(crate) const PREAMBLE_LENGTH: usize = MAGIC.len() + 1 + 3;

/// Longest model name in bytes.
pub const MAX_NAME_LENGTH: usize = 64;

/// Most sections of one file (their number is one byte).
pub const MAX_SECTIONS: usize = 255;

/// Bytes of each SHA-256 digest that a file keeps.
pub const DIGEST_PREFIX_LENGTH: usize = 8;

/// Length of a CRC-32C.
pub(crate) const CRC_LENGTH: usize = 4;

/// Bit of a field tag or section id that says: a decoder that does not know this may ignore it.
pub(crate) const ANCILLARY: u8 = 0x80;

/// Bit of the numerics byte that says: decodes only on a machine like the one that wrote it.
pub(crate) const NOT_PORTABLE: u8 = 0x80;

/// Codes of [`crate::Numerics`].
pub(crate) const NUMERICS_F32_FMA_1: u8 = 1;

/// Tags of critical fields.
pub(crate) const FIELD_QUALITY: u8 = 0x01;
pub(crate) const FIELD_CROP: u8 = 0x02;
pub(crate) const FIELD_SAMPLES: u8 = 0x03;
pub(crate) const FIELD_TILES: u8 = 0x04;
pub(crate) const FIELD_DECODED: u8 = 0x05;
pub(crate) const FIELD_ARRAY: u8 = 0x06;
pub(crate) const FIELD_CLOUD: u8 = 0x07;
pub(crate) const FIELD_ATTRIBUTES: u8 = 0x08;
pub(crate) const FIELD_LOSSLESS: u8 = 0x09;

/// Tags of fields that a decoder may ignore.
pub(crate) const FIELD_RESOLUTION: u8 = 0x81;
pub(crate) const FIELD_CICP: u8 = 0x82;
pub(crate) const FIELD_GAMMA: u8 = 0x83;
pub(crate) const FIELD_CHROMATICITIES: u8 = 0x84;
pub(crate) const FIELD_AXES: u8 = 0x86;

/// Section ids above the latents.
pub(crate) const SECTION_ICC: u8 = 0x81;
pub(crate) const SECTION_EXIF: u8 = 0x82;
pub(crate) const SECTION_XMP: u8 = 0x83;
pub(crate) const SECTION_IPTC: u8 = 0x84;

/// Kind and precision of a section that is not entropy coded.
pub(crate) const KIND_RAW: u8 = 0xFF;
pub(crate) const PRECISION_RAW: u8 = 0;

/// Most bits of table precision that a section may announce.
pub(crate) const MAX_PRECISION: u8 = 16;

/// What stands in place of the name of a model where there is none.
pub const LOSSLESS: &str = "lossless";

/// Fewest pixels of each of several bands but the last: to begin a band costs time, whatever is in it.
pub(crate) const MIN_BAND_PIXELS: u64 = 1 << 16;

/// Colour codes.
pub(crate) const COLOR_RGB: u8 = 0;
pub(crate) const COLOR_GREY: u8 = 1;

/// Axes of an array without and with one for its channels.
pub(crate) const AXES_ALONE: u8 = 2;
pub(crate) const AXES_WITH_CHANNELS: u8 = 3;

/// Codes of number types.
pub(crate) const NUMBER_U8: u8 = 0;
pub(crate) const NUMBER_I8: u8 = 1;
pub(crate) const NUMBER_U16: u8 = 2;
pub(crate) const NUMBER_I16: u8 = 3;
pub(crate) const NUMBER_F32: u8 = 4;

/// Codes of the ways in which voxels lie.
pub(crate) const GRID_RATIONAL: u8 = 0;
pub(crate) const GRID_BINARY: u8 = 1;
pub(crate) const GRID_PRODUCT: u8 = 2;

/// Most bits of the coordinate of a voxel.
pub(crate) const MAX_CLOUD_BITS: u32 = 32;

/// Largest numerator and denominator of a voxel: whole numbers up to here are binary64 numbers.
pub(crate) const MAX_GRID_NUMBER: u64 = 1 << 53;

/// Most attributes of a cloud: each has a section.
pub(crate) const MAX_ATTRIBUTES: usize = 125;

/// Most bytes of the name of an attribute.
pub(crate) const MAX_ATTRIBUTE_NAME_LENGTH: usize = 255;

/// Most channels of an array: as many as a value of a coding graph can have.
pub(crate) const MAX_CHANNELS: u32 = 1 << 20;

/// Bit depth of a file without a samples field.
pub const DEFAULT_BIT_DEPTH: u8 = 8;

const CRC_32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// CRC-32C (Castagnoli, as in iSCSI), which finds every burst of up to 32 bits.
pub(crate) fn crc32c(data: &[u8]) -> u32 {
    CRC_32C.checksum(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnoli() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
    }

    #[test]
    fn the_largest_base_header_fits() {
        let section_entry = 3 + 10 + CRC_LENGTH;
        let base = 1 + 2 * DIGEST_PREFIX_LENGTH + 1 + MAX_NAME_LENGTH + 2 * 5 + 1 + MAX_SECTIONS * section_entry;
        let attributes = MAX_ATTRIBUTES * (2 + MAX_ATTRIBUTE_NAME_LENGTH);
        let cloud = (2 + 2 + 2 * 10 + 2 + 1 + 4 * 8) + (4 + attributes);
        let critical = (2 + 4) + (2 + 10) + (2 + 2) + (2 + 10) + (2 + 10) + (2 + 1 + 5) + cloud + (2 + 5);
        let fields = critical + (2 + 8) + (2 + 4) + (2 + 4) + (2 + 32) + (2 + 1);
        assert!(base + fields <= MAX_HEADER_LENGTH);
    }

    #[test]
    fn ancillary_ids_carry_the_bit() {
        let fields = [FIELD_RESOLUTION, FIELD_CICP, FIELD_GAMMA, FIELD_CHROMATICITIES, FIELD_AXES];
        for id in [SECTION_ICC, SECTION_EXIF, SECTION_XMP, SECTION_IPTC].into_iter().chain(fields) {
            assert_ne!(id & ANCILLARY, 0);
        }
        for tag in [
            FIELD_QUALITY,
            FIELD_CROP,
            FIELD_SAMPLES,
            FIELD_TILES,
            FIELD_DECODED,
            FIELD_ARRAY,
            FIELD_CLOUD,
            FIELD_ATTRIBUTES,
            FIELD_LOSSLESS,
        ] {
            assert_eq!(tag & ANCILLARY, 0);
        }
    }
}
