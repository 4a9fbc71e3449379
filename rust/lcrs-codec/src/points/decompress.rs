//! From a file to points.

use lcrs_core::points::octree::Scalar;
use lcrs_core::rans::StreamKind;
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::{parse, Cloud, Section};

use super::attributes::{decode_column, near};
use super::coordinates::positions;
use super::residuals::{decode, BitReader};
use super::sections::{part, ATTRIBUTES, COUNTS, COUNT_BITS, LOW_BITS, OCCUPANCIES};
use super::tree::{TreeCoder, BLOCK_NODES};
use super::values::Values;
use super::{CloudPackage, PointCloud};
use crate::container::{format_limits, from_format};
use crate::decompress::check_entropy;
use crate::graph::Job;

/// Bytes that a point takes at least while it is decoded: of its voxel and its leaf, their order, and its coordinates.
const POINT_BYTES: u64 = 48;

/// The points in `data`, by the model of `package`, in Morton order of their voxels.
///
/// # Errors
/// [`lcrs_core::ErrorKind::MissingModel`] if the file was made with another model, `Truncated`, `Corrupt`, `Desync` or
/// `UnsupportedVersion` for a file that is not whole, not known, or no point cloud, [`lcrs_core::ErrorKind::Limit`] for one above the limits.
pub fn decompress_cloud(
    package: &CloudPackage,
    data: &[u8],
    rt: &Runtime,
    limits: &Limits,
) -> Result<PointCloud<'static>> {
    let container = parse(data, &format_limits(limits)).map_err(from_format)?;
    let limits = &limits.without(data.len() as u64, "the file")?;
    let header = &container.header;
    let Some(cloud) = &header.cloud else {
        return Err(Error::corrupt(format!(
            "the file holds a picture, made with model '{}', no point cloud",
            header.model
        )));
    };
    check_entropy(header, package.name(), &package.digests(), package.numerics())?;
    let points = check(cloud, limits)?;
    let job = Job { rt, limits, level: None };
    let mut sections = Sections { left: &container.sections };
    let (depth, low_bits) = (u32::from(cloud.depth), u32::from(cloud.low_bits));
    let leaves = match (cloud.num_leaves, sections.take(OCCUPANCIES, depth > 0)?) {
        (_, Some(section)) => {
            let kind = StreamKind::from_code(section.kind)?;
            let told = if package.model.inputs.scalars.contains(&Scalar::GrowthBelow) { depth as usize } else { 0 };
            let (told, stream) =
                section.data.split_at_checked(told).ok_or_else(|| Error::truncated("occupancies end early"))?;
            let coder = TreeCoder { model: &package.model, networks: &package.networks, job, block_nodes: BLOCK_NODES };
            coder.decode(kind, stream, told, depth, cloud.num_leaves).map_err(|e| e.at("occupancies"))?
        }
        (0, None) => Vec::new(),
        (_, None) => vec![[0; 3]],
    };
    let has_counts = cloud.num_points > cloud.num_leaves;
    let mut voxels: Vec<[u32; 3]> = limits.zeroed(points, "voxels")?;
    match sections.take(COUNTS, has_counts)? {
        Some(section) => {
            native(section)?;
            let counts = decode(section.data, leaves.len(), COUNT_BITS, rt, limits).map_err(|e| e.at("counts"))?;
            let total = counts.iter().fold(leaves.len() as u64, |total, count| total.saturating_add(*count));
            if total != cloud.num_points {
                let message = format!("{total} points, the file announces {}", cloud.num_points);
                return Err(Error::corrupt(message).at("counts"));
            }
            let each = leaves.iter().zip(&counts).flat_map(|(leaf, count)| (0..=*count).map(move |_| *leaf));
            voxels.iter_mut().zip(each).for_each(|(voxel, leaf)| *voxel = leaf);
        }
        None => voxels.copy_from_slice(&leaves),
    }
    drop(leaves);
    if let Some(section) = sections.take(LOW_BITS, low_bits > 0)? {
        let mut low = BitReader::new(section.data);
        for v in voxels.as_flattened_mut() {
            let below = low.pull(low_bits).map_err(|e| e.at("low bits"))?;
            *v = v.checked_shl(low_bits).unwrap_or(0) | below as u32;
        }
        low.finish().map_err(|e| e.at("low bits"))?;
    }
    let attributes = attributes(cloud, &mut sections, &voxels, job)?;
    sections.finish()?;
    Ok(PointCloud { positions: positions(&cloud.grid, cloud.positions, &voxels, limits)?, attributes })
}

/// Checks that the points of a file may be held; gives their number.
fn check(cloud: &Cloud, limits: &Limits) -> Result<usize> {
    let values: u64 = cloud.attributes.iter().map(|attribute| attribute.number.num_bytes() as u64).sum();
    let bytes = cloud.num_points.saturating_mul(POINT_BYTES + values);
    limits.without(bytes, &format!("cloud of {} points", cloud.num_points))?;
    if cloud.num_points >= u64::from(u32::MAX) {
        return Err(Error::limit(format!("cloud of {} points, fewer than 2^32 - 1 are allowed", cloud.num_points)));
    }
    Ok(cloud.num_points as usize)
}

fn attributes(
    cloud: &Cloud,
    sections: &mut Sections<'_, '_>,
    voxels: &[[u32; 3]],
    job: Job<'_>,
) -> Result<Vec<(String, Values<'static>)>> {
    let mut found = Vec::new();
    if cloud.attributes.is_empty() {
        return Ok(found);
    }
    let near = near(voxels, &job.rt.pool, job.limits)?;
    let mut columns = Vec::new();
    for (attribute, id) in cloud.attributes.iter().zip(ATTRIBUTES..) {
        job.rt.pool.check()?;
        let held = found.len() as u64 * 16 * voxels.len() as u64;
        let limits = &job.limits.without(held, "attributes")?;
        let bits = 8 * attribute.number.num_bytes() as u32;
        let place = |e: Error| e.at(format!("attribute '{}'", attribute.name));
        let section = sections.take(id, true)?.ok_or_else(|| place(Error::corrupt("its section is missing")))?;
        native(section).map_err(place)?;
        let (codes, column) = decode_column(section.data, bits, &columns, &near, job.rt, limits).map_err(place)?;
        columns.push(column);
        found.push((attribute.name.clone(), Values::of_codes(attribute.number, &codes, limits)?));
    }
    Ok(found)
}

/// Beside occupancies there is one kind of stream.
fn native(section: &Section<'_>) -> Result<()> {
    if section.kind != StreamKind::Lcrs.code() {
        let (id, kind) = (section.latent, section.kind);
        return Err(Error::unsupported(format!("section {id} of a cloud has stream kind {kind}, this build knows 1")));
    }
    Ok(())
}

/// The sections of a file, each of which is taken once.
struct Sections<'s, 'd> {
    left: &'s [Section<'d>],
}

impl<'s, 'd> Sections<'s, 'd> {
    /// Section `id`, which is there or is not.
    fn take(&mut self, id: u8, is_there: bool) -> Result<Option<&'s Section<'d>>> {
        match (self.left.split_first(), is_there) {
            (Some((section, rest)), true) if section.latent == id => {
                self.left = rest;
                Ok(Some(section))
            }
            (_, true) => Err(Error::corrupt(format!("section {id} ({}) is missing", part(id)))),
            (_, false) => Ok(None),
        }
    }

    fn finish(self) -> Result<()> {
        match self.left.first() {
            Some(section) => {
                Err(Error::corrupt(format!("section {} of a cloud that has no such part", section.latent)))
            }
            None => Ok(()),
        }
    }
}
