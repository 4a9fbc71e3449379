//! Pictures of 8-bit RGB, and their way to and from the numbers that networks take.

use lcrs_core::exact::{Tensor, View};
use lcrs_core::{Error, Limits, Result};

use crate::graph::Rows;

/// Components of a pixel.
pub(crate) const COMPONENTS: usize = 3;

/// A picture: 8-bit red, green and blue, rows from the top, pixels from the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl Picture {
    /// A picture of `width * height * 3` bytes.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::InvalidArgument`] if a side is 0 or the length is another.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Self> {
        let wanted = u128::from(width) * u128::from(height) * COMPONENTS as u128;
        if wanted == 0 || wanted != data.len() as u128 {
            return Err(Error::invalid(format!("{} bytes for a picture of {width} x {height} x 3", data.len())));
        }
        Ok(Self { width, height, data })
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Red, green, blue of each pixel, row by row.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes of [`Picture::data`], taken out.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// Rows of the picture as numbers from 0 to 1 (`component / 255`, rounded once), its last column repeated up to
    /// `width`, its last row as often as asked for.
    pub(crate) fn padded_rows(&self, rows: &Rows, width: usize, limits: &Limits) -> Result<Tensor> {
        let mut tensor = Tensor::zeroed(COMPONENTS, rows.len(), width, limits)?;
        let levels: Vec<f32> = (0..=u8::MAX).map(|component| f32::from(component) / 255.0).collect();
        let row_bytes = self.width as usize * COMPONENTS;
        for (y, row) in rows.clone().zip(tensor.data_mut().chunks_exact_mut(width * COMPONENTS)) {
            let start = y.min(self.height as usize - 1) * row_bytes;
            let source = &self.data[start..start + row_bytes];
            let (visible, padding) = row.split_at_mut(row_bytes);
            for (number, component) in visible.iter_mut().zip(source) {
                *number = levels[usize::from(*component)];
            }
            let last = &visible[row_bytes - COMPONENTS..];
            padding.chunks_exact_mut(COMPONENTS).for_each(|pixel| pixel.copy_from_slice(last));
        }
        Ok(tensor)
    }
}

/// A picture in the making: the visible part of what a model gives, row by row from the top.
#[derive(Debug)]
pub(crate) struct Canvas {
    left: usize,
    top: usize,
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl Canvas {
    /// A picture of `width` x `height` that begins at column `left` and row `top` of what will be painted.
    pub(crate) fn new(left: u32, top: u32, width: u32, height: u32, limits: &Limits) -> Result<Self> {
        let mut data: Vec<u8> = limits.zeroed(width as usize * height as usize * COMPONENTS, "picture")?;
        data.clear();
        Ok(Self { left: left as usize, top: top as usize, width, height, data })
    }

    /// Bytes of the whole picture.
    pub(crate) fn bytes(&self) -> u64 {
        self.data.capacity() as u64
    }

    /// Takes the rows of a tensor: numbers are clamped to 0..=1, times 255, rounded half to even.
    pub(crate) fn paint(&mut self, rows: Rows, tensor: View<'_>) -> Result<()> {
        let (start, length) = (self.left * COMPONENTS, self.width as usize * COMPONENTS);
        let visible = self.top..self.top + self.height as usize;
        for (y, numbers) in rows.zip(tensor.data().chunks_exact(tensor.width() * COMPONENTS)) {
            if !visible.contains(&y) {
                continue;
            }
            let numbers = &numbers[start..start + length];
            if let Some(i) = numbers.iter().position(|number| number.is_nan()) {
                return Err(Error::corrupt(format!("component {i} of row {y} is not a number")));
            }
            self.data.extend(numbers.iter().map(|number| (number.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8));
        }
        Ok(())
    }

    /// The picture, once all its rows were painted.
    pub(crate) fn finish(self) -> Result<Picture> {
        Picture::new(self.width, self.height, self.data)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn painted(tensor: &Tensor, left: u32, top: u32, width: u32, height: u32) -> Result<Picture> {
        let mut canvas = Canvas::new(left, top, width, height, &Limits::default())?;
        canvas.paint(0..tensor.height(), tensor.view())?;
        canvas.finish()
    }

    #[test]
    fn padding_repeats_the_last_row_and_column() {
        let picture = Picture::new(2, 1, vec![0, 51, 102, 153, 204, 255]).unwrap();
        let tensor = picture.padded_rows(&(0..2), 3, &Limits::default()).unwrap();
        let row = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.6, 0.8, 1.0];
        assert_eq!(tensor.data(), [row, row].concat());
    }

    #[test]
    fn every_component_comes_back() {
        let data: Vec<u8> = (0..=255).chain(0..=255).chain(0..=255).collect();
        let picture = Picture::new(16, 16, data).unwrap();
        let tensor = picture.padded_rows(&(0..32), 48, &Limits::default()).unwrap();
        assert_eq!(painted(&tensor, 0, 0, 16, 16).unwrap(), picture);
    }

    #[test]
    fn numbers_are_clamped_and_rounded_half_to_even() {
        let numbers = vec![-0.5, 1.5, f32::INFINITY, 0.5 / 255.0, 1.5 / 255.0, 2.5 / 255.0];
        let tensor = Tensor::from_vec(3, 1, 2, numbers).unwrap();
        assert_eq!(painted(&tensor, 0, 0, 2, 1).unwrap().data(), [0, 255, 255, 0, 2, 2]);
        let tensor = Tensor::from_vec(3, 1, 1, vec![0.0, f32::NAN, 0.0]).unwrap();
        assert!(painted(&tensor, 0, 0, 1, 1).is_err());
    }

    #[test]
    fn crops_start_at_their_offset() {
        let tensor = Tensor::from_vec(3, 2, 2, (0..12).map(|i| i as f32 / 255.0).collect()).unwrap();
        assert_eq!(painted(&tensor, 1, 1, 1, 1).unwrap().data(), [9, 10, 11]);
    }

    #[test]
    fn sizes_must_fit() {
        assert!(Picture::new(0, 1, vec![]).is_err());
        assert!(Picture::new(1, 1, vec![0; 4]).is_err());
        assert!(Picture::new(u32::MAX, u32::MAX, vec![0; 3]).is_err());
    }
}
