//! The words of a stream while it is being encoded: a stack whose top is the decoder's first word.

/// Bytes of a block. Blocks stay in the second-level cache and spare the stream from growing by copies.
const BLOCK_BYTES: usize = 1 << 16;

/// A stack of 16-bit words that grows downwards in memory, so that it reads in the decoder's order.
#[derive(Debug, Default)]
pub(super) struct WordStack {
    /// Full blocks with the place of their top, the bottom of the stack first.
    full: Vec<(Vec<u8>, usize)>,
    block: Vec<u8>,
    /// Where the top is in `block`.
    top: usize,
}

impl WordStack {
    /// The current block and the place of its top, with room for `words` more words and 64 bytes.
    pub(super) fn room(&mut self, words: usize) -> (&mut [u8], &mut usize) {
        let bytes = 2 * words + 64;
        if self.top < bytes {
            let size = bytes.max(BLOCK_BYTES.min(4 * self.block.len()));
            let block = std::mem::replace(&mut self.block, vec![0; size]);
            if self.top < block.len() {
                self.full.push((block, self.top));
            }
            self.top = self.block.len();
        }
        (&mut self.block, &mut self.top)
    }

    /// Takes the top word back.
    pub(super) fn pop(&mut self) -> Option<u16> {
        if self.top == self.block.len() {
            (self.block, self.top) = self.full.pop()?;
        }
        let word = u16::from_le_bytes([self.block[self.top], self.block[self.top + 1]]);
        self.top += 2;
        Some(word)
    }

    /// Number of words.
    pub(super) fn len(&self) -> usize {
        self.parts().map(<[u8]>::len).sum::<usize>() / 2
    }

    /// The words as bytes, from the top to the bottom.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let full = self.full.iter().rev().map(|(block, top)| &block[*top..]);
        std::iter::once(&self.block[self.top..]).chain(full)
    }
}
