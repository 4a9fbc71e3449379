//! A tree of planes between points: what all searches for neighbours go through.
//!
//! Points are halved along the longest side of their box until there are at most [`LEAF`]; all leaves but the last are full,
//! so a node's place and children follow from numbers alone. A node knows how far its children reach along the axis that
//! they are divided by, and the lowest index in each: where many points are equally far, only those of low indexes need be
//! looked at.
//!
//! **Bounds are exact.** How far a child is at least is computed by the operations that distances are computed by, and
//! rounding is monotonic: no point of a child is computed to be nearer. So searches find what a comparison with all
//! points would find, whatever the tree looks like.

use super::coordinate::{check_points, Coordinate};
use crate::{Pool, Result};
use std::cmp::Ordering;

/// Points of a leaf.
pub(super) const LEAF: usize = 16;

/// Fewer leaves than this are built by one thread.
const FEW_LEAVES: usize = 512;

/// So many of a node's points say which side of their box is the longest.
const SAMPLE: usize = 64;

/// A tree over points of three coordinates.
#[derive(Debug, Clone)]
pub struct Tree<T> {
    /// Inner nodes, each before those below it, those to the left before those to the right.
    pub(super) nodes: Vec<Node<T>>,
    pub(super) leaves: Vec<Leaf<T>>,
    len: usize,
}

/// An inner node: what divides its children.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<T> {
    pub(super) axis: u32,
    /// The lowest index of each child's points.
    pub(super) lowest: [u32; 2],
    /// Where the left child ends and the right one begins, along the axis.
    pub(super) reach: [T; 2],
}

/// Up to [`LEAF`] points; unused places are infinitely far and have the index `u32::MAX`.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Leaf<T> {
    pub(super) coordinates: [[T; LEAF]; 3],
    pub(super) indexes: [u32; LEAF],
}

/// A node while a tree is walked: its place among nodes (if it is an inner one), its first leaf, its number of leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) node: u32,
    pub(super) leaf: u32,
    pub(super) leaves: u32,
}

impl Place {
    #[inline(always)]
    pub(super) fn is_leaf(self) -> bool {
        self.leaves == 1
    }

    #[inline(always)]
    pub(super) fn children(self) -> [Self; 2] {
        let left = self.leaves.div_ceil(2);
        [
            Self { node: self.node + 1, leaf: self.leaf, leaves: left },
            Self { node: self.node + left, leaf: self.leaf + left, leaves: self.leaves - left },
        ]
    }
}

/// A point and its index, while a tree is built.
#[derive(Debug, Clone, Copy)]
struct Item<T> {
    point: [T; 3],
    index: u32,
}

/// The longest side of the box around some of `items`, if it is not a single point.
fn longest_side<T: Coordinate>(items: &[Item<T>]) -> Option<usize> {
    let step = (items.len() / SAMPLE).max(1);
    // A sample may be of one point many times where the others are not.
    let all = || if step > 1 { longest_side_of(items.iter()) } else { None };
    longest_side_of(items.iter().step_by(step)).or_else(all)
}

fn longest_side_of<'a, T: Coordinate>(mut items: impl Iterator<Item = &'a Item<T>>) -> Option<usize> {
    let first = items.next()?.point;
    let (mut low, mut high) = (first, first);
    for item in items {
        for axis in 0..3 {
            let v = item.point[axis];
            low[axis] = if v < low[axis] { v } else { low[axis] };
            high[axis] = if v > high[axis] { v } else { high[axis] };
        }
    }
    let side = |axis: usize| high[axis] - low[axis];
    let longer = |a, b| if side(b) > side(a) { b } else { a };
    let axis = longer(longer(0, 1), 2);
    (side(axis) > T::default()).then_some(axis)
}

/// Has the items that are less along the axis before the item of this number, and the others after it.
fn divide<T: Coordinate>(items: &mut [Item<T>], axis: usize, number: usize) {
    fn along<T: Coordinate, const AXIS: usize>(items: &mut [Item<T>], number: usize) {
        let order = |a: &Item<T>, b: &Item<T>| a.point[AXIS].partial_cmp(&b.point[AXIS]).unwrap_or(Ordering::Equal);
        items.select_nth_unstable_by(number, order);
    }
    match axis {
        0 => along::<T, 0>(items, number),
        1 => along::<T, 1>(items, number),
        _ => along::<T, 2>(items, number),
    }
}

/// A part of a tree that is to be built: its points, nodes and leaves.
struct Part<'a, T> {
    items: &'a mut [Item<T>],
    nodes: &'a mut [Node<T>],
    leaves: &'a mut [Leaf<T>],
}

impl<T: Coordinate> Part<'_, T> {
    /// Sets the first node (or the leaf) and returns what is below it.
    fn split(self) -> Option<[Self; 2]> {
        let Self { items, nodes, leaves } = self;
        let Some((node, nodes)) = nodes.split_first_mut() else {
            leaves[0] = Leaf::of(items);
            return None;
        };
        let left = leaves.len().div_ceil(2);
        let axis = longest_side(items);
        match axis {
            Some(axis) => divide(items, axis, LEAF * left),
            // Equal points go by index: each leaf then has indexes of its own.
            None => items.sort_unstable_by_key(|item| item.index),
        }
        let axis = axis.unwrap_or(0);
        let (a, b) = items.split_at_mut(LEAF * left);
        let begin = b[0].point[axis];
        let end = a.iter().map(|item| item.point[axis]).fold(a[0].point[axis], |end, v| if v > end { v } else { end });
        *node = Node { axis: axis as u32, lowest: [0; 2], reach: [end, begin] };
        let (a_nodes, b_nodes) = nodes.split_at_mut(left - 1);
        let (a_leaves, b_leaves) = leaves.split_at_mut(left);
        Some([Part { items: a, nodes: a_nodes, leaves: a_leaves }, Part { items: b, nodes: b_nodes, leaves: b_leaves }])
    }

    fn build(self) {
        if let Some(parts) = self.split() {
            parts.into_iter().for_each(Self::build);
        }
    }
}

impl<T: Coordinate> Leaf<T> {
    pub(super) const EMPTY: Self = Self { coordinates: [[T::INFINITY; LEAF]; 3], indexes: [u32::MAX; LEAF] };

    fn of(items: &mut [Item<T>]) -> Self {
        items.sort_unstable_by_key(|item| item.index);
        let mut leaf = Self::EMPTY;
        for (i, item) in items.iter().enumerate() {
            (0..3).for_each(|axis| leaf.coordinates[axis][i] = item.point[axis]);
            leaf.indexes[i] = item.index;
        }
        leaf
    }

    /// Squared distances of all places from `point`.
    #[inline(always)]
    pub(super) fn squared_distances(&self, point: [T; 3]) -> [T; LEAF] {
        let [xs, ys, zs] = &self.coordinates;
        let mut out = [T::default(); LEAF];
        for i in 0..LEAF {
            let (x, y, z) = (point[0] - xs[i], point[1] - ys[i], point[2] - zs[i]);
            out[i] = x * x + y * y + z * z;
        }
        out
    }
}

impl<T: Coordinate> Tree<T> {
    /// The tree of `points`, which are called `name` in messages.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if a coordinate is not finite, [`crate::ErrorKind::Limit`] for more than 2^32 - 2 points,
    /// [`crate::ErrorKind::Interrupted`].
    pub fn new(points: &[[T; 3]], name: &str, pool: &Pool) -> Result<Self> {
        check_points(points, name)?;
        let mut items: Vec<Item<T>> =
            points.iter().zip(0_u32..).map(|(point, index)| Item { point: *point, index }).collect();
        let count = points.len().div_ceil(LEAF);
        let mut leaves = vec![Leaf::EMPTY; count];
        let mut nodes =
            vec![Node { axis: 0, lowest: [u32::MAX; 2], reach: [T::default(); 2] }; count.saturating_sub(1)];
        if count > 0 {
            let parts_wanted = if count < FEW_LEAVES { 1 } else { 4 * pool.threads() };
            let mut parts = vec![Part { items: &mut items, nodes: &mut nodes, leaves: &mut leaves }];
            while pool.threads() > 1 && parts.len() < parts_wanted {
                pool.check()?;
                let mut waiting: Vec<Option<Part<'_, T>>> = parts.into_iter().map(Some).collect();
                let halves = pool.map_mut(&mut waiting, |_, part| part.take().and_then(Part::split));
                parts = halves.into_iter().flatten().flatten().collect();
            }
            let mut waiting: Vec<Option<Part<'_, T>>> = parts.into_iter().map(Some).collect();
            pool.map_mut(&mut waiting, |_, part| part.take().map(Part::build));
        }
        pool.check()?;
        let mut tree = Self { nodes, leaves, len: points.len() };
        for (place, lowest) in tree.upwards(|leaf| leaf.indexes[0], |a, b| a.min(b)) {
            tree.nodes[place].lowest = lowest;
        }
        Ok(tree)
    }

    /// What `of` says of each leaf, joined from the bottom up: for each inner node's number, that of its children.
    pub(super) fn upwards<R: Copy>(
        &self,
        of: impl Fn(&Leaf<T>) -> R,
        join: impl Fn(R, R) -> R,
    ) -> Vec<(usize, [R; 2])> {
        let mut places = Vec::with_capacity(self.nodes.len());
        let mut waiting: Vec<Place> = (!self.is_empty()).then(|| self.root()).into_iter().collect();
        while let Some(place) = waiting.pop() {
            if !place.is_leaf() {
                places.push(place);
                waiting.extend(place.children().into_iter().rev());
            }
        }
        // A node's children are after it: they are known when it is reached from behind.
        let mut known: Vec<(usize, [R; 2])> = Vec::with_capacity(places.len());
        for place in places.iter().rev() {
            let of_child = |child: Place| {
                if child.is_leaf() {
                    return of(&self.leaves[child.leaf as usize]);
                }
                let [a, b] = known[self.nodes.len() - 1 - child.node as usize].1;
                join(a, b)
            };
            known.push((place.node as usize, place.children().map(of_child)));
        }
        known
    }

    /// Number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no points.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where a walk begins; only of a tree that has points.
    #[inline(always)]
    pub(super) fn root(&self) -> Place {
        Place { node: 0, leaf: 0, leaves: self.leaves.len() as u32 }
    }
}
