//! Finding the package of a model.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lcrs_codec::Package;
use lcrs_core::{Error, Limits, Result};
use lcrs_format::check_model_name;

/// The variable that lists folders of packages.
const SEARCH_PATH: &str = "LCRS_MODEL_PATH";

/// The package `asked` for, a file or a name; else the one called `name`.
pub(crate) fn load(asked: Option<&OsStr>, name: Option<&str>, limits: &Limits) -> Result<Package> {
    let path = match (asked, name) {
        (Some(asked), _) if Path::new(asked).is_file() => PathBuf::from(asked),
        (Some(asked), _) => match asked.to_str().filter(|name| check_model_name(name).is_ok()) {
            Some(name) => find(name)?,
            // Reading says what is there instead, if anything.
            None => PathBuf::from(asked),
        },
        (None, Some(name)) => find(name)?,
        (None, None) => return Err(Error::missing_model("a model is needed: --model FILE")),
    };
    Package::from_file(&path, limits)
}

fn find(name: &str) -> Result<PathBuf> {
    let file = format!("{name}.lcrm");
    let folders = env::var_os(SEARCH_PATH).unwrap_or_default();
    let found = env::split_paths(&folders)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file());
    found.ok_or_else(|| {
        let folders = folders.to_string_lossy();
        Error::missing_model(format!(
            "model '{name}' is not at hand: no {file} in {SEARCH_PATH} ('{folders}'), no --model"
        ))
    })
}
