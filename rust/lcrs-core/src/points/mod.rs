//! Point clouds: orders, neighbours and samples of points.
//!
//! Results depend neither on the number of threads nor on the instruction set: of equals, the one of the lowest index is
//! taken, and distances are those that IEEE arithmetic gives in one order of operations.
//!
//! ```
//! use lcrs_core::points::Tree;
//! use lcrs_core::Runtime;
//!
//! let rt = Runtime::serial();
//! let points = [[0.0_f32, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 3.0, 0.0]];
//! let tree = Tree::new(&points, "points", &rt.pool)?;
//! let (mut distances, mut indexes) = ([0.0; 2], [0; 2]);
//! tree.nearest(&rt, &[[0.75, 0.0, 0.0]], 2, &mut distances, &mut indexes)?;
//! assert_eq!((distances, indexes), ([0.0625, 0.5625], [1, 0]));
//! # Ok::<(), lcrs_core::Error>(())
//! ```

mod ball;
mod boxes;
mod coordinate;
mod farthest;
pub mod morton;
mod nearest;
mod normals;
pub mod octree;
mod search;
mod tree;
mod voxels;

pub use ball::BallCoordinate;
pub use coordinate::Coordinate;
pub use farthest::{farthest, FarthestCoordinate};
pub use nearest::NearestCoordinate;
pub use normals::normal;
pub use tree::Tree;
pub use voxels::{voxelize, Voxels};
