//! The points inside of balls: the groups that PointNet++ is made of.

use super::coordinate::{check_points, Coordinate};
use super::search::{best_of_many, search, Found, Near, One, Within};
use super::tree::Tree;
use crate::wide::wide;
use crate::{Error, Result, Runtime, Simd};

/// Centres that a thread takes at a time.
const BLOCK: usize = 256;

/// All of a block; `indexes` has `count` places a centre.
#[inline(always)]
fn fill_block<T: Coordinate>(tree: &Tree<T>, centres: &[[T; 3]], within: T, indexes: &mut [i64], counts: &mut [i64]) {
    let count = indexes.len() / centres.len().max(1);
    let mut found = vec![Found::NONE; count];
    for ((centre, indexes), inside) in centres.iter().zip(indexes.chunks_mut(count)).zip(counts) {
        best_of_many(tree, *centre, &Within(within), &mut found);
        let filled = found.iter().position(|found| found.index == u32::MAX).unwrap_or(count);
        let mut first = found[0];
        if filled == 0 {
            let mut best = One(Found::NONE);
            search(tree, *centre, &Near, &mut best);
            first = best.0;
        }
        indexes.fill(i64::from(first.index));
        indexes.iter_mut().zip(&found[..filled]).for_each(|(index, found)| *index = i64::from(found.index));
        *inside = filled as i64;
    }
}

wide! {
    fn fill_block_f32(
        simd: Simd, tree: &Tree<f32>, centres: &[[f32; 3]], within: f32, indexes: &mut [i64], counts: &mut [i64],
    ) {
        fill_block(tree, centres, within, indexes, counts);
    }
}

wide! {
    fn fill_block_f64(
        simd: Simd, tree: &Tree<f64>, centres: &[[f64; 3]], within: f64, indexes: &mut [i64], counts: &mut [i64],
    ) {
        fill_block(tree, centres, within, indexes, counts);
    }
}

/// The number type of balls, whose search there is one of for each instruction set.
pub trait BallCoordinate: Coordinate {
    #[doc(hidden)]
    fn fill_block(simd: Simd, tree: &Tree<Self>, centres: &[[Self; 3]], within: Self, to: (&mut [i64], &mut [i64]));
}

impl BallCoordinate for f32 {
    fn fill_block(simd: Simd, tree: &Tree<Self>, centres: &[[Self; 3]], within: Self, to: (&mut [i64], &mut [i64])) {
        fill_block_f32(simd, tree, centres, within, to.0, to.1);
    }
}

impl BallCoordinate for f64 {
    fn fill_block(simd: Simd, tree: &Tree<Self>, centres: &[[Self; 3]], within: Self, to: (&mut [i64], &mut [i64])) {
        fill_block_f64(simd, tree, centres, within, to.0, to.1);
    }
}

impl<T: BallCoordinate> Tree<T> {
    /// For each centre the points not farther than `radius`, by index from the lowest on, at most `count` of them. Places that are
    /// left repeat the first; of a ball without points all are the point nearest to its centre. `counts` has how many points were
    /// found in each ball, `indexes` has `count` places a centre.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a negative radius or NaN, for no points, for a coordinate that is not finite, for
    /// outputs of another size; [`crate::ErrorKind::Interrupted`].
    pub fn ball(
        &self,
        rt: &Runtime,
        centres: &[[T; 3]],
        radius: f64,
        count: usize,
        indexes: &mut [i64],
        counts: &mut [i64],
    ) -> Result<()> {
        check_points(centres, "centres")?;
        if radius.is_nan() || radius < 0.0 {
            return Err(Error::invalid(format!("radius={radius}, a number that is not negative is needed")));
        }
        if counts.len() != centres.len() || indexes.len() != centres.len().saturating_mul(count) {
            return Err(Error::invalid(format!("outputs do not have {count} places a centre")));
        }
        if indexes.is_empty() {
            counts.fill(0);
            return Ok(());
        }
        if self.is_empty() {
            return Err(Error::invalid("there are no points to fill balls with"));
        }
        let within = T::from_f64(radius * radius);
        let outputs = indexes.chunks_mut(BLOCK * count).zip(counts.chunks_mut(BLOCK));
        let mut blocks: Vec<_> = centres.chunks(BLOCK).zip(outputs).collect();
        rt.pool.map_mut(&mut blocks, |_, (centres, (indexes, counts))| {
            if rt.pool.check().is_ok() {
                T::fill_block(rt.simd, self, centres, within, (indexes, counts));
            }
        });
        rt.pool.check()
    }
}
