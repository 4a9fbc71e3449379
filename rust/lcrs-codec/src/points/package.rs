//! Packages of point clouds: a network that says how probable the children of an octree's nodes are.

use std::path::Path;

use lcrs_core::{Error, Limits, Result};
use lcrs_format::Numerics;

use super::model::OccupancyModel;
use crate::networks::Networks;
use crate::package::{load, read_package_file, verified, Description, Digests};
use crate::tensors::Tensors;

/// A model of point clouds, loaded and checked.
pub struct CloudPackage {
    name: String,
    numerics: Numerics,
    json: String,
    digests: Digests,
    pub(crate) networks: Networks,
    pub(crate) model: OccupancyModel,
}

impl CloudPackage {
    /// Reads a package file.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::MissingModel`] if the file cannot be read, else as [`CloudPackage::from_bytes`].
    pub fn from_file(path: &Path, limits: &Limits) -> Result<Self> {
        let bytes = read_package_file(path, limits)?;
        Self::from_bytes(&bytes, limits).map_err(|e| e.at(path.display()))
    }

    /// Reads a package, checks all of it and verifies its digests.
    ///
    /// # Errors
    /// As [`crate::Package::from_bytes`]; [`lcrs_core::ErrorKind::InvalidArgument`] for a package of pictures.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let (description, tensors) = load(bytes, limits)?;
        Self::from_description(description, tensors, limits)
    }

    /// A package of a description (JSON) and its tensors. Digests in the description are verified; absent ones are computed.
    ///
    /// # Errors
    /// As [`CloudPackage::from_bytes`].
    pub fn from_parts(description: &str, tensors: Tensors<'static>, limits: &Limits) -> Result<Self> {
        Self::from_description(Description::parse(description, limits)?, tensors, limits)
    }

    fn from_description(description: Description, tensors: Tensors<'static>, limits: &Limits) -> Result<Self> {
        if description.picture.is_some() {
            return Err(Error::invalid(format!("model '{}' codes pictures, not point clouds", description.name)));
        }
        let digests = verified(&description, &tensors, limits)?;
        let networks = Networks::new(&description.graphs, tensors)?;
        networks.check_levels(None)?;
        let model =
            OccupancyModel::parse(&description.codec, &networks, &networks.lookup()).map_err(|e| e.at("codec"))?;
        Ok(Self {
            name: description.name,
            numerics: description.numerics,
            json: description.json.to_string(),
            digests,
            networks,
            model,
        })
    }

    /// The model's name, which files carry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole description as JSON: architecture, configuration and card included.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.json
    }

    /// The digests, as computed from what was loaded.
    #[must_use]
    pub fn digests(&self) -> Digests {
        self.digests
    }

    /// The arithmetic that the model runs on.
    #[must_use]
    pub fn numerics(&self) -> Numerics {
        self.numerics
    }
}

impl std::fmt::Debug for CloudPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entropy_digest = self.digests.entropy_hex();
        f.debug_struct("CloudPackage")
            .field("name", &self.name)
            .field("entropy_digest", &entropy_digest)
            .finish_non_exhaustive()
    }
}
