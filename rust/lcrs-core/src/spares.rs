//! Memory of tensors that are gone, for those that come next.
//!
//! Fresh memory costs a page fault every four kilobytes, which for wide layers takes as long as half of their arithmetic.

use std::sync::{Mutex, PoisonError};

/// Bytes that are kept at most.
const MAX_BYTES: usize = 1 << 27;
/// Buffers that are kept at most.
const MAX_BUFFERS: usize = 8;

/// Buffers of numbers that nobody uses, of one [`crate::Runtime`].
#[derive(Debug, Default)]
pub(crate) struct Spares<T>(Mutex<Vec<Vec<T>>>);

impl<T: Copy + Default> Spares<T> {
    /// Elements that are kept at most.
    const MAX_ELEMENTS: usize = MAX_BYTES / size_of::<T>();

    /// A buffer of `len` elements with unspecified values, if there is one of about that size.
    pub(crate) fn take(&self, len: usize) -> Option<Vec<T>> {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |b: &Vec<T>| b.capacity() >= len && b.capacity() / 4 <= len;
        let best = (0..buffers.len()).filter(|&i| fits(&buffers[i])).min_by_key(|&i| buffers[i].capacity())?;
        let mut buffer = buffers.swap_remove(best);
        drop(buffers);
        buffer.resize(len, T::default());
        Some(buffer)
    }

    /// Keeps `buffer`, and drops the smallest ones beyond the limits.
    pub(crate) fn give(&self, buffer: Vec<T>) {
        if buffer.capacity() == 0 {
            return;
        }
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.push(buffer);
        while buffers.len() > MAX_BUFFERS || buffers.iter().map(Vec::capacity).sum::<usize>() > Self::MAX_ELEMENTS {
            let Some(smallest) = (0..buffers.len()).min_by_key(|&i| buffers[i].capacity()) else { return };
            buffers.swap_remove(smallest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_about_the_size_come_back() {
        let spares = Spares::default();
        spares.give(vec![1.0; 1000]);
        spares.give(vec![2.0; 100]);
        assert_eq!(spares.take(2000), None, "none is large enough");
        assert_eq!(spares.take(10), None, "none is small enough");
        assert_eq!(spares.take(90).map(|b| b.len()), Some(90));
        assert_eq!(spares.take(90), None, "it was taken");
        let grown = spares.take(1000).expect("the large one");
        assert_eq!(grown.len(), 1000);
        for _ in 0..100 {
            spares.give(vec![0.0; 10]);
        }
        assert_eq!(spares.0.lock().expect("not poisoned").len(), MAX_BUFFERS);
        spares.give(Vec::with_capacity(Spares::<f32>::MAX_ELEMENTS + 1));
        assert!(spares.0.lock().expect("not poisoned").iter().all(|b| b.capacity() <= Spares::<f32>::MAX_ELEMENTS));
    }
}
