//! Colours as the command line names them.

/// Names of what backgrounds usually are.
const NAMES: [(&str, [u8; 3]); 9] = [
    ("white", [255, 255, 255]),
    ("black", [0, 0, 0]),
    ("grey", [128, 128, 128]),
    ("gray", [128, 128, 128]),
    ("silver", [192, 192, 192]),
    ("red", [255, 0, 0]),
    ("green", [0, 128, 0]),
    ("blue", [0, 0, 255]),
    ("yellow", [255, 255, 0]),
];

/// The red, green and blue of a name, `#rrggbb` or `#rgb`.
pub(crate) fn parse(text: &str) -> Option<[u8; 3]> {
    let lower = text.to_ascii_lowercase();
    if let Some((_, color)) = NAMES.iter().find(|(name, _)| *name == lower) {
        return Some(*color);
    }
    let digits: Option<Vec<u8>> = lower.strip_prefix('#')?.chars().map(|c| Some(c.to_digit(16)? as u8)).collect();
    match digits?[..] {
        [r, g, b] => Some([17 * r, 17 * g, 17 * b]),
        [r1, r0, g1, g0, b1, b0] => Some([16 * r1 + r0, 16 * g1 + g0, 16 * b1 + b0]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_names_or_digits() {
        assert_eq!(parse("White"), Some([255; 3]));
        assert_eq!(parse("#102030"), Some([16, 32, 48]));
        assert_eq!(parse("#1fF"), Some([17, 255, 255]));
        for wrong in ["", "#", "#12345", "#1234567", "#12345g", "102030", "#+12+34", "\u{e4}"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
