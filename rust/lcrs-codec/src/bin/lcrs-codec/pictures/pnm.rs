//! Components of PNM files whose largest is another number than 255 or 65535.
//!
//! The decoder spreads them over 8 or 16 bits. What they were is had back from that, and is kept where it fills whole bits.

use super::pixels::{Components, Pixels};

/// The number that the header of a PGM or PPM file has for white.
pub(super) fn largest(bytes: &[u8]) -> Option<u32> {
    let (b'P', b'2' | b'3' | b'5' | b'6') = (bytes.first()?, bytes.get(1)?) else { return None };
    let mut words = Vec::new();
    let mut rest = bytes.get(2..)?;
    while words.len() < 3 {
        match rest.first()? {
            b'#' => rest = &rest[rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?..],
            byte if byte.is_ascii_whitespace() => rest = &rest[1..],
            _ => {
                let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'#')?;
                words.push(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }
    std::str::from_utf8(words[2]).ok()?.parse().ok()
}

/// The components as their file has them, where `largest` is one less than a power of two above 256; else spread over 8 or 16
/// bits as the Python program does it.
pub(super) fn as_in_file(mut pixels: Pixels, largest: u32) -> Pixels {
    match &mut pixels.data {
        Components::Words(words) if largest.wrapping_add(1).is_power_of_two() && (256..65_535).contains(&largest) => {
            words.iter_mut().for_each(|word| *word = divided(u32::from(*word) * largest, 65_535) as u16);
            pixels.bit_depth = largest.trailing_ones() as u8;
        }
        Components::Words(words) if (256..65_535).contains(&largest) => {
            // Of two numbers equally near, Pillow takes the even one for grey pictures, and the Python program the larger for colours.
            let spread = |number: u32| match pixels.channels {
                1 => divided(number * 65_535, largest),
                _ => (number * 65_535 + largest / 2) / largest,
            };
            words.iter_mut().for_each(|word| {
                *word = spread(divided(u32::from(*word) * largest, 65_535).min(largest)) as u16;
            });
        }
        Components::Bytes(bytes) if (1..255).contains(&largest) => {
            bytes.iter_mut().for_each(|byte| {
                let number = divided(u32::from(*byte) * largest, 255).min(largest);
                *byte = divided(number * 255, largest) as u8;
            });
        }
        _ => {}
    }
    pixels
}

/// The nearest whole number to a ratio, of two the even one.
fn divided(number: u32, by: u32) -> u32 {
    let (whole, rest) = (number / by, number % by);
    let is_more = 2 * rest > by || (2 * rest == by && whole % 2 == 1);
    whole + u32::from(is_more)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_white_is() {
        assert_eq!(largest(b"P6\n# by hand\n64 # wide\n32\n1023\nxyz"), Some(1023));
        assert_eq!(largest(b"P5 3 2 255 "), Some(255));
        for none in [&b"P4\n8 8\n"[..], b"P7\nWIDTH 8\n", b"P6 3 2", b"P6 3 2 1023", b"P", b""] {
            assert_eq!(largest(none), None, "{none:?}");
        }
    }

    #[test]
    fn numbers_come_back_from_what_the_decoder_makes_of_them() {
        for bit_depth in 9..16 {
            let largest = (1_u32 << bit_depth) - 1;
            let spread = |number: u32| (number as f32 * (65_535.0 / largest as f32)).round() as u16;
            let data = Components::Words((0..=largest).map(spread).collect());
            let pixels =
                as_in_file(Pixels { width: largest + 1, height: 1, channels: 1, bit_depth: 16, data }, largest);
            assert_eq!(pixels.bit_depth, bit_depth);
            let Components::Words(words) = pixels.data else { panic!("words stay words") };
            assert!(words.iter().zip(0..).all(|(word, number): (_, u32)| u32::from(*word) == number));
        }
    }
}
