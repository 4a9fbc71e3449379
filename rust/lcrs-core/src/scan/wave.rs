//! The geometry of a wavefront, and the order of symbols that it gives.

use std::ops::Range;

/// In which order the symbols of a raster scan stand in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolOrder {
    /// By steps of the wavefront: the order of native streams.
    Wavefront,
    /// Row by row, as CompressAI writes them. Each place is a step, so this is slower by about the number of places in
    /// a step of the wavefront.
    Raster,
}

/// Places of an h x w picture by steps: (row, column) belongs to step `slope * row + column`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) slope: usize,
}

impl Wave {
    /// Number of steps; some may be empty.
    pub(super) fn steps(&self) -> usize {
        self.slope * (self.height - 1) + self.width
    }

    /// The rows that have a place in step `s`.
    pub(super) fn rows(&self, s: usize) -> Range<usize> {
        let first = (s + 1).saturating_sub(self.width).div_ceil(self.slope);
        let end = (s / self.slope + 1).min(self.height);
        first.min(end)..end
    }

    /// The column of the place of `row` in step `s`.
    pub(super) fn column(&self, s: usize, row: usize) -> usize {
        s - self.slope * row
    }

    /// The most places of a step.
    pub(super) fn widest(&self) -> usize {
        self.width.div_ceil(self.slope).min(self.height)
    }

    /// How many of the first taps see only places of steps before `s`, at all places of the `batch` steps from `s` on.
    ///
    /// A tap `dy` rows above and `dx` columns to the right looks `slope * dy - dx` steps back.
    pub(super) fn known_before(&self, batch: usize, taps: &[(usize, usize)], half: usize) -> usize {
        let far = |&(ky, kx): &(usize, usize)| self.slope * (half - ky) + half >= kx + batch;
        taps.iter().position(|tap| !far(tap)).unwrap_or(taps.len())
    }
}

/// The places (row, column) of each step of a raster scan with a k x k context, k = `kernel`; steps without places are left out.
pub fn raster_steps(
    order: SymbolOrder,
    kernel: usize,
    height: usize,
    width: usize,
) -> impl Iterator<Item = Vec<(usize, usize)>> {
    let slope = match order {
        SymbolOrder::Wavefront => kernel / 2 + 1,
        SymbolOrder::Raster => width.max(1),
    };
    let wave = Wave { height, width, slope };
    let count = if height == 0 || width == 0 { 0 } else { wave.steps() };
    let places = move |s| wave.rows(s).map(|row| (row, wave.column(s, row))).collect::<Vec<_>>();
    (0..count).map(places).filter(|places| !places.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every place is in exactly one step, and all it sees lies in earlier steps.
    #[test]
    fn steps_cover_the_picture_in_causal_order() {
        for (height, width, half) in [(1, 1, 1), (1, 9, 2), (9, 1, 2), (2, 2, 3), (7, 5, 1), (5, 13, 2), (6, 8, 3)] {
            for slope in [half + 1, width] {
                let wave = Wave { height, width, slope };
                let mut step_of = vec![None; height * width];
                for s in 0..wave.steps() {
                    assert!(wave.rows(s).len() <= wave.widest().max(1));
                    for row in wave.rows(s) {
                        let place = row * width + wave.column(s, row);
                        assert_eq!(step_of[place].replace(s), None, "{wave:?}");
                    }
                }
                let causal = |from: usize, to: usize| step_of[from].is_some() && step_of[from] < step_of[to];
                for (row, column) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
                    for above in row.saturating_sub(half)..=row {
                        for c in column.saturating_sub(half)..(column + half + 1).min(width) {
                            if (above, c) < (row, column) {
                                assert!(causal(above * width + c, row * width + column), "{wave:?} half {half}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn steps_without_places_are_left_out() {
        let serial: Vec<_> = raster_steps(SymbolOrder::Raster, 5, 2, 2).collect();
        assert_eq!(serial, [[(0, 0)], [(0, 1)], [(1, 0)], [(1, 1)]]);
        let narrow: Vec<_> = raster_steps(SymbolOrder::Wavefront, 7, 3, 1).collect();
        assert_eq!(narrow, [[(0, 0)], [(1, 0)], [(2, 0)]]);
        let wide: Vec<_> = raster_steps(SymbolOrder::Wavefront, 3, 2, 4).collect();
        let expected =
            [vec![(0, 0)], vec![(0, 1)], vec![(0, 2), (1, 0)], vec![(0, 3), (1, 1)], vec![(1, 2)], vec![(1, 3)]];
        assert_eq!(wide, expected);
        assert_eq!(raster_steps(SymbolOrder::Wavefront, 3, 0, 4).count(), 0);
        assert_eq!(raster_steps(SymbolOrder::Raster, 3, 4, 0).count(), 0);
    }

    #[test]
    fn batches_of_a_five_by_five_mask() {
        let taps: Vec<(usize, usize)> = (0..12).map(|t| (t / 5, t % 5)).collect();
        let wave = Wave { height: 32, width: 48, slope: 3 };
        assert_eq!([4, 2, 1].map(|batch| wave.known_before(batch, &taps, 2)), [7, 9, 12]);
    }
}
