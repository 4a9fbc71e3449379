//! Memory of tensors that are gone, for those that come next.
//!
//! Fresh memory costs a page fault every four kilobytes, which for wide layers takes as long as half of their arithmetic.
#![allow(unsafe_code)]

use crate::{Error, Result};
use std::alloc::{alloc_zeroed, Layout};
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that are kept at most.
const MAX_BYTES: usize = 1 << 26;
/// Buffers that are kept at most.
const MAX_BUFFERS: usize = 32;

/// Buffers of numbers that nobody uses, of one [`crate::Runtime`].
#[derive(Debug, Default)]
pub(crate) struct BufferPool<T>(Mutex<Vec<Vec<T>>>);

impl<T: Copy + Default> BufferPool<T> {
    /// Elements that are kept at most.
    const MAX_ELEMENTS: usize = MAX_BYTES / size_of::<T>();

    fn buffers(&self) -> MutexGuard<'_, Vec<Vec<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of `len` elements with unspecified values, if there is one of about that size.
    pub(crate) fn take(&self, len: usize) -> Option<Vec<T>> {
        let mut buffers = self.buffers();
        let fits = |b: &Vec<T>| b.capacity() >= len && b.capacity() / 4 <= len;
        let best = (0..buffers.len()).filter(|&i| fits(&buffers[i])).min_by_key(|&i| buffers[i].capacity())?;
        let mut buffer = buffers.swap_remove(best);
        drop(buffers);
        buffer.resize(len, T::default());
        Some(buffer)
    }

    /// Keeps `buffer`, and drops those that have lain for longest beyond the limits.
    pub(crate) fn give(&self, buffer: Vec<T>) {
        if buffer.capacity() == 0 {
            return;
        }
        let mut buffers = self.buffers();
        if buffers.try_reserve(1).is_ok() {
            buffers.push(buffer);
        }
        shrink(&mut buffers, Self::MAX_ELEMENTS);
    }

    /// Drops buffers until those that are kept take at most `bytes`; gives how many of these they leave.
    pub(crate) fn trim(&self, bytes: u64) -> u64 {
        let mut buffers = self.buffers();
        shrink(&mut buffers, usize::try_from(bytes).unwrap_or(usize::MAX) / size_of::<T>());
        let kept: usize = buffers.iter().map(Vec::capacity).sum();
        bytes.saturating_sub((kept * size_of::<T>()) as u64)
    }
}

/// Gives the system what the allocator keeps of memory that is free, as far as the allocator can be told to.
pub(crate) fn give_freed_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        extern "C" {
            fn malloc_trim(pad: usize) -> i32;
        }
        // SAFETY: a function of the C library without conditions, for any thread at any time.
        unsafe { malloc_trim(0) };
    }
}

/// Drops the first buffers until no more are left than may be kept, of `elements` in all.
fn shrink<T>(buffers: &mut Vec<Vec<T>>, elements: usize) {
    let mut sum: usize = buffers.iter().map(Vec::capacity).sum();
    let is_over = |sum: usize, left: usize| sum > elements || left > MAX_BUFFERS;
    let dropped = buffers.iter().enumerate().take_while(|(i, buffer)| {
        let is_over = is_over(sum, buffers.len() - i);
        sum -= buffer.capacity();
        is_over
    });
    let dropped = dropped.count();
    buffers.drain(..dropped);
}

/// A buffer for a while: memory of `buffers` while it lives.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    buffer: Vec<f32>,
    buffers: &'a BufferPool<f32>,
}

impl<'a> Lent<'a> {
    /// `len` numbers of unspecified values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory is short.
    pub(crate) fn new(buffers: &'a BufferPool<f32>, len: usize) -> Result<Self> {
        let buffer = buffers.take(len).map_or_else(|| zeroed(len, "a layer's work"), Ok)?;
        Ok(Self { buffer, buffers })
    }
}

impl Deref for Lent<'_> {
    type Target = Vec<f32>;

    fn deref(&self) -> &Vec<f32> {
        &self.buffer
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Vec<f32> {
        &mut self.buffer
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.buffers.give(std::mem::take(&mut self.buffer));
    }
}

/// Room for `more` elements behind those of `buffer`; none is made where there is enough.
///
/// # Errors
/// [`crate::ErrorKind::Limit`] if memory is short.
pub(crate) fn make_room<T>(buffer: &mut Vec<T>, more: usize, what: &str) -> Result<()> {
    let short = |_| Error::limit(format!("no memory for {} bytes of {what}", more.saturating_mul(size_of::<T>())));
    buffer.try_reserve(more).map_err(short)
}

/// Makes `buffer` `len` elements long, with unspecified values.
///
/// # Errors
/// As [`make_room`].
pub(crate) fn set_len<T: Clone + Default>(buffer: &mut Vec<T>, len: usize, what: &str) -> Result<()> {
    make_room(buffer, len.saturating_sub(buffer.len()), what)?;
    buffer.resize(len, T::default());
    Ok(())
}

/// `len` zeros from memory that the system hands out as zeros, so that pages are touched when they are used.
///
/// # Errors
/// [`crate::ErrorKind::Limit`] if memory is short.
pub(crate) fn zeroed(len: usize, what: &str) -> Result<Vec<f32>> {
    let short = || Error::limit(format!("no memory for {} bytes of {what}", len.saturating_mul(size_of::<f32>())));
    let layout = Layout::array::<f32>(len).map_err(|_| short())?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout is that of an array of `len` numbers, not empty. The global allocator returns memory for it, which only the
    // vector will give back, with this very layout; all bits zero is the number zero.
    unsafe {
        let memory = alloc_zeroed(layout).cast::<f32>();
        if memory.is_null() {
            return Err(short());
        }
        Ok(Vec::from_raw_parts(memory, len, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        assert_eq!(zeroed(3, "numbers").expect("a few bytes"), [0.0; 3]);
        assert!(zeroed(0, "numbers").expect("nothing").is_empty());
        for len in [usize::MAX, isize::MAX as usize / 4] {
            assert_eq!(zeroed(len, "numbers").expect_err("too many").kind(), crate::ErrorKind::Limit);
            let mut buffer = vec![1.0_f32; 2];
            assert_eq!(set_len(&mut buffer, len, "numbers").expect_err("too many").kind(), crate::ErrorKind::Limit);
            assert_eq!(buffer, [1.0; 2], "it is as before");
        }
    }

    #[test]
    fn buffers_of_about_the_size_come_back() {
        let buffers = BufferPool::<f32>::default();
        buffers.give(vec![1.0; 1000]);
        buffers.give(vec![2.0; 100]);
        assert_eq!(buffers.take(2000), None, "none is large enough");
        assert_eq!(buffers.take(10), None, "none is small enough");
        assert_eq!(buffers.take(90).map(|b| b.len()), Some(90));
        assert_eq!(buffers.take(90), None, "it was taken");
        let grown = buffers.take(1000).expect("the large one");
        assert_eq!(grown.len(), 1000);
        for _ in 0..100 {
            buffers.give(vec![0.0; 10]);
        }
        assert_eq!(buffers.0.lock().expect("not poisoned").len(), MAX_BUFFERS);
        buffers.trim(35 * size_of::<f32>() as u64);
        assert_eq!(buffers.0.lock().expect("not poisoned").len(), 3);
        buffers.give(Vec::with_capacity(BufferPool::<f32>::MAX_ELEMENTS + 1));
        assert!(buffers
            .0
            .lock()
            .expect("not poisoned")
            .iter()
            .all(|b| b.capacity() <= BufferPool::<f32>::MAX_ELEMENTS));
    }
}
