//! Point clouds: from points to a file and back.
//!
//! Coordinates become voxels of a grid ([`grid`]), sorted in Morton order; the octree of these is coded by a network on exact arithmetic
//! ([`tree`]), what is left of points beside it by tables that follow what was coded ([`residuals`], [`attributes`]). The order of
//! points is not kept.

mod adaptation;
mod attributes;
mod compress;
mod coordinates;
mod decompress;
mod float_grids;
mod grid;
mod model;
mod package;
mod residuals;
mod sections;
mod tree;
mod values;

pub(crate) use model::OCCUPANCY;
pub(crate) use sections::{part, ATTRIBUTES as FIRST_ATTRIBUTE};

pub use compress::{compress_cloud, CloudOptions, CompressedCloud};
pub use decompress::decompress_cloud;
pub use grid::Resolution;
pub use package::CloudPackage;
pub use values::Values;

/// Points, and what is known of each.
#[derive(Debug, Clone, PartialEq)]
pub struct PointCloud<'a> {
    /// x, y and z of each point in turn.
    pub positions: Values<'a>,
    /// Properties by name, one value a point.
    pub attributes: Vec<(String, Values<'a>)>,
}
