//! Farthest-point sampling: each sample is the point that is farthest from all samples before it.
//!
//! Every point knows its distance to the nearest sample, and every box the greatest such distance in it. A new sample that
//! is no nearer to a box than that changes nothing in it; late samples look at a few boxes only. (The idea of bucket-based
//! sampling: Han et al., "QuickFPS", IEEE TCAD 2023; here with a whole tree of boxes.)

use super::boxes::{boxes_of, Bounds};
use super::coordinate::{check_points, Coordinate};
use super::tree::{Leaf, Place, Tree, LEAF};
use crate::wide::wide;
use crate::{Error, Result, Runtime, Simd};

/// Samples between two questions whether they are still wanted.
const BLOCK: usize = 256;

/// Up to so many points are looked at one by one.
const FEW_POINTS: usize = 4096;

/// Leaves that are looked at together.
const BUCKET: u32 = 4;

/// The farthest point of a box: its squared distance to the nearest sample, and its index.
#[derive(Debug, Clone, Copy)]
struct Farthest<T> {
    distance: T,
    index: u32,
}

impl<T: Coordinate> Farthest<T> {
    /// The farther of two; of equals, that of the lower index.
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        let is_after = other.distance > self.distance || (other.distance == self.distance && other.index < self.index);
        if is_after {
            other
        } else {
            self
        }
    }
}

struct Sampler<'a, T> {
    simd: Simd,
    tree: &'a Tree<T>,
    /// Of the children of each inner node.
    boxes: Vec<[Bounds<T>; 2]>,
    /// Of each leaf's points, the squared distance to the nearest sample.
    distances: Vec<[T; LEAF]>,
    /// The farthest of each child of each inner node.
    children: Vec<[Farthest<T>; 2]>,
}

/// Before there is a sample.
fn nearest_at_first<T: Coordinate>(index: u32) -> T {
    if index == u32::MAX {
        T::default() - T::INFINITY
    } else {
        T::INFINITY
    }
}

impl<'a, T: FarthestCoordinate> Sampler<'a, T> {
    fn new(simd: Simd, tree: &'a Tree<T>) -> Self {
        let nowhere = |index| Farthest { distance: T::INFINITY, index };
        Self {
            simd,
            tree,
            boxes: boxes_of(tree),
            // Places without a point are never the farthest.
            distances: tree.leaves.iter().map(|leaf| leaf.indexes.map(nearest_at_first)).collect(),
            children: tree.nodes.iter().map(|node| node.lowest.map(nowhere)).collect(),
        }
    }

    /// Takes a sample into account at one node, and returns what is farthest there then.
    fn take(&mut self, place: Place, sample: [T; 3]) -> Farthest<T> {
        if place.leaves <= BUCKET {
            return self.take_at_leaves(place, sample);
        }
        let node = place.node as usize;
        let boxes = self.boxes[node];
        for (i, child) in place.children().into_iter().enumerate() {
            // Infinitely far is what no sample has been near to, or what is too far for a number: both have to be looked at.
            let farthest = self.children[node][i].distance;
            if boxes[i].squared_distance(sample) < farthest || farthest == T::INFINITY {
                self.children[node][i] = self.take(child, sample);
            }
        }
        let [a, b] = self.children[node];
        a.or(b)
    }

    /// Where there are few leaves it takes longer to look at their boxes than at their points.
    fn take_at_leaves(&mut self, place: Place, sample: [T; 3]) -> Farthest<T> {
        let leaves = place.leaf as usize..(place.leaf + place.leaves) as usize;
        let nearest = &mut self.distances[leaves.clone()];
        let leaves = &self.tree.leaves[leaves];
        let (number, i) = T::take_at_leaves(self.simd, leaves, nearest, sample);
        Farthest { distance: nearest[number][i], index: leaves[number].indexes[i] }
    }
}

/// Takes a sample into account in some leaves, and returns the leaf and the place in it that are farthest then, of equals the one
/// of the lowest index.
#[inline(always)]
fn take_at_leaves<T: Coordinate>(leaves: &[Leaf<T>], nearest: &mut [[T; LEAF]], sample: [T; 3]) -> (usize, usize) {
    let mut most = [T::default() - T::INFINITY; LEAF];
    for (leaf, nearest) in leaves.iter().zip(nearest.iter_mut()) {
        let new = leaf.squared_distances(sample);
        for i in 0..LEAF {
            nearest[i] = if new[i] < nearest[i] { new[i] } else { nearest[i] };
            most[i] = if nearest[i] > most[i] { nearest[i] } else { most[i] };
        }
    }
    let mut len = LEAF / 2;
    while len > 0 {
        for i in 0..len {
            most[i] = if most[i + len] > most[i] { most[i + len] } else { most[i] };
        }
        len /= 2;
    }
    let (mut found, mut lowest) = ((0, 0), u32::MAX);
    for (number, (leaf, nearest)) in leaves.iter().zip(nearest).enumerate() {
        let mut equal = 0_u32;
        for (i, nearest) in nearest.iter().enumerate() {
            equal |= u32::from(*nearest == most[0]) << i;
        }
        if equal != 0 {
            // Points of a leaf are in the order of their indexes.
            let i = equal.trailing_zeros() as usize % LEAF;
            if leaf.indexes[i] < lowest {
                (found, lowest) = ((number, i), leaf.indexes[i]);
            }
        }
    }
    found
}

/// Fills `samples` with indexes of `points`: first `start`, then each time that of the point whose squared distance to the
/// nearest sample is greatest, of equals the lowest. When all points have been taken, the lowest index follows again and again.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if there is no point `start`, or a coordinate is not finite;
/// [`crate::ErrorKind::Interrupted`].
pub fn farthest<T: FarthestCoordinate>(
    rt: &Runtime,
    points: &[[T; 3]],
    start: usize,
    samples: &mut [i64],
) -> Result<()> {
    check_points(points, "points")?;
    if samples.is_empty() {
        return Ok(());
    }
    if start >= points.len() {
        return Err(Error::invalid(format!("start={start} is not the index of one of {} points", points.len())));
    }
    if points.len() <= FEW_POINTS {
        T::farthest_of_few(rt.simd, points, start, samples);
        return Ok(());
    }
    let tree = Tree::new(points, "points", &rt.pool)?;
    let mut sampler = Sampler::new(rt.simd, &tree);
    let mut next = Farthest { distance: T::INFINITY, index: start as u32 };
    for (i, sample) in samples.iter_mut().enumerate() {
        if i % BLOCK == 0 {
            rt.pool.check()?;
        }
        *sample = i64::from(next.index);
        if next.distance > T::default() {
            next = sampler.take(tree.root(), points[next.index as usize]);
        }
    }
    Ok(())
}

/// All points looked at for each sample: with few of them that is sooner done than a tree is built.
#[inline(always)]
fn farthest_of_few<T: Coordinate>(points: &[[T; 3]], start: usize, samples: &mut [i64]) {
    let blocks = points.len().div_ceil(LEAF);
    let mut leaves: Vec<Leaf<T>> = vec![Leaf::EMPTY; blocks];
    for (i, point) in points.iter().enumerate() {
        let leaf = &mut leaves[i / LEAF];
        (0..3).for_each(|axis| leaf.coordinates[axis][i % LEAF] = point[axis]);
        leaf.indexes[i % LEAF] = i as u32;
    }
    let mut nearest: Vec<[T; LEAF]> = leaves.iter().map(|leaf| leaf.indexes.map(nearest_at_first)).collect();
    let (mut next, mut distance) = (start, T::INFINITY);
    for sample in samples {
        *sample = next as i64;
        if distance > T::default() {
            let (number, i) = take_at_leaves(&leaves, &mut nearest, points[next]);
            (next, distance) = (LEAF * number + i, nearest[number][i]);
        }
    }
}

wide! {
    fn farthest_of_few_f32(simd: Simd, points: &[[f32; 3]], start: usize, samples: &mut [i64]) {
        farthest_of_few(points, start, samples);
    }
}

wide! {
    fn farthest_of_few_f64(simd: Simd, points: &[[f64; 3]], start: usize, samples: &mut [i64]) {
        farthest_of_few(points, start, samples);
    }
}

wide! {
    fn take_at_leaves_f32(
        simd: Simd, leaves: &[Leaf<f32>], nearest: &mut [[f32; LEAF]], sample: [f32; 3],
    ) -> (usize, usize) {
        take_at_leaves(leaves, nearest, sample)
    }
}

wide! {
    fn take_at_leaves_f64(
        simd: Simd, leaves: &[Leaf<f64>], nearest: &mut [[f64; LEAF]], sample: [f64; 3],
    ) -> (usize, usize) {
        take_at_leaves(leaves, nearest, sample)
    }
}

/// The number type of sampling, which there is one of for each instruction set.
pub trait FarthestCoordinate: Coordinate {
    #[doc(hidden)]
    fn take_at_leaves(simd: Simd, leaves: &[Leaf<Self>], nearest: &mut [[Self; LEAF]], at: [Self; 3])
        -> (usize, usize);
    #[doc(hidden)]
    fn farthest_of_few(simd: Simd, points: &[[Self; 3]], start: usize, samples: &mut [i64]);
}

impl FarthestCoordinate for f32 {
    fn take_at_leaves(
        simd: Simd,
        leaves: &[Leaf<Self>],
        nearest: &mut [[Self; LEAF]],
        at: [Self; 3],
    ) -> (usize, usize) {
        take_at_leaves_f32(simd, leaves, nearest, at)
    }

    fn farthest_of_few(simd: Simd, points: &[[Self; 3]], start: usize, samples: &mut [i64]) {
        farthest_of_few_f32(simd, points, start, samples);
    }
}

impl FarthestCoordinate for f64 {
    fn take_at_leaves(
        simd: Simd,
        leaves: &[Leaf<Self>],
        nearest: &mut [[Self; LEAF]],
        at: [Self; 3],
    ) -> (usize, usize) {
        take_at_leaves_f64(simd, leaves, nearest, at)
    }

    fn farthest_of_few(simd: Simd, points: &[[Self; 3]], start: usize, samples: &mut [i64]) {
        farthest_of_few_f64(simd, points, start, samples);
    }
}
