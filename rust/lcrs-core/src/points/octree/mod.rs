//! Octrees of point clouds, level by level, and what is known around a node while the next level is coded.
//!
//! A cloud is a set of positions of `depth` bits an axis, 0 to [`MAX_DEPTH`]. Level `l` has a node for every cube of side
//! `2^(depth - l)` that holds a point: one at level 0, the root, and one for each position at level `depth`. Nodes of a level are in
//! Morton order. An *octant* is the place of a child in its parent, `4 x + 2 y + z` of the lowest bits of its coordinates; the
//! *occupancy* of a node is a byte with bit `o` set if its octant `o` holds a point. A cloud is its depth and all occupancies.
//!
//! Coordinates are not needed on the way down: each node knows its 27 *neighbours*, itself among them, and those of a child are
//! children of its parent's. So a node is found in constant time, at any depth.
//!
//! Neighbour `(dx, dy, dz)`, each -1 to 1, has the number `9 (dx + 1) + 3 (dy + 1) + dz + 1`. A *window* of reach r holds the places
//! whose three distances are at most r, numbered likewise, `((dx + r) (2 r + 1) + dy + r) (2 r + 1) + dz + r`. One of reach
//! [`WINDOW_REACH`] around any node lies in its parent's neighbours, so it costs no more than they do.

mod ancestry;
mod features;
mod level;
mod occupancy;
mod planes;
mod window;

pub use ancestry::Ancestry;
pub use features::{growth_byte, growth_bytes, Scalar, Told, TrunkInputs};
pub use level::Level;
pub use occupancy::{leaves, occupancies};
pub use planes::{Planes, Stages};
pub use window::WINDOW_REACH;

/// Most bits of a coordinate.
pub const MAX_DEPTH: u32 = 32;

/// Neighbours of a node, itself among them.
pub const NUM_NEIGHBOURS: usize = 27;

/// The number of the node itself among its neighbours.
pub(crate) const CENTRE: usize = 13;

/// Nodes that one thread does at a time. Results do not depend on it.
pub(crate) const BLOCK: usize = 4096;
