//! Bounds on what input from outside may make us allocate.

use crate::{Error, Result};

/// Limits that decoders check before they allocate. Sizes read from input are never trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Pixels of one picture.
    pub max_pixels: u64,
    /// Width or height of one picture.
    pub max_side: u32,
    /// Bytes that one job may hold at a time.
    pub max_bytes: u64,
    /// Bytes of all metadata of one file.
    pub max_metadata_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 1 << 28, max_side: 65_535, max_bytes: 2 << 30, max_metadata_bytes: 64 << 20 }
    }
}

impl Limits {
    /// Checks the size of a picture.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if a side or the area is above the limit.
    pub fn check_picture(&self, width: u32, height: u32) -> Result<()> {
        if width > self.max_side || height > self.max_side {
            return Err(Error::limit(format!(
                "picture of {width} x {height}, at most {} a side are allowed (max_side)",
                self.max_side
            )));
        }
        let pixels = u64::from(width) * u64::from(height);
        if pixels > self.max_pixels {
            return Err(Error::limit(format!(
                "picture of {width} x {height} has {pixels} pixels, at most {} are allowed (max_pixels)",
                self.max_pixels
            )));
        }
        Ok(())
    }

    /// The same limits for a job of which `bytes` are held already.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if that is more than may be held.
    pub fn without(&self, bytes: u64, what: &str) -> Result<Self> {
        self.check_bytes(bytes, what)?;
        Ok(Self { max_bytes: self.max_bytes - bytes, ..*self })
    }

    /// Checks that `bytes` more are allowed and to be had, for what takes them without asking: libraries that end the process
    /// where memory ends.
    ///
    /// # Errors
    /// As [`Limits::zeroed`].
    pub fn rehearse(&self, bytes: u64, what: &str) -> Result<()> {
        let rehearsed: Vec<u8> = self.reserved(usize::try_from(bytes).unwrap_or(usize::MAX), what)?;
        // Whoever does not look at it might do without it.
        std::hint::black_box(&rehearsed);
        Ok(())
    }

    /// A zeroed vector of `len` elements, if that many bytes are allowed and to be had.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if it would exceed [`Limits::max_bytes`] or memory is short.
    pub fn zeroed<T: Clone + Default>(&self, len: usize, what: &str) -> Result<Vec<T>> {
        let mut out = self.reserved(len, what)?;
        out.resize(len, T::default());
        Ok(out)
    }

    /// An empty vector with room for `len` elements, if that many bytes are allowed and to be had.
    ///
    /// # Errors
    /// As [`Limits::zeroed`].
    pub fn reserved<T>(&self, len: usize, what: &str) -> Result<Vec<T>> {
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        self.check_bytes(bytes, what)?;
        let mut out = Vec::new();
        out.try_reserve_exact(len).map_err(|_| Error::limit(format!("no memory for {bytes} bytes of {what}")))?;
        Ok(out)
    }

    fn check_bytes(&self, bytes: u64, what: &str) -> Result<()> {
        if bytes > self.max_bytes {
            return Err(Error::limit(format!(
                "{what} needs {bytes} bytes, at most {} are allowed (max_bytes)",
                self.max_bytes
            )));
        }
        Ok(())
    }
}
