//! What a package file says of itself, without its tensors.

use std::fs::File;
use std::path::Path;

use lcrs_core::{Limits, Result};

use super::description::Description;
use super::read::read_description;
use crate::reading::{unreadable, ReadError};

/// What a package file says of itself. Nothing of it is verified: that needs [`super::Package::from_file`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSummary {
    /// The model's name, which files carry.
    pub name: String,
    /// The entropy digest, 64 hexadecimal digits.
    pub entropy_digest: String,
    /// The synthesis digest, 64 hexadecimal digits.
    pub synthesis_digest: String,
    /// Number of levels of a variable-rate model; `None` for a fixed rate.
    pub levels: Option<usize>,
    /// Whether it codes point clouds, not pictures: [`crate::CloudPackage`] reads it.
    pub is_of_clouds: bool,
}

impl PackageSummary {
    /// Reads the header of a package file, and no more.
    ///
    /// # Errors
    /// As [`super::Package::from_file`], for what the header shows.
    pub fn from_file(path: &Path, limits: &Limits) -> Result<Self> {
        let read = File::open(path).map_err(ReadError::Io).and_then(|mut file| read_description(&mut file, limits));
        let description = match read {
            Ok(text) => Description::parse(&text, limits).map_err(|error| error.at(path.display()))?,
            Err(ReadError::File(error)) => return Err(error.at(path.display())),
            Err(ReadError::Io(error)) => return Err(unreadable(path, &error)),
        };
        description.check_digests_are_there().map_err(|error| error.at(path.display()))?;
        Ok(Self {
            name: description.name,
            entropy_digest: description.entropy_digest.unwrap_or_default(),
            synthesis_digest: description.synthesis_digest.unwrap_or_default(),
            is_of_clouds: description.picture.is_none(),
            levels: description.picture.and_then(|picture| picture.levels),
        })
    }
}
