//! The description of a package: the JSON beside its tensors.

use std::collections::BTreeMap;

use lcrs_core::{Error, Limits, Result};
use lcrs_format::{check_model_name, NumberType, Numerics};
use serde_json::Value;

use super::budget::{check_depth, check_json};
use crate::graph::{check_version, Attributes};
use crate::points::OCCUPANCY;
use crate::samples::ArraySamples;

/// The version of the package format that this build reads, which is frozen.
const PACKAGE_VERSION: u64 = 1;

/// Parsed copies of a description that are there at one time: the whole, its parts, and what a digest is taken over.
const JSON_COPIES: u64 = 3;

/// Largest padding and stride.
const MAX_STRIDE: usize = 4096;

/// Most levels of a variable rate.
const MAX_LEVELS: usize = 4096;

/// Most channels of an array.
const MAX_CHANNELS: usize = 1 << 20;

/// How much smaller latents are than the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strides {
    pub y: usize,
    /// Of the hyperlatent, if there is one.
    pub z: Option<usize>,
}

/// How pictures or arrays become latents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PictureDescription {
    /// The strides as they are written, for the digest.
    pub strides: Value,
    pub stride: Strides,
    pub pad: usize,
    pub levels: Option<usize>,
    /// What the networks were made for, if not for pictures.
    pub samples: Option<ArraySamples>,
}

/// A description whose own members are checked; graphs and the codec tree are still to be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub name: String,
    pub numerics: Numerics,
    pub graphs: BTreeMap<String, Value>,
    pub codec: Value,
    /// What only packages of pictures and arrays say; none of a package of point clouds.
    pub picture: Option<PictureDescription>,
    pub entropy_digest: Option<String>,
    pub synthesis_digest: Option<String>,
    pub analysis_digest: Option<String>,
    /// All of it, `config` and `card` included.
    pub json: Value,
}

impl Description {
    /// Reads a description. Digests may be absent: then there is nothing to verify.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::UnsupportedVersion`] for another version or numerics,
    /// [`lcrs_core::ErrorKind::Corrupt`] for everything else that is wrong.
    pub(crate) fn parse(text: &str, limits: &Limits) -> Result<Self> {
        check_json(text, JSON_COPIES, limits)?;
        let json: Value =
            serde_json::from_str(text).map_err(|e| Error::corrupt(format!("description is not JSON: {e}")))?;
        check_depth(&json)?;
        Self::from_json(json).map_err(|e| e.at("description"))
    }

    /// Files have all digests; only while a package is being made are they absent.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] with the name of the first that is missing.
    pub(crate) fn check_digests_are_there(&self) -> Result<()> {
        let digests = [
            ("entropy_digest", &self.entropy_digest),
            ("synthesis_digest", &self.synthesis_digest),
            ("analysis_digest", &self.analysis_digest),
        ];
        match digests.iter().find(|(_, digest)| digest.is_none()) {
            Some((name, _)) => Err(Error::corrupt(format!("'{name}' is missing")).at("description")),
            None => Ok(()),
        }
    }

    fn from_json(json: Value) -> Result<Self> {
        let mut members = Attributes::new(&json, "it")?;
        let format = members.text("format")?;
        if format != "lcrm" {
            return Err(Error::corrupt(format!("'format' is {format:?}, must be \"lcrm\"")));
        }
        let version = members.required("version")?;
        check_version("package", version, PACKAGE_VERSION)?;
        let name = members.text("name")?.to_owned();
        check_model_name(&name).map_err(Error::corrupt)?;
        let numerics = members.text("numerics")?;
        let numerics = Numerics::from_name(numerics).ok_or_else(|| {
            let known = Numerics::F32Fma1.name();
            Error::unsupported(format!("numerics {numerics:?}, this build knows {known:?}"))
        })?;
        let graphs = members.required("graphs")?;
        let graphs = graphs.as_object().ok_or_else(|| Error::corrupt("'graphs' is not an object"))?;
        let graphs = graphs.iter().map(|(name, graph)| (name.clone(), graph.clone())).collect();
        let codec = members.required("codec")?.clone();
        let is_of_clouds = codec.get("type").and_then(Value::as_str) == Some(OCCUPANCY);
        let picture = if is_of_clouds { None } else { Some(PictureDescription::parse(&mut members)?) };
        let entropy_digest = members.optional_text("entropy_digest")?.map(str::to_owned);
        let synthesis_digest = members.optional_text("synthesis_digest")?.map(str::to_owned);
        let analysis_digest = members.optional_text("analysis_digest")?.map(str::to_owned);
        for free in ["architecture", "config", "card"] {
            members.optional(free);
        }
        members.finish()?;
        Ok(Self { name, numerics, graphs, codec, picture, entropy_digest, synthesis_digest, analysis_digest, json })
    }
}

impl PictureDescription {
    fn parse(members: &mut Attributes<'_>) -> Result<Self> {
        let pad = members.count("pad", 1, MAX_STRIDE)?;
        let strides = members.required("strides")?.clone();
        let stride = parse_strides(&strides, pad).map_err(|e| e.at("strides"))?;
        let levels = match members.optional("levels") {
            Some(_) => Some(members.count("levels", 2, MAX_LEVELS)?),
            None => None,
        };
        let samples = members.optional("samples").map(|samples| parse_samples(samples).map_err(|e| e.at("samples")));
        Ok(Self { strides, stride, pad, levels, samples: samples.transpose()? })
    }
}

/// The stride of y divides the padding, so that padded pictures have whole latents; the stride of y divides that of z.
fn parse_strides(strides: &Value, pad: usize) -> Result<Strides> {
    let mut members = Attributes::new(strides, "it")?;
    let y = members.count("y", 1, MAX_STRIDE)?;
    let z = match members.optional("z") {
        Some(_) => Some(members.count("z", 1, MAX_STRIDE)?),
        None => None,
    };
    members.finish()?;
    if !pad.is_multiple_of(y) {
        return Err(Error::corrupt(format!("'y' is {y}, which does not divide the padding of {pad}")));
    }
    match z {
        Some(z) if !z.is_multiple_of(y) => Err(Error::corrupt(format!("'z' is {z}, which 'y' = {y} does not divide"))),
        _ => Ok(Strides { y, z }),
    }
}

/// The range lies within the type, and has whole ends if the type has whole numbers.
fn parse_samples(samples: &Value) -> Result<ArraySamples> {
    let mut members = Attributes::new(samples, "it")?;
    let name = members.text("type")?;
    let number = NumberType::from_name(name).ok_or_else(|| Error::unsupported(format!("unknown type '{name}'")))?;
    let channels = members.count("channels", 1, MAX_CHANNELS)? as u32;
    let (minimum, maximum) = (members.number("minimum")?, members.number("maximum")?);
    members.finish()?;
    let (smallest, largest) = match number {
        NumberType::U8 => (0.0, 255.0),
        NumberType::I8 => (-128.0, 127.0),
        NumberType::U16 => (0.0, 65_535.0),
        NumberType::I16 => (-32_768.0, 32_767.0),
        NumberType::F32 => (f32::MIN, f32::MAX),
    };
    let is_legal = |end: f32| (smallest..=largest).contains(&end) && (number == NumberType::F32 || end.fract() == 0.0);
    if minimum >= maximum || !is_legal(minimum) || !is_legal(maximum) {
        return Err(Error::corrupt(format!(
            "range of {name} from {minimum} to {maximum}, must ascend within the type"
        )));
    }
    Ok(ArraySamples { number, channels, minimum, maximum })
}
