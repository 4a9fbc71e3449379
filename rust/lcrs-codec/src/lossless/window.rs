//! The pixels around the one that is coded.

use lcrs_core::{Limits, Result};
use lcrs_format::{NumberType, Samples};

/// All components of a pixel in one number: component `i` in the bits from `16 i` on.
pub(super) type Pixel = u64;

pub(super) fn component(pixel: Pixel, i: usize) -> i32 {
    (pixel >> (16 * i) & 0xffff) as i32
}

/// How far contexts reach to either side.
const MARGIN: usize = 3;

/// Pixels that are known before one is coded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub w: Pixel,
    pub n: Pixel,
    pub nw: Pixel,
    pub ne: Pixel,
    pub ww: Pixel,
    pub nn: Pixel,
    pub nww: Pixel,
    pub nee: Pixel,
    pub nne: Pixel,
    pub nnw: Pixel,
    pub www: Pixel,
}

/// A row and the two above, each with a margin: at the left of a row its margin is the first pixel of the row above, at the
/// right the last one of its own. What is above a band is 0.
#[derive(Debug)]
pub(super) struct Window {
    width: usize,
    row: Vec<Pixel>,
    above: Vec<Pixel>,
    above2: Vec<Pixel>,
}

impl Window {
    /// Above the first row of a band.
    pub(super) fn new(width: usize, limits: &Limits) -> Result<Self> {
        let row = || limits.zeroed(width + 2 * MARGIN, "rows of pixels");
        Ok(Self { width, row: row()?, above: row()?, above2: row()? })
    }

    /// Bytes that it takes.
    pub(super) fn bytes(width: usize) -> u64 {
        3 * (width as u64 + 2 * MARGIN as u64) * size_of::<Pixel>() as u64
    }

    /// Goes to the next row, whose pixels come in turn.
    pub(super) fn next_row(&mut self) {
        let last = self.row[MARGIN + self.width - 1];
        self.row[MARGIN + self.width..].fill(last);
        std::mem::swap(&mut self.above2, &mut self.above);
        std::mem::swap(&mut self.above, &mut self.row);
        let first = self.above[MARGIN];
        self.row[..MARGIN].fill(first);
    }

    /// What is known at column `x` of the row, whose pixels before it are there.
    #[inline(always)]
    pub(super) fn around(&self, x: usize) -> Around {
        let (row, above, above2) = (&self.row[x..][..3], &self.above[x + 1..][..5], &self.above2[x + 2..][..3]);
        Around {
            www: row[0],
            ww: row[1],
            w: row[2],
            nww: above[0],
            nw: above[1],
            n: above[2],
            ne: above[3],
            nee: above[4],
            nnw: above2[0],
            nn: above2[1],
            nne: above2[2],
        }
    }

    #[inline(always)]
    pub(super) fn set(&mut self, x: usize, pixel: Pixel) {
        self.row[MARGIN + x] = pixel;
    }

    /// The pixels of the row.
    pub(super) fn row(&self) -> &[Pixel] {
        &self.row[MARGIN..MARGIN + self.width]
    }
}

/// The pixels of a row of samples.
pub(super) fn read(samples: Samples, row: &[u8]) -> impl Iterator<Item = Pixel> + '_ {
    let wide = samples.number() == NumberType::U16;
    let bytes = samples.channels() * samples.number().num_bytes();
    row.chunks_exact(bytes).map(move |pixel| {
        let pack = |packed: Pixel, component: u16| packed << 16 | Pixel::from(component);
        if wide {
            pixel.chunks_exact(2).rev().map(|b| u16::from_le_bytes([b[0], b[1]])).fold(0, pack)
        } else {
            pixel.iter().rev().map(|b| u16::from(*b)).fold(0, pack)
        }
    })
}

/// The samples of a row of pixels.
pub(super) fn write(samples: Samples, row: &[Pixel], out: &mut [u8]) {
    let wide = samples.number() == NumberType::U16;
    let bytes = samples.channels() * samples.number().num_bytes();
    for (pixel, out) in row.iter().zip(out.chunks_exact_mut(bytes)) {
        let packed = pixel.to_le_bytes();
        if wide {
            out.copy_from_slice(&packed[..bytes]);
        } else {
            out.iter_mut().zip(packed.iter().step_by(2)).for_each(|(out, byte)| *out = *byte);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lcrs_format::Color;

    use super::*;

    #[test]
    fn pixels_around_are_those_of_the_rows() {
        let mut window = Window::new(4, &Limits::default()).unwrap();
        for row in [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]] {
            window.next_row();
            row.into_iter().enumerate().for_each(|(x, pixel)| window.set(x, pixel));
        }
        let a = window.around(2);
        assert_eq!([a.www, a.ww, a.w], [5, 9, 10]); // the margin is what is above the first
        assert_eq!([a.nww, a.nw, a.n, a.ne, a.nee], [5, 6, 7, 8, 8]);
        assert_eq!([a.nnw, a.nn, a.nne], [2, 3, 4]);
        let a = window.around(0);
        assert_eq!([a.www, a.ww, a.w, a.nww, a.nw, a.n], [5, 5, 5, 1, 1, 5]);
        assert_eq!(window.row(), [9, 10, 11, 12]);
    }

    #[test]
    fn samples_come_back() {
        for (samples, row) in [
            (Samples::RGB8, vec![1, 2, 3, 253, 254, 255]),
            (Samples::Picture { color: Color::Grey, bit_depth: 8 }, vec![0, 7, 255]),
            (Samples::Picture { color: Color::Grey, bit_depth: 16 }, vec![1, 2, 255, 254]),
            (Samples::Picture { color: Color::Rgb, bit_depth: 12 }, (0..12).collect()),
        ] {
            let pixels: Vec<Pixel> = read(samples, &row).collect();
            let mut out = vec![0; row.len()];
            write(samples, &pixels, &mut out);
            assert_eq!(out, row, "{samples}");
        }
        let pixel = read(Samples::RGB8, &[1, 2, 3]).next().unwrap();
        assert_eq!([0, 1, 2].map(|i| component(pixel, i)), [1, 2, 3]);
    }
}
