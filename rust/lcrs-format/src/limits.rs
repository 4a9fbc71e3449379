//! Bounds on what a file may announce.

use crate::{Error, Result};

/// Limits that [`crate::parse`] and [`crate::bytes_needed`] check before anything is built from what a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pixels of one picture.
    pub max_pixels: u64,
    /// Width or height of one picture.
    pub max_side: u32,
    /// Bytes of all metadata of one file.
    pub max_metadata_bytes: u64,
    /// Bytes of one file.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 1 << 28, max_side: 65_535, max_metadata_bytes: 64 << 20, max_bytes: 2 << 30 }
    }
}

impl Limits {
    pub(crate) fn check_picture(&self, width: u32, height: u32) -> Result<()> {
        let pixels = u64::from(width) * u64::from(height);
        let (most, limit) = if width > self.max_side || height > self.max_side {
            (format!("{} a side", self.max_side), "max_side")
        } else if pixels > self.max_pixels {
            (format!("{} pixels", self.max_pixels), "max_pixels")
        } else {
            return Ok(());
        };
        Err(Error::Limit(format!("picture of {width} x {height}, at most {most} are allowed ({limit})")))
    }

    pub(crate) fn check_metadata(&self, bytes: u64) -> Result<()> {
        if bytes > self.max_metadata_bytes {
            return Err(Error::Limit(format!(
                "metadata of {bytes} bytes, at most {} are allowed (max_metadata_bytes)",
                self.max_metadata_bytes
            )));
        }
        Ok(())
    }
}
