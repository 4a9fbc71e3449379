//! The walk through a tree that all searches are: for what comes first by some measure.

use super::coordinate::Coordinate;
use super::tree::{Leaf, Place, Tree, LEAF};

/// More than the height of any tree: points are counted in 32 bits.
const MAX_HEIGHT: usize = 32;

/// Up to this many neighbours are kept sorted; more are kept as a heap.
const FEW_NEIGHBOURS: usize = 48;

/// What is found of a point: the squared distance, then the index, of which the lower comes first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<T> {
    pub(super) distance: T,
    pub(super) index: u32,
}

impl<T: Coordinate> Found<T> {
    pub(super) const NONE: Self = Self { distance: T::INFINITY, index: u32::MAX };

    #[inline(always)]
    fn is_before(self, other: Self) -> bool {
        self.distance < other.distance || (self.distance == other.distance && self.index < other.index)
    }
}

/// What is looked for.
pub(super) trait Measure<T> {
    /// The greatest distance that is of interest while `worst` is the worst of what has been found.
    fn reach(&self, worst: Found<T>) -> T;
    /// Where a point at a squared distance stands among others. It never stands before its box, of which the distance is no
    /// greater and the lowest index no higher.
    fn place(&self, distance: T, index: u32) -> Found<T>;
}

/// The nearest points.
pub(super) struct Near;

impl<T: Coordinate> Measure<T> for Near {
    #[inline(always)]
    fn reach(&self, worst: Found<T>) -> T {
        worst.distance
    }

    #[inline(always)]
    fn place(&self, distance: T, index: u32) -> Found<T> {
        Found { distance, index }
    }
}

/// The points of the lowest indexes that are not farther than this squared distance.
pub(super) struct Within<T>(pub(super) T);

impl<T: Coordinate> Measure<T> for Within<T> {
    #[inline(always)]
    fn reach(&self, _: Found<T>) -> T {
        self.0
    }

    #[inline(always)]
    fn place(&self, distance: T, index: u32) -> Found<T> {
        if distance <= self.0 {
            Found { distance: T::default(), index }
        } else {
            Found::NONE
        }
    }
}

/// The best that have been found so far.
pub(super) trait Best<T> {
    /// What something has to come before to be of interest.
    fn worst(&self) -> Found<T>;
    /// Takes what comes before the worst.
    fn take(&mut self, found: Found<T>);
}

pub(super) struct One<T>(pub(super) Found<T>);

impl<T: Coordinate> Best<T> for One<T> {
    #[inline(always)]
    fn worst(&self) -> Found<T> {
        self.0
    }

    #[inline(always)]
    fn take(&mut self, found: Found<T>) {
        self.0 = found;
    }
}

/// Several, in order.
struct Few<'a, T>(&'a mut [Found<T>]);

impl<T: Coordinate> Best<T> for Few<'_, T> {
    #[inline(always)]
    fn worst(&self) -> Found<T> {
        self.0[self.0.len() - 1]
    }

    #[inline(always)]
    fn take(&mut self, found: Found<T>) {
        let mut place = self.0.len() - 1;
        while place > 0 && found.is_before(self.0[place - 1]) {
            self.0[place] = self.0[place - 1];
            place -= 1;
        }
        self.0[place] = found;
    }
}

/// Many, the worst at the root of a heap.
struct Many<'a, T>(&'a mut [Found<T>]);

impl<T: Coordinate> Best<T> for Many<'_, T> {
    #[inline(always)]
    fn worst(&self) -> Found<T> {
        self.0[0]
    }

    fn take(&mut self, found: Found<T>) {
        let mut place = 0;
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let Some(mut child) = self.0.get(left).map(|_| left) else { break };
            if right < self.0.len() && self.0[left].is_before(self.0[right]) {
                child = right;
            }
            if self.0[child].is_before(found) {
                break;
            }
            self.0[place] = self.0[child];
            place = child;
        }
        self.0[place] = found;
    }
}

/// A node that waits: where it stands at best, and how far it is at least along each axis.
#[derive(Debug, Clone, Copy)]
struct Waiting<T> {
    bound: Found<T>,
    offsets: [T; 3],
    place: Place,
}

/// Walks down to what may hold something better, the better child first.
#[inline(always)]
pub(super) fn search<T: Coordinate>(tree: &Tree<T>, point: [T; 3], by: &impl Measure<T>, best: &mut impl Best<T>) {
    let root = Waiting { bound: Found::NONE, offsets: [T::default(); 3], place: tree.root() };
    let mut stack = [root; MAX_HEIGHT];
    let mut waiting = 0;
    let (mut place, mut offsets) = (root.place, root.offsets);
    loop {
        while !place.is_leaf() {
            let node = &tree.nodes[place.node as usize];
            let axis = node.axis as usize % 3;
            let from = |i: usize, outside: T| {
                let mut offsets = offsets;
                offsets[axis] = if outside > offsets[axis] { outside } else { offsets[axis] };
                let [x, y, z] = offsets;
                Waiting { bound: by.place(x * x + y * y + z * z, node.lowest[i]), offsets, place: place.children()[i] }
            };
            let (a, b) = (from(0, point[axis] - node.reach[0]), from(1, node.reach[1] - point[axis]));
            let (near, far) = if b.bound.is_before(a.bound) { (b, a) } else { (a, b) };
            if far.bound.is_before(best.worst()) {
                stack[waiting % MAX_HEIGHT] = far;
                waiting += 1;
            }
            if !near.bound.is_before(best.worst()) {
                break;
            }
            (place, offsets) = (near.place, near.offsets);
        }
        if place.is_leaf() {
            search_leaf(&tree.leaves[place.leaf as usize], point, by, best);
        }
        loop {
            if waiting == 0 {
                return;
            }
            waiting -= 1;
            let next = &stack[waiting % MAX_HEIGHT];
            if next.bound.is_before(best.worst()) {
                (place, offsets) = (next.place, next.offsets);
                break;
            }
        }
    }
}

#[inline(always)]
fn search_leaf<T: Coordinate>(leaf: &Leaf<T>, point: [T; 3], by: &impl Measure<T>, best: &mut impl Best<T>) {
    let distances = leaf.squared_distances(point);
    let reach = by.reach(best.worst());
    let mut near = 0_u32;
    for (i, distance) in distances.iter().enumerate() {
        near |= u32::from(*distance <= reach) << i;
    }
    while near != 0 {
        let i = near.trailing_zeros() as usize % LEAF;
        near &= near - 1;
        let found = by.place(distances[i], leaf.indexes[i]);
        if found.is_before(best.worst()) {
            best.take(found);
        }
    }
}

/// Fills `found`, which ends sorted; what is left has no index.
#[inline(always)]
pub(super) fn best_of_many<T: Coordinate>(tree: &Tree<T>, point: [T; 3], by: &impl Measure<T>, found: &mut [Found<T>]) {
    found.fill(Found::NONE);
    if found.len() <= FEW_NEIGHBOURS {
        search(tree, point, by, &mut Few(found));
    } else {
        search(tree, point, by, &mut Many(found));
        found.sort_unstable_by(|a, b| a.distance.total_cmp(b.distance).then(a.index.cmp(&b.index)));
    }
}
