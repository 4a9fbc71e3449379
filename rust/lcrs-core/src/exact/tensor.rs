//! A picture-shaped array.

use crate::buffer_pool::{zeroed, BufferPool};
use crate::{Error, Limits, Result, Runtime};
use std::ops::Range;
use std::sync::Arc;

/// One picture of `channels` x `height` x `width` binary32 numbers, channels innermost: element (c, y, x) lies at
/// `(y * width + x) * channels + c`.
#[derive(Debug)]
pub struct Tensor {
    channels: usize,
    height: usize,
    width: usize,
    /// The elements, from `start` on: where memory is made here, they begin on a cache line, since vectors of numbers
    /// that straddle two lines cost twice the time.
    data: Vec<f32>,
    start: usize,
    /// Where the memory goes when the tensor is dropped.
    home: Option<Arc<BufferPool<f32>>>,
}

impl Clone for Tensor {
    fn clone(&self) -> Self {
        let (channels, height, width) = self.shape();
        Self { channels, height, width, data: self.data().to_vec(), start: 0, home: None }
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && self.data() == other.data()
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            home.give(std::mem::take(&mut self.data));
        }
    }
}

impl Tensor {
    /// A tensor of zeros.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if it would exceed the limits.
    pub fn zeroed(channels: usize, height: usize, width: usize, limits: &Limits) -> Result<Self> {
        let len = limited_len(channels, height, width, limits)?;
        let (data, start) = aligned(zeroed(len + ROOM, "a tensor")?, len);
        Ok(Self { channels, height, width, data, start, home: None })
    }

    /// A tensor of unspecified values, for a job that writes them all; its memory comes from the runtime and goes back there.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if it would exceed the limits, or memory is short.
    pub fn output(rt: &Runtime, limits: &Limits, (channels, height, width): (usize, usize, usize)) -> Result<Self> {
        let len = limited_len(channels, height, width, limits)?;
        let fresh = || {
            // what is kept for later gives way to it
            rt.trim(limits.max_bytes.saturating_sub((size_of::<f32>() * (len + ROOM)) as u64));
            zeroed(len + ROOM, "a tensor")
        };
        let mut data = rt.float_buffers.take(len + ROOM).map_or_else(fresh, Ok)?;
        if limits.max_bytes / 64 < (size_of::<f32>() * len) as u64 {
            // where the limit is near, a buffer that was larger gives back what is too much
            data.shrink_to(len + ROOM);
        }
        let (data, start) = aligned(data, len);
        Ok(Self { channels, height, width, data, start, home: Some(rt.float_buffers.clone()) })
    }

    /// A tensor of data that is already channels-last.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the length is not `channels * height * width`.
    pub fn from_vec(channels: usize, height: usize, width: usize, data: Vec<f32>) -> Result<Self> {
        check_len(channels, height, width, data.len())?;
        Ok(Self { channels, height, width, data, start: 0, home: None })
    }

    /// A tensor from channels-first data, as torch has it.
    ///
    /// # Errors
    /// As [`Tensor::zeroed`] and [`Tensor::from_vec`].
    pub fn from_nchw(channels: usize, height: usize, width: usize, data: &[f32], limits: &Limits) -> Result<Self> {
        check_len(channels, height, width, data.len())?;
        let mut out = Self::zeroed(channels, height, width, limits)?;
        transpose(data, channels, height * width, out.data_mut());
        Ok(out)
    }

    /// The data channels-first, as torch has it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if memory is short.
    pub fn to_nchw(&self) -> Result<Vec<f32>> {
        let mut out = zeroed(self.data().len(), "an array")?;
        transpose(self.data(), self.height * self.width, self.channels, &mut out);
        Ok(out)
    }

    /// A copy whose memory comes from the runtime.
    ///
    /// # Errors
    /// As [`Tensor::output`].
    pub fn try_clone(&self, rt: &Runtime, limits: &Limits) -> Result<Self> {
        self.view().to_tensor(rt, limits)
    }

    /// Bytes of its elements.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        size_of_val(self.data()) as u64
    }

    /// All rows, borrowed.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        let (channels, height, width) = self.shape();
        View { channels, height, width, data: self.data() }
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// (channels, height, width).
    #[must_use]
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.channels, self.height, self.width)
    }

    /// All elements, channels innermost.
    #[must_use]
    pub fn data(&self) -> &[f32] {
        &self.data[self.start..]
    }

    /// All elements, channels innermost.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..]
    }

    /// The elements, channels innermost.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<f32> {
        self.data.drain(..self.start);
        std::mem::take(&mut self.data)
    }

    /// The `channels` elements of row `y`, column `x`.
    #[must_use]
    pub fn pixel(&self, y: usize, x: usize) -> &[f32] {
        let start = (y * self.width + x) * self.channels;
        &self.data()[start..start + self.channels]
    }

    /// Elements from one row to the next.
    pub(crate) fn row_len(&self) -> usize {
        self.width * self.channels
    }
}

/// Consecutive rows of a [`Tensor`], borrowed.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    channels: usize,
    height: usize,
    width: usize,
    data: &'a [f32],
}

impl<'a> View<'a> {
    /// Number of channels.
    #[must_use]
    pub fn channels(self) -> usize {
        self.channels
    }

    /// Number of rows.
    #[must_use]
    pub fn height(self) -> usize {
        self.height
    }

    /// Number of columns.
    #[must_use]
    pub fn width(self) -> usize {
        self.width
    }

    /// (channels, height, width).
    #[must_use]
    pub fn shape(self) -> (usize, usize, usize) {
        (self.channels, self.height, self.width)
    }

    /// All elements, channels innermost.
    #[must_use]
    pub fn data(self) -> &'a [f32] {
        self.data
    }

    /// Some of the rows.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] if they are not there.
    pub fn rows(self, rows: Range<usize>) -> Result<Self> {
        if rows.start > rows.end || rows.end > self.height {
            return Err(Error::corrupt(format!("rows {rows:?} are needed, {} are there", self.height)));
        }
        let row_len = self.row_len();
        let data = &self.data[rows.start * row_len..rows.end * row_len];
        Ok(Self { height: rows.len(), data, ..self })
    }

    /// A copy whose memory comes from the runtime.
    ///
    /// # Errors
    /// As [`Tensor::output`].
    pub fn to_tensor(self, rt: &Runtime, limits: &Limits) -> Result<Tensor> {
        let mut copy = Tensor::output(rt, limits, self.shape())?;
        copy.data_mut().copy_from_slice(self.data);
        Ok(copy)
    }

    /// The same elements as one long row.
    pub(super) fn flat(self) -> Self {
        Self { height: 1, width: self.height * self.width, ..self }
    }

    /// Elements from one row to the next.
    pub(super) fn row_len(self) -> usize {
        self.width * self.channels
    }
}

/// `to[j * rows + i] = from[i * columns + j]`, tile by tile, so that lines of the cache are used whole.
fn transpose(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    const TILE: usize = 16;
    for top in (0..rows).step_by(TILE) {
        let below = (top + TILE).min(rows);
        for left in (0..columns).step_by(TILE) {
            for column in left..(left + TILE).min(columns) {
                let out = &mut to[column * rows + top..column * rows + below];
                let values = from[top * columns + column..].iter().step_by(columns);
                out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
            }
        }
    }
}

/// Elements of a cache line, less one: as many may lie before the first element.
pub(super) const ROOM: usize = 15;

/// `data` cut down to `len` elements from the returned start on, which lies on a cache line.
fn aligned(mut data: Vec<f32>, len: usize) -> (Vec<f32>, usize) {
    let start = data.as_ptr().align_offset(64).min(ROOM);
    data.truncate(start + len);
    (data, start)
}

fn checked_len(channels: usize, height: usize, width: usize) -> Option<usize> {
    channels.checked_mul(height)?.checked_mul(width)
}

fn limited_len(channels: usize, height: usize, width: usize, limits: &Limits) -> Result<usize> {
    let len = checked_len(channels, height, width)
        .ok_or_else(|| Error::limit(format!("tensor of {channels} x {height} x {width} is too large")))?;
    let bytes = (len as u64).saturating_mul(4);
    if bytes > limits.max_bytes {
        return Err(Error::limit(format!(
            "tensor of {channels} x {height} x {width} needs {bytes} bytes, at most {} are allowed (max_bytes)",
            limits.max_bytes
        )));
    }
    Ok(len)
}

fn check_len(channels: usize, height: usize, width: usize, len: usize) -> Result<()> {
    if checked_len(channels, height, width) == Some(len) {
        return Ok(());
    }
    Err(Error::invalid(format!("{len} elements do not make a tensor of {channels} x {height} x {width}")))
}
