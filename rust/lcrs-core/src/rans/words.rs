//! The words of a stream while it is being encoded: a stack whose top is the decoder's first word.

/// Words of a block, at most. Blocks stay in the second-level cache and spare the stream from growing by copies.
const BLOCK: usize = 1 << 15;

/// A stack of words `W` that grows downwards in memory, so that it reads in the decoder's order.
#[derive(Debug, Default)]
pub(super) struct WordStack<W> {
    /// Full blocks with the place of their top, the bottom of the stack first.
    full: Vec<(Vec<W>, usize)>,
    block: Vec<W>,
    /// Where the top is in `block`.
    top: usize,
}

/// More room than asked for: a register of 16-bit words.
pub(super) const MARGIN: usize = 32;

impl<W: Copy + Default> WordStack<W> {
    /// The current block and the place of its top, with room for `words` more words and [`MARGIN`].
    pub(super) fn room(&mut self, words: usize) -> (&mut [W], &mut usize) {
        let needed = words + MARGIN;
        if self.top < needed {
            let size = needed.max(BLOCK.min(4 * self.block.len()));
            let block = std::mem::replace(&mut self.block, vec![W::default(); size]);
            if self.top < block.len() {
                self.full.push((block, self.top));
            }
            self.top = self.block.len();
        }
        (&mut self.block, &mut self.top)
    }

    /// Takes the top word back.
    pub(super) fn pop(&mut self) -> Option<W> {
        if self.top == self.block.len() {
            (self.block, self.top) = self.full.pop()?;
        }
        self.top += 1;
        Some(self.block[self.top - 1])
    }

    /// Number of words.
    pub(super) fn len(&self) -> usize {
        self.parts().map(<[W]>::len).sum()
    }

    /// Appends the words to a stream, from the top to the bottom.
    pub(super) fn write<const N: usize>(&self, out: &mut Vec<u8>, to_bytes: impl Fn(W) -> [u8; N]) {
        for part in self.parts() {
            let at = out.len();
            out.resize(at + N * part.len(), 0);
            for (bytes, &word) in out[at..].chunks_exact_mut(N).zip(part) {
                bytes.copy_from_slice(&to_bytes(word));
            }
        }
    }

    fn parts(&self) -> impl Iterator<Item = &[W]> {
        let full = self.full.iter().rev().map(|(block, top)| &block[*top..]);
        std::iter::once(&self.block[self.top..]).chain(full)
    }
}
