//! Point clouds on the command line: PLY files to `.lcrs` files and back.

mod columns;
mod header;
mod ply;
mod shortened;

use lcrs_codec::{
    compress_cloud, decompress_cloud, runtime_from_env, CloudOptions, Info, PointCloud, Resolution, SectionInfo,
};

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::places::title;
use crate::telling::{at, tell};
use crate::{models, output};

/// Whether the output that is asked for may be one of points: its ending or the format says so, or nothing does.
pub(crate) fn may_be_written(arguments: &Arguments) -> bool {
    match arguments.format.as_deref() {
        Some(format) => format.eq_ignore_ascii_case("ply"),
        None => {
            let ending = arguments.output.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            ending.as_deref() == Some("ply")
        }
    }
}

/// Refuses options of point clouds for a picture.
pub(crate) fn refuse_options(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.voxel.is_some() || arguments.bits.is_some() || arguments.keep_duplicates || !arguments.drop.is_empty()
    {
        let message = "--voxel, --bits, --keep-duplicates and --drop are for point clouds, the input is a picture";
        return Err(Failure::Usage(message.to_owned()));
    }
    Ok(())
}

/// Compresses the points in the bytes of a PLY file.
pub(crate) fn encode(arguments: &Arguments, bytes: &[u8]) -> Result<(), Failure> {
    // points are kept to the bit anyway, unless --voxel or --bits say otherwise
    let has_rate = arguments.quality.is_some() || arguments.lossless == Some(false);
    if has_rate || arguments.background.is_some() || arguments.to_8bit || arguments.keep_exif {
        let message =
            "-q, --no-lossless, --background, --to-8bit and --keep-exif are for pictures, the input is a point cloud";
        return Err(Failure::Usage(message.to_owned()));
    }
    let limits = arguments.limits.without(bytes.len() as u64, "the file").map_err(at(arguments))?;
    let (mut cloud, mut losses) = ply::read(bytes, &limits).map_err(at(arguments))?;
    for name in &arguments.drop {
        if name != "all" && !cloud.attributes.iter().any(|(known, _)| known == name) {
            return Err(Failure::Usage(format!("--drop names '{name}', which the points do not have")));
        }
    }
    cloud.attributes.retain(|(name, _)| !arguments.drop.iter().any(|dropped| dropped == name || dropped == "all"));
    let resolution = match (arguments.voxel, arguments.bits) {
        (Some(size), None) => Resolution::Voxel(size),
        (None, Some(bits)) => Resolution::Bits(bits),
        (None, None) => Resolution::Lossless,
        (Some(_), Some(_)) => return Err(Failure::Usage("--voxel and --bits are both given, one is possible".into())),
    };
    let package = models::load_of_clouds(arguments.model.as_deref(), &limits)?;
    let options = CloudOptions { resolution, keep_duplicates: arguments.keep_duplicates };
    let held = limits.without(cloud_bytes(&cloud), "the points").map_err(at(arguments))?;
    let compressed = compress_cloud(&package, &cloud, &options, &runtime_from_env()?, &held).map_err(at(arguments))?;
    output::write(&arguments.output, &compressed.data, arguments.is_forced)?;
    if compressed.num_merged > 0 {
        let (merged, points) = (compressed.num_merged, cloud.positions.len() / 3);
        losses
            .push(format!("{merged} of {points} points that are where another one is (--keep-duplicates keeps them)"));
    }
    tell(&title(&arguments.input), &losses);
    Ok(())
}

/// Restores the points of a file as PLY.
pub(crate) fn decode(arguments: &Arguments, data: &[u8], info: &Info) -> Result<(), Failure> {
    let is_named = arguments.format.is_some() || arguments.output.extension().is_some();
    if is_named && !may_be_written(arguments) {
        let message = "the file holds a point cloud, which is written as .ply here; lcrs decode knows more";
        return Err(Failure::Usage(message.to_owned()));
    }
    let cloud = restore(arguments, data, info)?;
    let bytes = ply::write(cloud).map_err(at(arguments))?;
    output::write(&arguments.output, &bytes, arguments.is_forced)
}

/// Decodes all of a file, which checks it.
pub(crate) fn restore(arguments: &Arguments, data: &[u8], info: &Info) -> Result<PointCloud<'static>, Failure> {
    let limits = arguments.limits;
    let package = models::load_of_clouds_for(info, arguments.model.as_deref(), &limits)?;
    decompress_cloud(&package, data, &runtime_from_env()?, &limits).map_err(at(arguments))
}

fn cloud_bytes(cloud: &PointCloud<'_>) -> u64 {
    cloud.positions.bytes() + cloud.attributes.iter().map(|(_, values)| values.bytes()).sum::<u64>()
}

/// What `info` says of a file of points.
pub(crate) fn describe(info: &Info) -> String {
    let Some(cloud) = &info.cloud else { return String::new() };
    let bits = |bytes: usize| match cloud.num_points {
        0 => String::new(),
        points => format!(", {:.3} bits a point", 8.0 * bytes as f64 / points as f64),
    };
    let kept = if cloud.is_lossless { "as given" } else { "rounded to voxels" };
    let mut text = format!(
        "point cloud of {} points, their order not kept, {} bytes{}\n",
        cloud.num_points,
        info.num_bytes,
        bits(info.num_bytes)
    );
    text += &format!("{} coordinates {kept}, voxels of {}\n", cloud.positions.name(), cloud.grid.step());
    text += &format!("model {}, entropy digest {}...\n", info.model, info.entropy_digest);
    let mut attributes = cloud.attributes.iter();
    for SectionInfo { latent, num_bytes, .. } in &info.sections {
        let part = match latent {
            0 => "octree".to_owned(),
            1 => "points of leaves".to_owned(),
            2 => "low bits".to_owned(),
            _ => attributes.next().map_or_else(String::new, |a| format!("attribute {} ({})", a.name, a.number.name())),
        };
        text += &format!("{part}: {num_bytes} bytes{}\n", bits(*num_bytes));
    }
    text
}
