//! A stream while it is being encoded: written from its end to its beginning.

use std::ops::Deref;
use std::sync::Arc;

use crate::buffer_pool::BufferPool;
use crate::{Error, Result};

/// A stream that is complete. It lies at the end of a larger buffer, which goes back to where it came from.
#[derive(Debug, Default)]
pub struct Stream {
    buffer: Vec<u8>,
    start: usize,
    home: Option<Arc<BufferPool<u8>>>,
}

impl Deref for Stream {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.give(std::mem::take(&mut self.buffer));
        }
    }
}

/// A stack of words of `N` bytes that grows downwards in memory, so that it reads in the decoder's order.
///
/// Where there is no memory to grow, it forgets what it holds and goes on, so that loops need not ask; who wants the stream then
/// gets an error.
#[derive(Debug, Default)]
pub(super) struct WordStack<const N: usize> {
    stream: Stream,
    is_short: bool,
}

/// More room than asked for, in words: a register of 16-bit words.
pub(super) const MARGIN: usize = 32;

impl<const N: usize> WordStack<N> {
    /// A stack for about `words` words (it grows beyond), whose memory comes from `home` and goes back there.
    pub(super) fn new(words: usize, home: Option<Arc<BufferPool<u8>>>) -> Self {
        let size = N * (words + MARGIN);
        let spare = home.as_ref().and_then(|home| home.take(size));
        let buffer = spare.or_else(|| zeroed(size)).unwrap_or_default(); // else it grows when it is used
        let start = buffer.len();
        Self { stream: Stream { buffer, start, home }, is_short: false }
    }

    /// All memory as words, and the place of the top there, with room for `words` more words and [`MARGIN`]. What the
    /// caller puts below the top he tells by [`Self::set_top`].
    pub(super) fn room(&mut self, words: usize) -> (&mut [[u8; N]], usize) {
        self.reserve(N * (words + MARGIN));
        let start = self.stream.start;
        (self.stream.buffer.as_chunks_mut().0, start / N)
    }

    pub(super) fn set_top(&mut self, top: usize) {
        self.stream.start = top * N;
    }

    /// Makes room for `size` bytes below the top.
    fn reserve(&mut self, size: usize) {
        let Stream { buffer, start, home } = &mut self.stream;
        if *start < size {
            let used = buffer.len() - *start;
            let new_size = (2 * buffer.len()).max(used + size).next_multiple_of(N);
            let spare = home.as_ref().and_then(|home| home.take(new_size));
            let Some(mut larger) = spare.or_else(|| zeroed(new_size)) else {
                self.is_short = true;
                if buffer.len() < size {
                    *buffer = vec![0; size.next_multiple_of(N)]; // a run's
                }
                *start = buffer.len();
                return;
            };
            let new_start = new_size - used;
            larger[new_start..].copy_from_slice(&buffer[*start..]);
            let smaller = std::mem::replace(buffer, larger);
            if let Some(home) = home {
                home.give(smaller);
            }
            *start = new_start;
        }
    }

    /// Puts a word on the top.
    pub(super) fn push(&mut self, word: [u8; N]) {
        let (room, top) = self.room(1);
        room[top - 1] = word;
        self.set_top(top - 1);
    }

    /// Takes the top word back.
    pub(super) fn pop(&mut self) -> Option<[u8; N]> {
        let word = self.stream.first_chunk().copied()?;
        self.stream.start += N;
        Some(word)
    }

    /// The words after `head`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory was short.
    pub(super) fn finish(mut self, head: &[u8]) -> Result<Stream> {
        if !self.is_short {
            self.reserve(head.len());
        }
        if self.is_short {
            return Err(Error::limit("no memory for a stream"));
        }
        let mut stream = self.stream;
        let start = stream.start - head.len();
        stream.buffer[start..stream.start].copy_from_slice(head);
        stream.start = start;
        Ok(stream)
    }
}

/// So many zeros, if there is memory for them.
fn zeroed(len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes)
}

impl Stream {
    /// A copy of the stream.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory is short.
    pub fn try_to_vec(&self) -> Result<Vec<u8>> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(self.len())
            .map_err(|_| Error::limit(format!("no memory for a stream of {} bytes", self.len())))?;
        copy.extend_from_slice(self);
        Ok(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_the_reverse_order_and_buffers_come_home() {
        let home = Arc::new(BufferPool::default());
        let mut stack = WordStack::<2>::new(1, Some(home.clone()));
        for word in 0..1000u16 {
            stack.push(word.to_le_bytes());
        }
        assert_eq!(stack.pop(), Some([0xe7, 3]));
        let stream = stack.finish(&[1, 2, 3]).expect("memory");
        assert_eq!(stream.len(), 3 + 2 * 999);
        assert_eq!(&stream[..5], [1, 2, 3, 0xe6, 3]);
        let (copy, size) = (stream.to_vec(), stream.buffer.len());
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
        assert_eq!(stack.finish(&[]).expect("memory").to_vec(), []);
    }
}
