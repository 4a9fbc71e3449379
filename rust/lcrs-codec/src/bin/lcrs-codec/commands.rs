//! What each command does.

use std::path::Path;

use lcrs_codec::{compress, decompress, metadata, runtime_from_env, CompressOptions, DecompressOptions, Info, Package};
use lcrs_core::Limits;

use crate::arguments::Arguments;
use crate::pictures::{self, Format};
use crate::{models, output, print, Failure};

fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let failed = |e: std::io::Error| Failure::Failed(format!("cannot read {}: {e}", path.display()));
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > limits.max_bytes {
        let (path, most) = (path.display(), limits.max_bytes);
        return Err(Failure::Failed(format!("{path} has {length} bytes, at most {most} are allowed")));
    }
    std::fs::read(path).map_err(failed)
}

/// The error with the file that it is about.
fn at(path: &Path) -> impl Fn(lcrs_core::Error) -> Failure + '_ {
    move |error| error.at(path.display()).into()
}

pub(crate) fn info(arguments: &Arguments) -> Result<(), Failure> {
    let limits = Limits::default();
    let data = read(&arguments.input, &limits)?;
    let info = lcrs_codec::info(&data, &limits).map_err(at(&arguments.input))?;
    if arguments.is_json {
        return print(&format!("{}\n", info.to_json()));
    }
    print(&describe(&info))
}

fn describe(info: &Info) -> String {
    let quality = info.quality.map_or("fixed rate".to_owned(), |quality| format!("quality {quality}"));
    let bits = 8.0 * info.num_bytes as f64 / (f64::from(info.width) * f64::from(info.height));
    let mut text = format!(
        "{} x {}, {}, {} bytes, {bits:.3} bits a pixel\n",
        info.width, info.height, info.samples, info.num_bytes
    );
    text += &format!("model {}, {quality}\n", info.model);
    text += &format!("entropy digest {}..., synthesis digest {}...\n", info.entropy_digest, info.synthesis_digest);
    let portable = if info.portable { "portable" } else { "not portable" };
    text += &format!("format version {}, numerics {}, {portable}\n", info.format_version, info.numerics);
    for section in &info.sections {
        let (latent, kind, precision) = (section.latent, section.kind, section.precision);
        text += &format!("latent {latent}: {} bytes, kind {kind}, precision {precision}\n", section.num_bytes);
    }
    for (name, bytes) in [("ICC profile", info.num_icc_bytes), ("EXIF", info.num_exif_bytes)] {
        if let Some(bytes) = bytes {
            text += &format!("{name}: {bytes} bytes\n");
        }
    }
    text
}

pub(crate) fn decode(arguments: &Arguments) -> Result<(), Failure> {
    let path = required(arguments.output.as_deref())?;
    let format = Format::of(path)?;
    output::check(path, arguments.is_forced)?;
    let limits = Limits::default();
    let data = read(&arguments.input, &limits)?;
    let name = lcrs_codec::info(&data, &limits).map_err(at(&arguments.input))?.model;
    let package = models::load(arguments.model.as_deref(), Some(&name), &limits)?;
    let options = DecompressOptions { allow_other_synthesis: arguments.allows_other_synthesis };
    let picture = decompress(&package, &data, &options, &runtime_from_env()?, &limits).map_err(at(&arguments.input))?;
    let metadata = metadata(&data, &limits)?;
    output::write(path, &pictures::write(&picture, &metadata, format)?, arguments.is_forced)
}

pub(crate) fn encode(arguments: &Arguments) -> Result<(), Failure> {
    let path = required(arguments.output.as_deref())?;
    output::check(path, arguments.is_forced)?;
    let limits = Limits::default();
    let (picture, metadata) = pictures::read(&read(&arguments.input, &limits)?, &limits)?;
    let package = models::load(arguments.model.as_deref(), None, &limits)?;
    let options = CompressOptions { quality: arguments.quality, metadata, ..CompressOptions::default() };
    let data = compress(&package, &picture, &options, &runtime_from_env()?, &limits)?;
    output::write(path, &data, arguments.is_forced)
}

pub(crate) fn verify(arguments: &Arguments) -> Result<(), Failure> {
    let limits = Limits::default();
    let path = &arguments.input;
    if path.extension().is_some_and(|extension| extension == "lcrm") {
        let package = Package::from_file(path, &limits)?;
        let digests = package.digests();
        let (entropy, synthesis) = (digests.entropy_hex(), digests.synthesis_hex());
        let (name, analysis) = (package.name(), digests.analysis_hex());
        return print(&format!(
            "package {name} is whole\nentropy digest {entropy}\nsynthesis digest {synthesis}\nanalysis digest {analysis}\n"
        ));
    }
    let data = read(path, &limits)?;
    let name = lcrs_codec::info(&data, &limits).map_err(at(path))?.model;
    let package = models::load(arguments.model.as_deref(), Some(&name), &limits)?;
    let options = DecompressOptions::default();
    let picture = decompress(&package, &data, &options, &runtime_from_env()?, &limits).map_err(at(path))?;
    print(&format!("picture of {} x {} is whole\n", picture.width(), picture.height()))
}

fn required(path: Option<&Path>) -> Result<&Path, Failure> {
    path.ok_or_else(|| Failure::Usage("-o OUT is needed".to_owned()))
}
