//! Components in rows: turned as EXIF says, put on a background, rounded to 8 bits.

use lcrs_core::{Limits, Result};

/// Components of 8 or 16 bits, rows from the top, channels innermost: grey, grey and alpha, RGB, or RGB and alpha.
#[derive(Debug)]
pub(super) struct Pixels {
    pub width: u32,
    pub height: u32,
    pub channels: usize,
    /// Bits of a component: 8 of bytes, 9 to 16 of words.
    pub bit_depth: u8,
    pub data: Components,
}

#[derive(Debug)]
pub(super) enum Components {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

/// A type of components.
trait Component: Copy + Default + PartialEq + Into<u32> {
    const LARGEST: u32;
    fn of(number: u32) -> Self;
}

impl Component for u8 {
    const LARGEST: u32 = 255;
    fn of(number: u32) -> Self {
        number as u8
    }
}

impl Component for u16 {
    const LARGEST: u32 = 65_535;
    fn of(number: u32) -> Self {
        number as u16
    }
}

impl Pixels {
    /// As an EXIF orientation, from 1 to 8, says that they are to be seen.
    pub(super) fn oriented(self, orientation: u8, limits: &Limits) -> Result<Self> {
        if orientation == 1 {
            return Ok(self);
        }
        let (size, channels) = ((self.width as usize, self.height as usize), self.channels);
        let data = match &self.data {
            Components::Bytes(data) => Components::Bytes(turned(data, size, channels, orientation, limits)?),
            Components::Words(data) => Components::Words(turned(data, size, channels, orientation, limits)?),
        };
        let (width, height) = if orientation >= 5 { (self.height, self.width) } else { (self.width, self.height) };
        Ok(Self { width, height, channels, bit_depth: self.bit_depth, data })
    }

    /// Without an alpha channel: it is left out where all is opaque, else the pixels are put on `background`. Nothing if that
    /// is needed and not given.
    pub(super) fn flattened(mut self, background: Option<[u8; 3]>, limits: &Limits) -> Result<Option<Self>> {
        if !matches!(self.channels, 2 | 4) {
            return Ok(Some(self));
        }
        let flat = match &self.data {
            Components::Bytes(data) => flatten(data, self.channels, background, limits)?
                .map(|(colors, channels)| (Components::Bytes(colors), channels)),
            Components::Words(data) => flatten(data, self.channels, background, limits)?
                .map(|(colors, channels)| (Components::Words(colors), channels)),
        };
        Ok(flat.map(|(data, channels)| {
            (self.data, self.channels) = (data, channels);
            self
        }))
    }

    /// 8 bits a component, rounded to nearest.
    pub(super) fn rounded(mut self, limits: &Limits) -> Result<Self> {
        if let Components::Words(words) = &self.data {
            let mut bytes: Vec<u8> = limits.zeroed(words.len(), "picture")?;
            let largest = (1_u32 << self.bit_depth) - 1;
            let round = |word: u16| ((u32::from(word) * 255 + largest / 2) / largest) as u8;
            bytes.iter_mut().zip(words).for_each(|(byte, word)| *byte = round(*word));
            (self.bit_depth, self.data) = (8, Components::Bytes(bytes));
        }
        Ok(self)
    }
}

fn turned<T: Component>(
    data: &[T],
    (width, height): (usize, usize),
    channels: usize,
    orientation: u8,
    limits: &Limits,
) -> Result<Vec<T>> {
    let mut out = limits.zeroed(data.len(), "picture")?;
    let (columns, rows) = if orientation >= 5 { (height, width) } else { (width, height) };
    for (y, row) in out.chunks_exact_mut(columns * channels).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let mirrored_x = if matches!(orientation, 2 | 3 | 6 | 7) { columns - 1 - x } else { x };
            let mirrored_y = if matches!(orientation, 3 | 4 | 7 | 8) { rows - 1 - y } else { y };
            let (from_x, from_y) = if orientation >= 5 { (mirrored_y, mirrored_x) } else { (mirrored_x, mirrored_y) };
            let from = (from_y * width + from_x) * channels;
            pixel.copy_from_slice(&data[from..from + channels]);
        }
    }
    Ok(out)
}

/// Colours without alpha, and their number of channels.
fn flatten<T: Component>(
    data: &[T],
    channels: usize,
    background: Option<[u8; 3]>,
    limits: &Limits,
) -> Result<Option<(Vec<T>, usize)>> {
    let colors = channels - 1;
    let largest = T::of(T::LARGEST);
    if data.chunks_exact(channels).all(|pixel| pixel[colors] == largest) {
        let mut out = limits.zeroed(data.len() / channels * colors, "picture")?;
        let pixels = out.chunks_exact_mut(colors).zip(data.chunks_exact(channels));
        pixels.for_each(|(to, from)| to.copy_from_slice(&from[..colors]));
        return Ok(Some((out, colors)));
    }
    let Some(background) = background else { return Ok(None) };
    // A grey picture on a grey background stays grey.
    let is_grey = colors == 1 && background.iter().all(|part| *part == background[0]);
    let out_channels = if is_grey { 1 } else { 3 };
    let background = background.map(|part| (u32::from(part) * T::LARGEST + 127) / 255);
    let mut out = limits.zeroed(data.len() / channels * out_channels, "picture")?;
    for (to, from) in out.chunks_exact_mut(out_channels).zip(data.chunks_exact(channels)) {
        let alpha: u32 = from[colors].into();
        for (i, to) in to.iter_mut().enumerate() {
            let color: u32 = from[i.min(colors - 1)].into();
            // Rounded to nearest: opaque pixels keep their value, transparent ones take the background's.
            let sum = u64::from(color) * u64::from(alpha) + u64::from(background[i]) * u64::from(T::LARGEST - alpha);
            *to = T::of(((sum + u64::from(T::LARGEST) / 2) / u64::from(T::LARGEST)) as u32);
        }
    }
    Ok(Some((out, out_channels)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn oriented(orientation: u8) -> (u32, u32, Vec<u8>) {
        // 1 2 3
        // 4 5 6
        let pixels =
            Pixels { width: 3, height: 2, channels: 1, bit_depth: 8, data: Components::Bytes(vec![1, 2, 3, 4, 5, 6]) };
        let turned = pixels.oriented(orientation, &Limits::default()).unwrap();
        let Components::Bytes(data) = turned.data else { panic!("bytes stay bytes") };
        (turned.width, turned.height, data)
    }

    #[test]
    fn orientations_are_those_of_exif() {
        for (orientation, expected) in [
            (1, (3, 2, vec![1, 2, 3, 4, 5, 6])),
            (2, (3, 2, vec![3, 2, 1, 6, 5, 4])),
            (3, (3, 2, vec![6, 5, 4, 3, 2, 1])),
            (4, (3, 2, vec![4, 5, 6, 1, 2, 3])),
            (5, (2, 3, vec![1, 4, 2, 5, 3, 6])),
            (6, (2, 3, vec![4, 1, 5, 2, 6, 3])),
            (7, (2, 3, vec![6, 3, 5, 2, 4, 1])),
            (8, (2, 3, vec![3, 6, 2, 5, 1, 4])),
        ] {
            assert_eq!(oriented(orientation), expected, "orientation {orientation}");
        }
    }

    #[test]
    fn transparency_is_mixed_and_rounded_to_nearest() {
        let limits = Limits::default();
        let pixels = |words: &[u16]| Pixels {
            width: words.len() as u32 / 2,
            height: 1,
            channels: 2,
            bit_depth: 16,
            data: Components::Words(words.to_vec()),
        };
        let opaque = pixels(&[7, 65_535, 9, 65_535]).flattened(None, &limits).unwrap().unwrap();
        assert!(matches!((opaque.channels, opaque.data), (1, Components::Words(data)) if data == [7, 9]));
        let mixed = || pixels(&[65_535, 0, 65_535, 65_535, 65_535, 32_768]);
        assert!(mixed().flattened(None, &limits).unwrap().is_none());
        let grey = mixed().flattened(Some([0; 3]), &limits).unwrap().unwrap();
        assert!(matches!((grey.channels, grey.data), (1, Components::Words(data)) if data == [0, 65_535, 32_768]));
        let red = mixed().flattened(Some([255, 0, 0]), &limits).unwrap().unwrap();
        let expected = [65_535, 0, 0, 65_535, 65_535, 65_535, 65_535, 32_768, 32_768];
        assert!(matches!((red.channels, red.data), (3, Components::Words(data)) if data == expected));
    }

    #[test]
    fn words_are_rounded_to_the_nearest_byte() {
        let data = Components::Words(vec![0, 128, 129, 65_406, 65_407, 65_535]);
        let pixels =
            Pixels { width: 6, height: 1, channels: 1, bit_depth: 16, data }.rounded(&Limits::default()).unwrap();
        assert!(matches!(pixels.data, Components::Bytes(data) if data == [0, 0, 1, 254, 255, 255]));
        let data = Components::Words(vec![0, 2, 3, 1020, 1021, 1023]);
        let pixels =
            Pixels { width: 6, height: 1, channels: 1, bit_depth: 10, data }.rounded(&Limits::default()).unwrap();
        assert!(matches!(pixels.data, Components::Bytes(data) if data == [0, 0, 1, 254, 255, 255]));
    }
}
