//! Boxes around the points of a tree's nodes, for what asks how far all of them are.

use super::coordinate::Coordinate;
use super::tree::{Leaf, Tree};

/// The smallest box around some points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<T> {
    low: [T; 3],
    high: [T; 3],
}

impl<T: Coordinate> Bounds<T> {
    fn around(leaf: &Leaf<T>) -> Self {
        let count = leaf.indexes.iter().filter(|index| **index != u32::MAX).count();
        let extreme = |better: fn(&T, &T) -> bool| {
            leaf.coordinates
                .map(|of| of[..count].iter().fold(of[0], |best, v| if better(v, &best) { *v } else { best }))
        };
        Self { low: extreme(T::lt), high: extreme(T::gt) }
    }

    fn with(self, other: Self) -> Self {
        let least = |axis: usize| if other.low[axis] < self.low[axis] { other.low[axis] } else { self.low[axis] };
        let most = |axis: usize| if other.high[axis] > self.high[axis] { other.high[axis] } else { self.high[axis] };
        Self { low: [0, 1, 2].map(least), high: [0, 1, 2].map(most) }
    }

    /// The squared distance of `point`, zero inside; no point inside is computed to be nearer.
    #[inline(always)]
    pub(super) fn squared_distance(&self, point: [T; 3]) -> T {
        let outside = |axis: usize| {
            let (below, above) = (self.low[axis] - point[axis], point[axis] - self.high[axis]);
            let outside = if below > above { below } else { above };
            if outside > T::default() {
                outside
            } else {
                T::default()
            }
        };
        let [x, y, z] = [0, 1, 2].map(outside);
        x * x + y * y + z * z
    }
}

/// The boxes of the children of each inner node.
pub(super) fn boxes_of<T: Coordinate>(tree: &Tree<T>) -> Vec<[Bounds<T>; 2]> {
    // From the last node to the first.
    tree.upwards(Bounds::around, Bounds::with).into_iter().rev().map(|(_, boxes)| boxes).collect()
}
