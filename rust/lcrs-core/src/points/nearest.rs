//! The k nearest of a cloud's points, for each of many others.

use super::coordinate::{check_points, Coordinate};
use super::morton;
use super::search::{best_of_many, search, Found, Near, One};
use super::tree::Tree;
use crate::wide::wide;
use crate::{Error, Result, Runtime, Simd};

/// Queries that a thread takes at a time, at least and at most.
const BLOCK: std::ops::RangeInclusive<usize> = 256..=1 << 15;

/// Cells along an axis that queries are ordered by.
const CELLS: u32 = 1023;

/// Blocks for each thread, if there are enough queries.
const BLOCKS_EACH: usize = 8;

/// Queries, and the indexes of those that are to be looked at.
type Block<'a, T> = (&'a [[T; 3]], &'a [u32]);

/// Where what is found of all queries goes, k places each.
type Outputs<'a, T> = (&'a mut [T], &'a mut [i64]);

#[inline(always)]
fn search_block<T: Coordinate>(tree: &Tree<T>, (queries, order): Block<'_, T>, k: usize, to: Outputs<'_, T>) {
    let (distances, indexes) = to;
    if k == 1 {
        for i in order.iter().map(|i| *i as usize) {
            let mut best = One(Found::NONE);
            search(tree, queries[i], &Near, &mut best);
            (distances[i], indexes[i]) = (best.0.distance, i64::from(best.0.index));
        }
        return;
    }
    let mut found = vec![Found::NONE; k];
    for i in order.iter().map(|i| *i as usize) {
        best_of_many(tree, queries[i], &Near, &mut found);
        let to = distances[i * k..].iter_mut().zip(&mut indexes[i * k..]);
        for (found, (distance, index)) in found.iter().zip(to) {
            (*distance, *index) = (found.distance, i64::from(found.index));
        }
    }
}

wide! {
    fn search_block_f32(simd: Simd, tree: &Tree<f32>, block: Block<'_, f32>, k: usize, to: Outputs<'_, f32>) {
        search_block(tree, block, k, to);
    }
}

wide! {
    fn search_block_f64(simd: Simd, tree: &Tree<f64>, block: Block<'_, f64>, k: usize, to: Outputs<'_, f64>) {
        search_block(tree, block, k, to);
    }
}

/// The number type of a search, of which there is one for each instruction set.
pub trait NearestCoordinate: Coordinate {
    #[doc(hidden)]
    fn search_block(
        simd: Simd,
        tree: &Tree<Self>,
        block: (&[[Self; 3]], &[u32]),
        k: usize,
        to: (&mut [Self], &mut [i64]),
    );
}

impl NearestCoordinate for f32 {
    fn search_block(simd: Simd, tree: &Tree<Self>, block: Block<'_, Self>, k: usize, to: Outputs<'_, Self>) {
        search_block_f32(simd, tree, block, k, to);
    }
}

impl NearestCoordinate for f64 {
    fn search_block(simd: Simd, tree: &Tree<Self>, block: Block<'_, Self>, k: usize, to: Outputs<'_, Self>) {
        search_block_f64(simd, tree, block, k, to);
    }
}

impl<T: NearestCoordinate> Tree<T> {
    /// The `k` nearest points of each query, nearest first: squared distances and indexes, `k` a query. Of points that are
    /// equally far those of lower indexes come first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there are fewer points than `k`, a coordinate is not finite, or an output has
    /// another size; [`crate::ErrorKind::Interrupted`].
    pub fn nearest(
        &self,
        rt: &Runtime,
        queries: &[[T; 3]],
        k: usize,
        distances: &mut [T],
        indexes: &mut [i64],
    ) -> Result<()> {
        check_points(queries, "queries")?;
        if k > self.len() && !queries.is_empty() {
            return Err(Error::invalid(format!("k={k} neighbours are asked for, there are {} points", self.len())));
        }
        let size = queries.len().saturating_mul(k);
        if distances.len() != size || indexes.len() != size {
            return Err(Error::invalid(format!("outputs do not have {k} places a query")));
        }
        if size == 0 {
            return Ok(());
        }
        let wanted = queries.len() / (BLOCKS_EACH * rt.pool.threads());
        let block = wanted.clamp(*BLOCK.start(), *BLOCK.end());
        let outputs = distances.chunks_mut(block * k).zip(indexes.chunks_mut(block * k));
        let mut blocks: Vec<_> = queries.chunks(block).zip(outputs).collect();
        rt.pool.map_mut(&mut blocks, |_, (queries, (distances, indexes))| {
            for order in order_in_space(queries).chunks(*BLOCK.start()) {
                if rt.pool.check().is_ok() {
                    T::search_block(rt.simd, self, (queries, order), k, (distances, indexes));
                }
            }
        });
        rt.pool.check()
    }
}

/// The indexes of a block's queries in an order in which neighbours follow each other: what one has looked at, the next
/// finds in the cache. A block that is of few queries, or comes in such an order, is left as it is.
fn order_in_space<T: Coordinate>(queries: &[[T; 3]]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..queries.len() as u32).collect();
    let [low, side] = grid(queries);
    if queries.len() <= *BLOCK.start() || side.iter().all(|v| *v <= 0.0) {
        return order;
    }
    let cell = |point: &[T; 3]| {
        [0, 1, 2].map(|axis| {
            let place = (point[axis].to_f64() - low[axis]) / side[axis];
            // Also of an axis without length, where it is none.
            (place * f64::from(CELLS)) as u32
        })
    };
    let mut keys: Vec<u64> =
        queries.iter().zip(0..).map(|(query, i)| morton::encode(cell(query)) << u32::BITS | i).collect();
    keys.sort_unstable();
    order.iter_mut().zip(keys).for_each(|(index, key)| *index = key as u32);
    order
}

/// The lowest coordinates, and the lengths of the sides of the box around the queries.
fn grid<T: Coordinate>(queries: &[[T; 3]]) -> [[f64; 3]; 2] {
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for query in queries {
        for axis in 0..3 {
            let v = query[axis].to_f64();
            (low[axis], high[axis]) = (low[axis].min(v), high[axis].max(v));
        }
    }
    [low, [0, 1, 2].map(|axis| high[axis] - low[axis])]
}
