//! From points to a file.

use lcrs_core::points::morton;
use lcrs_core::points::octree::{growth_bytes, occupancies, Level, Scalar};
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::{check_attributes, pack, Attribute, Cloud, Header, Section};

use super::attributes::{encode_column, near};
use super::coordinates::Voxels;
use super::grid::{voxels, Resolution};
use super::residuals::{encode, BitWriter};
use super::sections::{ATTRIBUTES, COUNTS, COUNT_BITS, LOW_BITS, OCCUPANCIES};
use super::tree::{TreeCoder, BLOCK_NODES};
use super::{CloudPackage, PointCloud};
use crate::container::from_format;
use crate::digest_text::prefix;
use crate::graph::Job;

/// How to compress a point cloud.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CloudOptions {
    /// How fine positions are kept.
    pub resolution: Resolution,
    /// Whether points at one place all stay; otherwise the first one does.
    pub keep_duplicates: bool,
}

/// A file, and what became of the points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressedCloud {
    /// The file.
    pub data: Vec<u8>,
    /// Points that were left out because another one is at their place.
    pub num_merged: u64,
}

/// Bytes that a point takes while it is sorted and coded.
const POINT_BYTES: u64 = 64;

/// Where at least so many of a hundred nodes have nothing in their window, coordinates go on as plain bits.
const LONELY_PERCENT: usize = 95;

/// Compresses points with the model of `package`. The bytes depend on nothing else but the options. The order of points is not kept.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for coordinates that are not finite or lie on no grid (see [`Resolution`]), columns of different
/// lengths, or names that a file cannot hold, [`lcrs_core::ErrorKind::Limit`] above the limits.
pub fn compress_cloud(
    package: &CloudPackage,
    cloud: &PointCloud<'_>,
    options: &CloudOptions,
    rt: &Runtime,
    limits: &Limits,
) -> Result<CompressedCloud> {
    let given = check(cloud)?;
    let limits = &limits.without(given as u64 * POINT_BYTES, "a point cloud")?;
    let Voxels { grid, is_lossless, voxels } = voxels(&cloud.positions, options.resolution, limits)?;
    let mut order = morton::order(&voxels, &rt.pool)?;
    if !options.keep_duplicates {
        order.dedup_by(|later, before| voxels[*later as usize] == voxels[*before as usize]);
    }
    let mut sorted: Vec<[u32; 3]> = limits.zeroed(order.len(), "voxels")?;
    sorted.iter_mut().zip(&order).for_each(|(place, index)| *place = voxels[*index as usize]);
    drop(voxels);
    let bits = morton::axis_bits(&sorted);
    let (mut leaves, mut counts) = leaves_of(&sorted, 0);
    let (levels, low_bits) = octree(&leaves, bits, rt, limits)?;
    if low_bits > 0 {
        (leaves, counts) = leaves_of(&sorted, low_bits);
    }
    let job = Job { rt, limits, level: None };
    let mut parts: Vec<(u8, Vec<u8>)> = Vec::new();
    if !levels.is_empty() {
        parts.push((OCCUPANCIES, tree(package, &levels, job)?));
    }
    if counts.iter().any(|count| *count > 0) {
        parts.push((COUNTS, encode(&counts, COUNT_BITS, rt)?));
    }
    if low_bits > 0 {
        let mut low = BitWriter::default();
        sorted.as_flattened().iter().for_each(|v| low.push((*v).into(), low_bits));
        parts.push((LOW_BITS, low.finish()));
    }
    parts.extend(attributes(cloud, &order, &sorted, job)?);
    let header = Cloud {
        positions: cloud.positions.number(),
        is_lossless,
        num_points: order.len() as u64,
        num_leaves: leaves.len() as u64,
        depth: levels.len() as u8,
        low_bits: low_bits as u8,
        grid,
        attributes: cloud
            .attributes
            .iter()
            .map(|(name, values)| Attribute { name: name.clone(), number: values.number() })
            .collect(),
    };
    let mut header = Header::of_cloud(package.name(), header);
    header.entropy_digest = prefix(&package.digests().entropy);
    header.synthesis_digest = prefix(&package.digests().synthesis);
    header.numerics = package.numerics();
    let sections: Vec<Section<'_>> = parts
        .iter()
        .map(|(latent, data)| Section { latent: *latent, kind: StreamKind::Lcrs.code(), precision: 16, data })
        .collect();
    let data = pack(&header, &sections, &[]).map_err(from_format)?;
    Ok(CompressedCloud { data, num_merged: (given - order.len()) as u64 })
}

/// The number of points, which all columns have.
fn check(cloud: &PointCloud<'_>) -> Result<usize> {
    let numbers = cloud.positions.len();
    if !numbers.is_multiple_of(3) {
        return Err(Error::invalid(format!("{numbers} coordinates, must be three a point")));
    }
    let points = numbers / 3;
    check_attributes(cloud.attributes.iter().map(|(name, _)| &name[..])).map_err(from_format)?;
    for (name, values) in &cloud.attributes {
        if values.len() != points {
            let found = values.len();
            return Err(Error::invalid(format!("attribute '{name}' has {found} values, there are {points} points")));
        }
    }
    Ok(points)
}

/// The occupancies of an octree of `bits` levels over voxels, as far as it is coded, and how many bits of coordinates are left: nodes
/// that see nothing around them tell nothing.
fn octree(voxels: &[[u32; 3]], bits: u32, rt: &Runtime, limits: &Limits) -> Result<(Vec<Vec<u8>>, u32)> {
    if voxels.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let mut levels = occupancies(voxels, bits, limits)?;
    let is_sparse = levels.last().is_some_and(|last| 10 * last.len() > 9 * voxels.len());
    if !is_sparse {
        return Ok((levels, 0));
    }
    let mut level = Level::root();
    for (depth, occupancy) in levels.iter().enumerate() {
        // of a few nodes nothing is to be learned
        if level.len() > 64 && 100 * level.num_lonely() >= LONELY_PERCENT * level.len() {
            levels.truncate(depth);
            return Ok((levels, bits - depth as u32));
        }
        level = level.children(occupancy, &rt.pool, limits)?;
    }
    Ok((levels, 0))
}

/// The leaves of sorted voxels, and how many voxels each has, less one.
fn leaves_of(sorted: &[[u32; 3]], low_bits: u32) -> (Vec<[u32; 3]>, Vec<u64>) {
    let (mut leaves, mut counts): (Vec<[u32; 3]>, Vec<u64>) = (Vec::new(), Vec::new());
    for voxel in sorted {
        let leaf = voxel.map(|v| v.checked_shr(low_bits).unwrap_or(0));
        match counts.last_mut() {
            Some(count) if leaves.last() == Some(&leaf) => *count += 1,
            _ => {
                leaves.push(leaf);
                counts.push(0);
            }
        }
    }
    (leaves, counts)
}

/// The section of an octree: what is told of each level, and the stream.
fn tree(package: &CloudPackage, levels: &[Vec<u8>], job: Job<'_>) -> Result<Vec<u8>> {
    let is_told = package.model.inputs.scalars.contains(&Scalar::GrowthBelow);
    let told = if is_told { growth_bytes(levels) } else { Vec::new() };
    let coder = TreeCoder { model: &package.model, networks: &package.networks, job, block_nodes: BLOCK_NODES };
    let stream = coder.encode(StreamKind::Lcrs, levels, &told)?;
    Ok([told, stream].concat())
}

/// The sections of all attributes.
fn attributes(cloud: &PointCloud<'_>, order: &[u32], sorted: &[[u32; 3]], job: Job<'_>) -> Result<Vec<(u8, Vec<u8>)>> {
    let mut parts = Vec::new();
    if cloud.attributes.is_empty() {
        return Ok(parts);
    }
    let near = near(sorted, &job.rt.pool, job.limits)?;
    let mut columns = Vec::new();
    for ((name, values), id) in cloud.attributes.iter().zip(ATTRIBUTES..) {
        job.rt.pool.check()?;
        // what is known of the columns before
        let limits = &job.limits.without((columns.len() * order.len() * size_of::<u64>()) as u64, "attributes")?;
        let codes = values.codes(order, limits)?;
        let bits = 8 * values.number().num_bytes() as u32;
        let coded = encode_column(codes, bits, &columns, &near, job.rt, limits);
        let (data, column) = coded.map_err(|e| e.at(format!("attribute '{name}'")))?;
        columns.push(column);
        parts.push((id, data));
    }
    Ok(parts)
}
