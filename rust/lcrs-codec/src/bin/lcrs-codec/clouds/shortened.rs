//! What a file says, in messages about it.

use std::borrow::Cow;

/// Characters that a message has room for: a usual line of a header.
const ROOM: usize = 60;

/// A name, a word or a line, but of a long one the beginning: a message is one line, whatever a file holds.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(ROOM) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        for text in ["", "vertex", &"é".repeat(ROOM)] {
            assert_eq!(shortened(text), text);
        }
        assert_eq!(shortened(&"é".repeat(ROOM + 1)), "é".repeat(ROOM) + "...");
    }
}
