//! What each command does.

use lcrs_codec::{
    compress, compress_lossless, decompress, decompress_lossless, lossless_if_no_larger, metadata, runtime_from_env,
    CloudPackage, CompressOptions, DecompressOptions, Info, Package, PackageSummary, Picture, PictureMetadata,
};
use lcrs_core::Limits;

use crate::arguments::Arguments;
use crate::clouds;
use crate::failure::Failure;
use crate::pictures::{self, Choices, Format, Read};
use crate::places::title;
use crate::telling::{at, tell};
use crate::{input, models, output, print};

/// Of models whose rate can vary, when told nothing.
const DEFAULT_QUALITY: f64 = 50.0;

pub(crate) fn info(arguments: &Arguments) -> Result<(), Failure> {
    let limits = arguments.limits;
    let data = input::file(&arguments.input, &limits)?;
    let info = lcrs_codec::info(&data, &limits).map_err(at(arguments))?;
    if arguments.is_json {
        return print(&format!("{}\n", info.to_json()));
    }
    print(&if info.cloud.is_some() { clouds::describe(&info) } else { describe(&info) })
}

fn describe(info: &Info) -> String {
    let quality = info.quality.map_or("fixed rate".to_owned(), |quality| format!("quality {quality}"));
    let bits = 8.0 * info.num_bytes as f64 / (f64::from(info.width) * f64::from(info.height));
    let mut text = format!(
        "{} x {}, {}, {} bytes, {bits:.3} bits a pixel\n",
        info.width, info.height, info.samples, info.num_bytes
    );
    if info.is_lossless {
        text += "lossless, without a model\n";
    } else {
        text += &format!("model {}, {quality}\n", info.model);
        text += &format!("entropy digest {}..., synthesis digest {}...\n", info.entropy_digest, info.synthesis_digest);
    }
    let portable = if info.portable { "portable" } else { "not portable" };
    text += &format!("format version {}, numerics {}, {portable}\n", info.format_version, info.numerics);
    for section in &info.sections {
        let (latent, kind, precision) = (section.latent, section.kind, section.precision);
        let what = if info.is_lossless { "pixels".to_owned() } else { format!("latent {latent}") };
        text += &format!("{what}: {} bytes, kind {kind}, precision {precision}\n", section.num_bytes);
    }
    for (name, bytes) in [("ICC profile", info.num_icc_bytes), ("EXIF", info.num_exif_bytes)] {
        if let Some(bytes) = bytes {
            text += &format!("{name}: {bytes} bytes\n");
        }
    }
    text
}

pub(crate) fn decode(arguments: &Arguments) -> Result<(), Failure> {
    let format = match Format::of(&arguments.output, arguments.format.as_deref()) {
        // What is wrong whatever the file holds is said first.
        Err(error) if !clouds::may_be_written(arguments) => return Err(error),
        format => format,
    };
    output::check(&arguments.input, &arguments.output, arguments.is_forced)?;
    let limits = arguments.limits;
    let data = input::file(&arguments.input, &limits)?;
    let info = lcrs_codec::info(&data, &limits).map_err(at(arguments))?;
    if info.cloud.is_some() {
        return clouds::decode(arguments, &data, &info);
    }
    let format = format?;
    let picture = restore(arguments, &data, &info)?;
    let metadata = metadata(&data, &limits).map_err(at(arguments))?;
    let held = (data.len() + picture.data().len()) as u64;
    let limits = limits.without(held, "a picture with its file").map_err(at(arguments))?;
    let named = |why: String| Failure::Failed(format!("{}: {why}", title(&arguments.input)));
    let (bytes, losses) = pictures::write(&picture, &metadata, format, &limits).map_err(named)?;
    output::write(&arguments.output, &bytes, arguments.is_forced)?;
    tell(&arguments.output.display().to_string(), &losses);
    Ok(())
}

/// The picture of a file. The runtime, and the memory that it keeps, are gone when it is there.
fn restore(arguments: &Arguments, data: &[u8], info: &Info) -> Result<Picture, Failure> {
    let (limits, runtime) = (arguments.limits, runtime_from_env()?);
    if info.is_lossless {
        return decompress_lossless(data, &runtime, &limits).map_err(at(arguments));
    }
    let package = models::load_for(info, arguments.model.as_deref(), &limits)?;
    let options = DecompressOptions { allow_other_synthesis: arguments.allows_other_synthesis };
    decompress(&package, data, &options, &runtime, &limits).map_err(at(arguments))
}

pub(crate) fn encode(arguments: &Arguments) -> Result<(), Failure> {
    output::check(&arguments.input, &arguments.output, arguments.is_forced)?;
    let limits = arguments.limits;
    let bytes = input::picture(&arguments.input, &limits)?;
    if input::is_cloud(&bytes) {
        return clouds::encode(arguments, &bytes);
    }
    clouds::refuse_options(arguments)?;
    let package = match arguments.lossless {
        Some(true) => None,
        _ => Some(models::load(arguments.model.as_deref(), &limits)?),
    };
    let Arguments { background, to_8bit, keep_exif, .. } = *arguments;
    let besides = limits.without(bytes.len() as u64, "the file").map_err(at(arguments))?;
    let read = pictures::read(&bytes, Choices { background, to_8bit, keep_exif }, &besides);
    drop(bytes);
    let named = |why: String| Failure::Failed(format!("{}: {why}", title(&arguments.input)));
    let Read { picture, metadata, losses } = read.map_err(named)?;
    let data = code(arguments, package.as_ref(), &picture, metadata, &limits)?;
    output::write(&arguments.output, &data, arguments.is_forced)?;
    tell(&title(&arguments.input), &losses);
    Ok(())
}

/// The file of a picture: to the bit without a model, or where that is no larger and nothing else was asked for.
fn code(
    arguments: &Arguments,
    package: Option<&Package>,
    picture: &Picture,
    metadata: PictureMetadata,
    limits: &Limits,
) -> Result<Vec<u8>, Failure> {
    let runtime = runtime_from_env()?;
    let Some(package) = package else {
        return compress_lossless(picture, &metadata, &runtime, limits).map_err(at(arguments));
    };
    let quality = arguments.quality.or(package.levels().map(|_| DEFAULT_QUALITY));
    let options = CompressOptions { quality, metadata, ..CompressOptions::default() };
    let data = compress(package, picture, &options, &runtime, limits).map_err(at(arguments))?;
    if arguments.lossless.is_some() || arguments.model.is_some() {
        return Ok(data);
    }
    let lossless = lossless_if_no_larger(picture, &options.metadata, data.len(), &runtime, limits);
    Ok(lossless.map_err(at(arguments))?.unwrap_or(data))
}

pub(crate) fn verify(arguments: &Arguments) -> Result<(), Failure> {
    let limits = arguments.limits;
    let path = &arguments.input;
    if path.extension().is_some_and(|extension| extension == "lcrm") {
        if PackageSummary::from_file(path, &limits)?.is_of_clouds {
            let package = CloudPackage::from_file(path, &limits)?;
            let (name, entropy) = (package.name(), package.digests().entropy_hex());
            return print(&format!("package {name} of point clouds is whole\nentropy digest {entropy}\n"));
        }
        let package = Package::from_file(path, &limits)?;
        let digests = package.digests();
        let (entropy, synthesis) = (digests.entropy_hex(), digests.synthesis_hex());
        let (name, analysis) = (package.name(), digests.analysis_hex());
        return print(&format!(
            "package {name} is whole\nentropy digest {entropy}\nsynthesis digest {synthesis}\nanalysis digest {analysis}\n"
        ));
    }
    let data = input::file(path, &limits)?;
    let info = lcrs_codec::info(&data, &limits).map_err(at(arguments))?;
    if info.cloud.is_some() {
        let cloud = clouds::restore(arguments, &data, &info)?;
        return print(&format!("point cloud of {} points is whole\n", cloud.positions.len() / 3));
    }
    let picture = restore(arguments, &data, &info)?;
    print(&format!("picture of {} x {} is whole\n", picture.width(), picture.height()))
}
