//! Pictures and arrays, and their way to and from the numbers that networks take.

use lcrs_core::exact::{Tensor, View};
use lcrs_core::{Error, Limits, Result};
use lcrs_format::Samples;

use crate::graph::Rows;
use crate::samples::{fault, Scale};

/// The size of a picture, and what is stored for each pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What is stored for each pixel.
    pub samples: Samples,
    /// Whether a single channel has an axis of its own, see [`lcrs_format::Header::has_channel_axis`].
    pub has_channel_axis: bool,
}

impl Layout {
    /// Of an 8-bit RGB picture.
    #[must_use]
    pub fn rgb8(width: u32, height: u32) -> Self {
        Self { width, height, samples: Samples::RGB8, has_channel_axis: true }
    }

    /// Bytes of a row.
    pub(crate) fn row_bytes(&self) -> usize {
        (self.width as usize).saturating_mul(self.pixel_bytes())
    }

    fn pixel_bytes(&self) -> usize {
        self.samples.channels() * self.samples.number().num_bytes()
    }
}

/// A picture or an array: rows from the top, pixels from the left, channels innermost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    layout: Layout,
    data: Vec<u8>,
}

impl Picture {
    /// A picture of 8-bit red, green and blue: `width * height * 3` bytes.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::InvalidArgument`] if a side is 0 or the length is another.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Self> {
        Self::with_layout(Layout::rgb8(width, height), data)
    }

    /// A picture or an array of any samples: the bytes of each, little endian, of pictures one for up to 8 bits, else two.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::InvalidArgument`] if a side is 0, the length is another, or a sample is not one: above the bits of
    /// a picture, or not finite.
    pub fn with_layout(layout: Layout, data: Vec<u8>) -> Result<Self> {
        let Layout { width, height, samples, .. } = layout;
        let wanted = u128::from(width) * u128::from(height) * layout.pixel_bytes() as u128;
        if wanted == 0 || wanted != data.len() as u128 {
            let (channels, number) = (samples.channels(), samples.number().name());
            let message = format!("{} bytes for a picture of {width} x {height} x {channels} {number}", data.len());
            return Err(Error::invalid(message));
        }
        match fault(samples, &data) {
            Some(fault) => Err(Error::invalid(fault)),
            None => Ok(Self { layout, data }),
        }
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.layout.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.layout.height
    }

    /// What is stored for each pixel.
    #[must_use]
    pub fn samples(&self) -> Samples {
        self.layout.samples
    }

    /// Size and samples.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The samples of each pixel, row by row, each little endian.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes of [`Picture::data`], taken out.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// Rows of the picture as numbers from 0 to 1, its last column repeated up to `width`, its last row as often as asked for.
    pub(crate) fn padded_rows(&self, scale: &Scale, rows: &Rows, width: usize, limits: &Limits) -> Result<Tensor> {
        let channels = scale.channels();
        let mut tensor = Tensor::zeroed(channels, rows.len(), width, limits)?;
        let row_bytes = self.layout.row_bytes();
        for (y, row) in rows.clone().zip(tensor.data_mut().chunks_exact_mut(width * channels)) {
            let start = y.min(self.layout.height as usize - 1) * row_bytes;
            let (visible, padding) = row.split_at_mut(self.layout.width as usize * channels);
            scale.read(&self.data[start..start + row_bytes], visible);
            let last = &visible[visible.len() - channels..];
            padding.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(last));
        }
        Ok(tensor)
    }
}

/// A picture in the making: the visible part of what a model gives, row by row from the top.
#[derive(Debug)]
pub(crate) struct Canvas {
    left: usize,
    top: usize,
    layout: Layout,
    scale: Scale,
    data: Vec<u8>,
}

impl Canvas {
    /// A picture that begins at column `left` and row `top` of what will be painted.
    pub(crate) fn new((left, top): (u32, u32), layout: Layout, scale: Scale, limits: &Limits) -> Result<Self> {
        let length = layout.row_bytes().saturating_mul(layout.height as usize);
        let mut data: Vec<u8> = limits.zeroed(length, "picture")?;
        data.clear();
        Ok(Self { left: left as usize, top: top as usize, layout, scale, data })
    }

    /// Bytes of the whole picture.
    pub(crate) fn bytes(&self) -> u64 {
        self.data.capacity() as u64
    }

    /// Takes the rows of a tensor.
    pub(crate) fn paint(&mut self, rows: Rows, tensor: View<'_>) -> Result<()> {
        let channels = tensor.channels();
        let (start, length) = (self.left * channels, self.layout.width as usize * channels);
        let visible = self.top..self.top + self.layout.height as usize;
        for (y, numbers) in rows.zip(tensor.data().chunks_exact(tensor.width() * channels)) {
            if !visible.contains(&y) {
                continue;
            }
            let numbers = &numbers[start..start + length];
            if let Some(i) = numbers.iter().position(|number| number.is_nan()) {
                return Err(Error::corrupt(format!("component {i} of row {y} is not a number")));
            }
            self.scale.write(numbers, &mut self.data);
        }
        Ok(())
    }

    /// The picture, once all its rows were painted.
    pub(crate) fn finish(self) -> Result<Picture> {
        Picture::with_layout(self.layout, self.data)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lcrs_format::{Color, NumberType};

    use super::*;
    use crate::samples::ArraySamples;

    fn scale(samples: Samples) -> Scale {
        Scale::new(samples, None, "test").unwrap()
    }

    fn painted(tensor: &Tensor, left: u32, top: u32, width: u32, height: u32) -> Result<Picture> {
        let layout = Layout::rgb8(width, height);
        let mut canvas = Canvas::new((left, top), layout, scale(Samples::RGB8), &Limits::default())?;
        canvas.paint(0..tensor.height(), tensor.view())?;
        canvas.finish()
    }

    /// The samples of `picture`, made numbers and samples again.
    fn restored(picture: &Picture, scale: &Scale) -> Picture {
        let layout = picture.layout();
        let rows = 0..layout.height as usize;
        let tensor = picture.padded_rows(scale, &rows, layout.width as usize, &Limits::default()).unwrap();
        let mut canvas = Canvas::new((0, 0), layout, scale.clone(), &Limits::default()).unwrap();
        canvas.paint(rows, tensor.view()).unwrap();
        canvas.finish().unwrap()
    }

    #[test]
    fn padding_repeats_the_last_row_and_column() {
        let picture = Picture::new(2, 1, vec![0, 51, 102, 153, 204, 255]).unwrap();
        let tensor = picture.padded_rows(&scale(Samples::RGB8), &(0..2), 3, &Limits::default()).unwrap();
        let row = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.6, 0.8, 1.0];
        assert_eq!(tensor.data(), [row, row].concat());
    }

    #[test]
    fn every_component_comes_back() {
        let data: Vec<u8> = (0..=255).chain(0..=255).chain(0..=255).collect();
        let picture = Picture::new(16, 16, data).unwrap();
        let tensor = picture.padded_rows(&scale(Samples::RGB8), &(0..32), 48, &Limits::default()).unwrap();
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

    #[test]
    fn every_component_of_every_depth_comes_back() {
        for bit_depth in 1..=16_u8 {
            for (color, channels) in [(Color::Rgb, 3), (Color::Grey, 1)] {
                let samples = Samples::Picture { color, bit_depth };
                let count = 1_u32 << bit_depth;
                let components = (0..count * channels).map(|i| i % count);
                let data: Vec<u8> = match samples.number() {
                    NumberType::U8 => components.map(|component| component as u8).collect(),
                    _ => components.flat_map(|component| (component as u16).to_le_bytes()).collect(),
                };
                let layout = Layout { width: count, height: 1, samples, has_channel_axis: channels > 1 };
                let picture = Picture::with_layout(layout, data).unwrap();
                assert_eq!(restored(&picture, &scale(samples)), picture, "{samples}");
            }
        }
    }

    #[test]
    fn grey_is_the_mean_of_clamped_components() {
        let samples = Samples::Picture { color: Color::Grey, bit_depth: 8 };
        let layout = Layout { width: 2, height: 1, samples, has_channel_axis: false };
        let mut canvas = Canvas::new((0, 0), layout, scale(samples), &Limits::default()).unwrap();
        let tensor = Tensor::from_vec(3, 1, 2, vec![0.25, 0.5, 0.3, f32::INFINITY, f32::NEG_INFINITY, 0.5]).unwrap();
        canvas.paint(0..1, tensor.view()).unwrap();
        assert_eq!(canvas.finish().unwrap().data(), [(0.35_f32 * 255.0).round_ties_even() as u8, 128]);
    }

    #[test]
    fn components_above_their_bits_and_numbers_that_are_none_are_refused() {
        let layout = |samples| Layout { width: 1, height: 1, samples, has_channel_axis: true };
        let grey = |bit_depth| layout(Samples::Picture { color: Color::Grey, bit_depth });
        let floats = layout(Samples::Array { number: NumberType::F32, channels: 1 });
        assert!(Picture::with_layout(grey(7), vec![127]).is_ok());
        assert!(Picture::with_layout(grey(7), vec![128]).unwrap_err().message().contains("0 is 128 (0 to 127)"));
        assert!(Picture::with_layout(grey(10), 1024_u16.to_le_bytes().to_vec()).is_err());
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(Picture::with_layout(floats, bad.to_le_bytes().to_vec()).is_err());
        }
    }

    /// Every whole number of a range comes back; what lies outside becomes its end.
    #[test]
    fn arrays_come_back_within_their_range() {
        for (number, minimum, maximum) in [
            (NumberType::U8, 3, 250),
            (NumberType::I8, -128, 127),
            (NumberType::U16, 0, 65_535),
            (NumberType::I16, -32_768, 32_767),
            (NumberType::I16, -5, 4000),
        ] {
            let array = ArraySamples { number, channels: 1, minimum: minimum as f32, maximum: maximum as f32 };
            let scale = Scale::new(array.samples(), Some(array), "test").unwrap();
            let bytes = |values: &[i32]| -> Vec<u8> {
                values.iter().flat_map(|value| value.to_le_bytes()[..number.num_bytes()].to_vec()).collect()
            };
            let values: Vec<i32> = (minimum..=maximum).collect();
            let layout = |values: &[i32]| Layout {
                width: values.len() as u32,
                height: 1,
                samples: array.samples(),
                has_channel_axis: false,
            };
            let picture = Picture::with_layout(layout(&values), bytes(&values)).unwrap();
            assert_eq!(restored(&picture, &scale), picture, "{number:?}");
            let outside = Picture::with_layout(layout(&[0, 0]), bytes(&[minimum - 1, maximum + 1])).unwrap();
            if number == NumberType::U8 || minimum == -5 {
                assert_eq!(restored(&outside, &scale).data(), bytes(&[minimum, maximum]), "{number:?}");
            }
        }
    }

    #[test]
    fn floats_come_back_up_to_rounding() {
        let array = ArraySamples { number: NumberType::F32, channels: 3, minimum: -0.1, maximum: 7.3 };
        let scale = Scale::new(array.samples(), Some(array), "test").unwrap();
        let layout = Layout { width: 2, height: 1, samples: array.samples(), has_channel_axis: true };
        let given = [-0.1_f32, 7.3, -9.0, f32::MAX, 1.0, 3.333];
        let data = given.iter().flat_map(|value| value.to_le_bytes()).collect();
        let restored = restored(&Picture::with_layout(layout, data).unwrap(), &scale);
        let numbers: Vec<f32> =
            restored.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        assert_eq!(numbers[..4], [-0.1, 7.3, -0.1, 7.3]);
        for (given, number) in given[4..].iter().zip(&numbers[4..]) {
            assert!((given - number).abs() <= 7.4 * f32::EPSILON, "{given} {number}");
        }
    }

    #[test]
    fn a_model_codes_its_own_samples_alone() {
        let array = ArraySamples { number: NumberType::F32, channels: 5, minimum: 0.0, maximum: 1.0 };
        let other = Samples::Array { number: NumberType::F32, channels: 4 };
        for (samples, model) in [(Samples::RGB8, Some(array)), (other, Some(array)), (other, None)] {
            assert!(Scale::new(samples, model, "test").is_err(), "{samples}");
        }
    }
}
