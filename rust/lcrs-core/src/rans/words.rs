//! A stream while it is being encoded: written from its end to its beginning.

use std::ops::Deref;
use std::sync::Arc;

use crate::spares::Spares;
use crate::{Error, Result};

/// A stream that is complete. It lies at the end of a larger buffer, which goes back to where it came from.
#[derive(Debug, Default)]
pub struct Stream {
    buffer: Vec<u8>,
    start: usize,
    home: Option<Arc<Spares<u8>>>,
}

impl Deref for Stream {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl Stream {
    /// A copy that is as long as the stream.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] without memory for it.
    pub(super) fn copied(&self) -> Result<Vec<u8>> {
        let mut copy = Vec::new();
        grow(&mut copy, self.len())?;
        copy.copy_from_slice(self);
        Ok(copy)
    }
}

/// Lengthens `buffer` to `len` elements, if there is memory for them.
///
/// # Errors
/// [`crate::ErrorKind::Limit`] if there is not.
pub(super) fn grow<T: Clone + Default>(buffer: &mut Vec<T>, len: usize) -> Result<()> {
    let more = len.saturating_sub(buffer.len());
    let no_memory = |_| Error::limit(format!("no memory for {} bytes of a stream", len.saturating_mul(size_of::<T>())));
    buffer.try_reserve_exact(more).map_err(no_memory)?;
    buffer.resize(len.max(buffer.len()), T::default());
    Ok(())
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.give(std::mem::take(&mut self.buffer));
        }
    }
}

/// A stack of words of `N` bytes that grows downwards in memory, so that it reads in the decoder's order.
#[derive(Debug, Default)]
pub(super) struct WordStack<const N: usize> {
    stream: Stream,
}

/// More room than asked for, in words: a register of 16-bit words.
pub(super) const MARGIN: usize = 32;

impl<const N: usize> WordStack<N> {
    /// A stack for about `words` words (it grows beyond), whose memory comes from `home` and goes back there.
    ///
    /// # Errors
    /// As [`grow`], and so for all that follow.
    pub(super) fn new(words: usize, home: Option<Arc<Spares<u8>>>) -> Result<Self> {
        let size = N * (words + MARGIN);
        let buffer = buffer_of(size, home.as_ref())?;
        let start = buffer.len();
        Ok(Self { stream: Stream { buffer, start, home } })
    }

    /// All memory as words, and the place of the top there, with room for `words` more words and [`MARGIN`]. What the
    /// caller puts below the top he tells by [`Self::set_top`].
    pub(super) fn room(&mut self, words: usize) -> Result<(&mut [[u8; N]], usize)> {
        self.reserve(N * (words + MARGIN))?;
        let start = self.stream.start;
        Ok((self.stream.buffer.as_chunks_mut().0, start / N))
    }

    pub(super) fn set_top(&mut self, top: usize) {
        self.stream.start = top * N;
    }

    /// Makes room for `size` bytes below the top.
    fn reserve(&mut self, size: usize) -> Result<()> {
        let Stream { buffer, start, home } = &mut self.stream;
        if *start < size {
            let used = buffer.len() - *start;
            let new_size = (2 * buffer.len()).max(used + size).next_multiple_of(N);
            let mut larger = buffer_of(new_size, home.as_ref())?;
            let new_start = new_size - used;
            larger[new_start..].copy_from_slice(&buffer[*start..]);
            let smaller = std::mem::replace(buffer, larger);
            if let Some(home) = home {
                home.give(smaller);
            }
            *start = new_start;
        }
        Ok(())
    }

    /// Puts a word on the top.
    pub(super) fn push(&mut self, word: [u8; N]) -> Result<()> {
        let (room, top) = self.room(1)?;
        room[top - 1] = word;
        self.set_top(top - 1);
        Ok(())
    }

    /// Takes the top word back.
    pub(super) fn pop(&mut self) -> Option<[u8; N]> {
        let word = self.stream.first_chunk().copied()?;
        self.stream.start += N;
        Some(word)
    }

    /// The words after `head`.
    pub(super) fn finish(mut self, head: &[u8]) -> Result<Stream> {
        self.reserve(head.len())?;
        let mut stream = self.stream;
        let start = stream.start - head.len();
        stream.buffer[start..stream.start].copy_from_slice(head);
        stream.start = start;
        Ok(stream)
    }
}

/// A spare buffer, or a new one.
fn buffer_of(size: usize, home: Option<&Arc<Spares<u8>>>) -> Result<Vec<u8>> {
    let mut buffer = home.and_then(|home| home.take(size)).unwrap_or_default();
    grow(&mut buffer, size)?;
    Ok(buffer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_the_reverse_order_and_buffers_come_home() {
        let home = Arc::new(Spares::default());
        let mut stack = WordStack::<2>::new(1, Some(home.clone())).unwrap();
        for word in 0..1000u16 {
            stack.push(word.to_le_bytes()).unwrap();
        }
        assert_eq!(stack.pop(), Some([0xe7, 3]));
        let stream = stack.finish(&[1, 2, 3]).unwrap();
        assert_eq!(stream.len(), 3 + 2 * 999);
        assert_eq!(&stream[..5], [1, 2, 3, 0xe6, 3]);
        let (copy, size) = (stream.copied().unwrap(), stream.buffer.len());
        drop(stream);
        assert_eq!(home.take(size).map(|buffer| buffer.len()), Some(size));
        assert_eq!(copy[3..].chunks(2).map(|w| u16::from_le_bytes([w[0], w[1]])).collect::<Vec<_>>(), {
            (0..999).rev().collect::<Vec<_>>()
        });
    }

    #[test]
    fn an_empty_stack_gives_nothing_back() {
        let mut stack = WordStack::<4>::default();
        assert_eq!(stack.pop(), None);
        assert_eq!(stack.finish(&[]).unwrap().to_vec(), []);
    }
}
