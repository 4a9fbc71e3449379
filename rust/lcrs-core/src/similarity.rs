//! Structural similarity of pictures (Wang et al., "Image quality assessment: from error visibility to structural similarity",
//! 2004) at one scale or several ("Multiscale structural similarity for image quality assessment", 2003).
//!
//! All is computed in single precision and summed in double, in one order: results depend neither on the instruction set nor
//! on the number of threads.
//!
//! ```
//! use lcrs_core::similarity::{similarity, Window};
//! use lcrs_core::Runtime;
//!
//! let window = Window { half: [1.0 / 11.0; 6], constants: [1e-4, 9e-4] };
//! let picture: Vec<u8> = (0..12 * 14 * 3).map(|i| (i * i % 251) as u8).collect();
//! let found = similarity(&Runtime::serial(), [&picture, &picture], [12, 14, 3], 255.0, &window, 1)?;
//! assert_eq!(found, [[1.0, 1.0]; 3]);
//! # Ok::<(), lcrs_core::Error>(())
//! ```

use crate::wide::wide;
use crate::{Error, Limits, Result, Runtime};

/// Taps of a window in one direction.
pub const WINDOW: usize = 11;
const HALF: usize = WINDOW / 2;

/// Columns that are worked on at a time, so that all that belongs to them stays in a cache, and with those beside them.
const TILE: usize = 128;
const WIDE: usize = TILE + WINDOW - 1;

/// Sums that are made side by side, whatever the instruction set: so they have one order.
const LANES: usize = 16;

/// What is taken from every value: variances do not depend on it, and near 0 their differences keep more digits.
const OFFSET: f32 = 0.5;

/// Rows of the map that are one piece of work.
const BAND: usize = 16;

/// What windows weigh, and what is added where quotients could be of next to nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Weights in one direction, the outermost first and the one of the centre last: a window is symmetric.
    pub half: [f32; HALF + 1],
    /// `C1` and `C2` of the definition, for values from 0 to 1.
    pub constants: [f32; 2],
}

/// Two components, less [`OFFSET`].
struct Planes {
    values: [Vec<f32>; 2],
    height: usize,
    width: usize,
}

/// The means over all whole windows of the similarity, and of its part of contrast and structure: of each component at each
/// scale, the components one after another, the finest scale first.
///
/// Each scale has the means of 2 x 2 values of the one before; where a side is odd there, a zero stands in front of it.
///
/// `shape` is that of both pictures: height, width and components, which are innermost.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if a picture has another size, `peak` is not positive, or a side is shorter than the
/// window at some scale; [`crate::ErrorKind::Limit`] if memory is short; [`crate::ErrorKind::Interrupted`].
pub fn similarity<T: Copy + Into<f32> + Sync>(
    rt: &Runtime,
    pictures: [&[T]; 2],
    shape: [usize; 3],
    peak: f32,
    window: &Window,
    scales: usize,
) -> Result<Vec<[f64; 2]>> {
    let [height, width, components] = shape;
    let size = height.checked_mul(width).and_then(|size| size.checked_mul(components));
    if pictures.iter().any(|picture| Some(picture.len()) != size) {
        return Err(Error::invalid(format!("a picture does not have {height} x {width} x {components} values")));
    }
    if !(peak.is_finite() && peak > 0.0) {
        return Err(Error::invalid(format!("peak={peak}, a positive finite number is needed")));
    }
    if scales == 0 {
        return Ok(Vec::new());
    }
    let mut side = height.min(width);
    for scale in 0..scales {
        if side < WINDOW {
            let side = height.min(width);
            return Err(Error::invalid(format!(
                "a side has {side} values, which are fewer than the {WINDOW} of a window at scale {scale} of {scales}"
            )));
        }
        side = side.div_ceil(2);
    }
    // Made once for all components: new memory takes as long as what is done in it.
    let mut sides = [height, width];
    let mut planes = Vec::with_capacity(scales);
    for _ in 0..scales {
        planes.push(Planes::new(sides)?);
        sides = sides.map(|side| side.div_ceil(2));
    }
    let mut found = Vec::with_capacity(components * scales);
    for component in 0..components {
        for scale in 0..scales {
            let (finer, rest) = planes.split_at_mut(scale);
            match finer.last() {
                None => rest[0].fill(rt, |which, row, to| {
                    let values = &pictures[which][row * width * components..][..width * components];
                    for (value, to) in values.chunks_exact(components).zip(to) {
                        *to = value[component].into() / peak - OFFSET;
                    }
                }),
                Some(finer) => rest[0].fill(rt, |which, row, to| finer.halved_row(which, row, to)),
            }
            found.push(rest[0].means(rt, window)?);
        }
    }
    Ok(found)
}

impl Planes {
    fn new([height, width]: [usize; 2]) -> Result<Self> {
        let limits = Limits { max_bytes: u64::MAX, ..Limits::default() };
        let plane = || limits.zeroed(height * width, "a component");
        Ok(Self { values: [plane()?, plane()?], height, width })
    }

    /// Fills both: `fill` makes a row, given which of both it is of, and its number.
    fn fill(&mut self, rt: &Runtime, fill: impl Fn(usize, usize, &mut [f32]) + Send + Sync) {
        let width = self.width;
        let bands = self.values.iter_mut().enumerate();
        let mut bands: Vec<_> = bands
            .flat_map(|(which, values)| values.chunks_mut(BAND * width).enumerate().map(move |band| (which, band)))
            .collect();
        rt.pool.map_mut(&mut bands, |_, (which, (band, rows))| {
            for (row, to) in rows.chunks_exact_mut(width).enumerate() {
                fill(*which, *band * BAND + row, to);
            }
        });
    }

    /// A row of planes of half the sides, odd ones rounded up.
    fn halved_row(&self, which: usize, row: usize, to: &mut [f32]) {
        let (above, left) = (self.height % 2, self.width % 2);
        let rows = [2 * row, 2 * row + 1].map(|row| {
            let row = row.checked_sub(above)?;
            Some(&self.values[which][row * self.width..][..self.width])
        });
        if let ([Some(first), Some(second)], 0) = (rows, left) {
            let (pairs, _) = first.as_chunks::<2>();
            for ((a, b), to) in pairs.iter().zip(second.as_chunks::<2>().0).zip(to) {
                *to = ((a[0] + b[0]) + (a[1] + b[1])) * 0.25;
            }
            return;
        }
        let at = |column: usize| {
            let value = |row: &Option<&[f32]>| row.zip(column.checked_sub(left)).map_or(-OFFSET, |(row, at)| row[at]);
            value(&rows[0]) + value(&rows[1])
        };
        for (column, to) in to.iter_mut().enumerate() {
            *to = (at(2 * column) + at(2 * column + 1)) * 0.25;
        }
    }

    /// The means over whole windows.
    fn means(&self, rt: &Runtime, window: &Window) -> Result<[f64; 2]> {
        let (height, width) = (self.height - WINDOW + 1, self.width - WINDOW + 1);
        let sums = rt.pool.map(height.div_ceil(BAND), |band| {
            if rt.pool.check().is_err() {
                return [0.0; 2];
            }
            let first = band * BAND;
            let rows = first * self.width..((first + BAND).min(height) + WINDOW - 1) * self.width;
            let [a, b] = &self.values;
            sums_of_band(rt.simd, [&a[rows.clone()], &b[rows]], self.width, window)
        });
        rt.pool.check()?;
        let count = height as f64 * width as f64;
        let total = sums.iter().fold([0.0; 2], |total, sums| [total[0] + sums[0], total[1] + sums[1]]);
        Ok(total.map(|total| total / count))
    }
}

/// Rows of both planes.
type Rows<'a> = [&'a [f32]; 2];

wide! {
    /// Sums of the similarity and of its part over the windows that are whole within some rows of `width` values.
    fn sums_of_band(simd: Simd, rows: Rows<'_>, width: usize, window: &Window) -> [f64; 2] {
        let height = rows[0].len() / width;
        // x, y, and their products x x, y y and x y: sums over windows are of each of these.
        let mut planes = [0; 5].map(|_| vec![0.0; height * WIDE]);
        let (mut columns, mut means) = ([0.0; WIDE], [[0.0; TILE]; 5]);
        let (mut similar, mut sums) = ([[0.0; TILE]; 2], [[0.0; LANES]; 2]);
        for first in (0..width - WINDOW + 1).step_by(TILE) {
            // Beyond these, of the last tile, is what was there before, and of no account.
            let count = WIDE.min(width - first);
            for (plane, rows) in planes.iter_mut().zip(rows) {
                for (to, row) in plane.chunks_exact_mut(WIDE).zip(rows.chunks_exact(width)) {
                    to[..count].copy_from_slice(&row[first..][..count]);
                }
            }
            let [x, y, xx, yy, xy] = &mut planes;
            multiply(x, x, xx);
            multiply(y, y, yy);
            multiply(x, y, xy);
            for row in 0..=height - WINDOW {
                for (plane, means) in planes.iter().zip(&mut means) {
                    weigh(&plane[row * WIDE..], WIDE, &window.half, &mut columns);
                    weigh(&columns, 1, &window.half, means);
                }
                compare(&means, window.constants, &mut similar);
                for (values, sums) in similar.iter().zip(&mut sums) {
                    add(&values[..count - WINDOW + 1], sums);
                }
            }
        }
        sums.map(|sums| sums.iter().fold(0.0, |total, sum| total + sum))
    }
}

#[inline(always)]
fn multiply(a: &[f32], b: &[f32], to: &mut [f32]) {
    for ((a, b), to) in a.iter().zip(b).zip(to) {
        *to = a * b;
    }
}

/// The weighted sums of the values at `WINDOW` places, `step` apart, from each on.
#[inline(always)]
fn weigh(from: &[f32], step: usize, weights: &[f32; HALF + 1], to: &mut [f32]) {
    // Cut to one length, so that the loop needs no checks, and vectors can do it.
    let taps: [&[f32]; WINDOW] = std::array::from_fn(|tap| &from[tap * step..][..to.len()]);
    let [a, b, c, d, e, centre, f, g, h, i, j] = taps;
    for at in 0..to.len() {
        let mut sum = centre[at] * weights[HALF];
        sum += (a[at] + j[at]) * weights[0]; // the window is symmetric: one product for two values
        sum += (b[at] + i[at]) * weights[1];
        sum += (c[at] + h[at]) * weights[2];
        sum += (d[at] + g[at]) * weights[3];
        sum += (e[at] + f[at]) * weights[4];
        to[at] = sum;
    }
}

/// The similarity and its part of contrast and structure, of the means of x, y, x x, y y and x y.
#[inline(always)]
fn compare([x, y, xx, yy, xy]: &[[f32; TILE]; 5], [c1, c2]: [f32; 2], [whole, contrast]: &mut [[f32; TILE]; 2]) {
    for at in 0..TILE {
        let (x, y) = (x[at], y[at]);
        let covariance = xy[at] - x * y;
        let variances = (xx[at] - x * x) + (yy[at] - y * y); // of equal planes twice the covariance
        contrast[at] = (2.0 * covariance + c2) / (variances + c2);
    }
    for at in 0..TILE {
        let (x, y) = (x[at] + OFFSET, y[at] + OFFSET);
        whole[at] = (2.0 * x * y + c1) / (x * x + y * y + c1) * contrast[at];
    }
}

#[inline(always)]
fn add(values: &[f32], sums: &mut [f64; LANES]) {
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for at in 0..LANES {
            sums[at] += f64::from(chunk[at]);
        }
    }
    for (value, sum) in rest.iter().zip(sums) {
        *sum += f64::from(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::testing;
    use crate::ErrorKind;
    use proptest::prelude::*;

    /// Of unequal weights, so that a tap in a wrong place shows.
    const ODD: Window = Window { half: [0.02, 0.05, 0.08, 0.1, 0.12, 0.26], constants: [1e-4, 9e-4] };

    /// The definition, window by window, in double precision: (similarity, contrast and structure).
    fn slow([a, b]: [&[f64]; 2], height: usize, width: usize) -> [f64; 2] {
        let weight = |tap: usize| f64::from(ODD.half[tap.min(WINDOW - 1 - tap)]);
        let [c1, c2] = ODD.constants.map(f64::from);
        let mut totals = [0.0; 2];
        for top in 0..=height - WINDOW {
            for left in 0..=width - WINDOW {
                let mean = |value: &dyn Fn(usize) -> f64| -> f64 {
                    let taps = (0..WINDOW * WINDOW).map(|at| (at / WINDOW, at % WINDOW));
                    taps.map(|(i, j)| weight(i) * weight(j) * value((top + i) * width + left + j)).sum()
                };
                let (x, y) = (mean(&|at| a[at]), mean(&|at| b[at]));
                let covariance = mean(&|at| (a[at] - x) * (b[at] - y));
                let variances = mean(&|at| (a[at] - x).powi(2)) + mean(&|at| (b[at] - y).powi(2));
                let contrast = (2.0 * covariance + c2) / (variances + c2);
                totals[0] += contrast * (2.0 * x * y + c1) / (x * x + y * y + c1);
                totals[1] += contrast;
            }
        }
        totals.map(|total| total / ((height - WINDOW + 1) * (width - WINDOW + 1)) as f64)
    }

    /// Means of 2 x 2, a row and a column of zeros in front where a side is odd.
    fn slowly_halved(plane: &[f64], height: usize, width: usize) -> Vec<f64> {
        let at = |row: usize, column: usize| match (row.checked_sub(height % 2), column.checked_sub(width % 2)) {
            (Some(row), Some(column)) => plane[row * width + column],
            _ => 0.0,
        };
        let places = (0..height.div_ceil(2)).flat_map(|i| (0..width.div_ceil(2)).map(move |j| (2 * i, 2 * j)));
        places.map(|(i, j)| (at(i, j) + at(i + 1, j) + at(i, j + 1) + at(i + 1, j + 1)) / 4.0).collect()
    }

    fn picture(seed: usize, size: usize) -> Vec<u8> {
        (0..size).map(|i| ((i + seed) * (i * 7 + seed) % 253) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn it_is_the_definition_at_every_scale((height, width) in (21_usize..40, 21_usize..60), seed in 1_usize..99) {
            let (a, b) = (picture(seed, height * width * 2), picture(seed / 2, height * width * 2));
            let rt = Runtime::serial();
            let found = similarity(&rt, [&a, &b], [height, width, 2], 255.0, &ODD, 2).expect("legal");
            let mut expected = Vec::new();
            for component in 0..2 {
                let plane = |picture: &[u8]| -> Vec<f64> {
                    picture.iter().skip(component).step_by(2).map(|v| f64::from(*v) / 255.0).collect()
                };
                let (a, b) = (plane(&a), plane(&b));
                expected.push(slow([&a, &b], height, width));
                let (a, b) = (slowly_halved(&a, height, width), slowly_halved(&b, height, width));
                expected.push(slow([&a, &b], height.div_ceil(2), width.div_ceil(2)));
            }
            for (found, expected) in found.as_flattened().iter().zip(expected.as_flattened()) {
                prop_assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn paths_threads_and_types_give_the_same_bits() {
        let shape = [83, 317, 3]; // more than a tile, and more than a band at each scale
        let size = shape.iter().product();
        let (a, b) = (picture(3, size), picture(40, size));
        let wide = [&a, &b].map(|picture| picture.iter().map(|v| u16::from(*v)).collect::<Vec<_>>());
        testing::compare(|simd| {
            let mut found = Vec::new();
            for threads in [1, 2, 5] {
                let rt = Runtime::new(simd, threads).expect("legal");
                found.push(similarity(&rt, [&a, &b], shape, 255.0, &ODD, 3).expect("legal"));
                found.push(similarity(&rt, [&wide[0], &wide[1]], shape, 255.0, &ODD, 3).expect("legal"));
            }
            assert!(found.iter().all(|other| *other == found[0] && other.len() == 9));
            found.swap_remove(0).as_flattened().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        });
    }

    #[test]
    fn equal_pictures_are_alike_to_the_bit() {
        let a = picture(5, 41 * 33);
        let found = similarity(&Runtime::serial(), [&a, &a], [41, 33, 1], 255.0, &ODD, 2);
        assert_eq!(found.expect("legal"), [[1.0; 2]; 2]);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let a = picture(1, 21 * 20);
        let call = |shape: [usize; 3], peak: f32, scales: usize| {
            similarity(&Runtime::serial(), [&a, &a], shape, peak, &ODD, scales)
        };
        for (shape, peak, scales, part) in [
            ([21, 20, 1], 255.0, 2, "a side has 20 values, which are fewer than the 11 of a window at scale 1 of 2"),
            ([42, 10, 1], 255.0, 1, "a side has 10 values"),
            ([21, 20, 2], 255.0, 1, "21 x 20 x 2"),
            ([usize::MAX, 2, 1], 255.0, 1, "values"),
            ([21, 20, 1], 0.0, 1, "peak=0"),
            ([21, 20, 1], f32::NAN, 1, "peak=NaN"),
            ([21, 20, 1], 255.0, usize::MAX, "at scale 1"),
        ] {
            let error = call(shape, peak, scales).expect_err(part);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(call([21, 20, 1], 255.0, 0).expect("legal").is_empty());
        let nothing = similarity::<u8>(&Runtime::serial(), [&[], &[]], [0, 0, 3], 255.0, &ODD, 0);
        assert!(nothing.expect("legal").is_empty());
    }
}
