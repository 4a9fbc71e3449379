//! Finding the package of a model: by the name inside, whatever its file is called.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lcrs_codec::{CloudPackage, Info, Package, PackageSummary};
use lcrs_core::{Error, Limits, Result};

use crate::failure::Failure;
use crate::{print, say};

/// The model that `encode` uses when told nothing.
pub(crate) const DEFAULT_MODEL: &str = "photo-2";

/// The same for point clouds.
pub(crate) const DEFAULT_CLOUD_MODEL: &str = "geometry";

/// The variable that lists folders of packages.
const SEARCH_PATH: &str = "LCRS_MODEL_PATH";

/// The ending of a package's name.
const ENDING: &str = "lcrm";

/// A package file at hand.
struct Found {
    path: PathBuf,
    /// What it says of itself, or why it does not.
    summary: Result<PackageSummary>,
}

impl Found {
    fn name(&self) -> Option<&str> {
        self.summary.as_ref().ok().map(|summary| summary.name.as_str())
    }

    /// Whether a file has a name and should hold a package of that name, but does not say so.
    fn is_damaged(&self, name: &str) -> bool {
        self.summary.is_err() && self.path.file_stem() == Some(OsStr::new(name))
    }

    fn wrote(&self, info: &Info) -> bool {
        self.summary.as_ref().is_ok_and(|summary| {
            summary.entropy_digest.starts_with(&info.entropy_digest)
                && summary.synthesis_digest.starts_with(&info.synthesis_digest)
        })
    }
}

/// The package in the file `asked`, or of that name; the default without it.
pub(crate) fn load(asked: Option<&OsStr>, limits: &Limits) -> Result<Package> {
    Package::from_file(&path(asked.unwrap_or(OsStr::new(DEFAULT_MODEL)), limits)?, limits)
}

/// The same of point clouds.
pub(crate) fn load_of_clouds(asked: Option<&OsStr>, limits: &Limits) -> Result<CloudPackage> {
    CloudPackage::from_file(&path(asked.unwrap_or(OsStr::new(DEFAULT_CLOUD_MODEL)), limits)?, limits)
}

/// The file of a package, by its name or that of the model.
fn path(asked: &OsStr, limits: &Limits) -> Result<PathBuf> {
    if is_file_name(asked) {
        return Ok(asked.into());
    }
    let name = asked.to_string_lossy();
    let known = at_hand(limits);
    let mut named = known.iter().filter(|found| found.name() == Some(&*name) || found.is_damaged(&name));
    let Some(first) = named.next() else {
        let path = Path::new(asked);
        return if path.exists() { Ok(path.to_owned()) } else { Err(missing(&name, &known)) };
    };
    for other in named.filter(|other| other.name().is_some() && digests(other) != digests(first)) {
        let (used, other) = (first.path.display(), other.path.display());
        say(&format!("warning: two models are called '{name}': {used} is used, not {other}"));
    }
    Ok(first.path.clone())
}

/// The package that a file was made with: in the file `asked`, or of that name, or the one that the file needs.
pub(crate) fn load_for(info: &Info, asked: Option<&OsStr>, limits: &Limits) -> Result<Package> {
    if asked.is_some() {
        return load(asked, limits);
    }
    Package::from_file(&path_for(info, limits)?, limits)
}

/// The same of point clouds.
pub(crate) fn load_of_clouds_for(info: &Info, asked: Option<&OsStr>, limits: &Limits) -> Result<CloudPackage> {
    if asked.is_some() {
        return load_of_clouds(asked, limits);
    }
    CloudPackage::from_file(&path_for(info, limits)?, limits)
}

fn path_for(info: &Info, limits: &Limits) -> Result<PathBuf> {
    let known = at_hand(limits);
    // Different models may share a name: the digests tell which one is meant; another one of the name says what is different.
    let fitting = known.iter().find(|found| found.wrote(info));
    let named = || known.iter().find(|found| found.name() == Some(&info.model) || found.is_damaged(&info.model));
    match fitting.or_else(named) {
        Some(found) => Ok(found.path.clone()),
        None => Err(missing(&info.model, &known)),
    }
}

/// Whether an argument is the name of a file, not that of a model.
fn is_file_name(asked: &OsStr) -> bool {
    let path = Path::new(asked);
    path.extension() == Some(OsStr::new(ENDING)) || path.components().count() > 1 || asked.to_str().is_none()
}

fn digests(found: &Found) -> Option<(&str, &str)> {
    let summary = found.summary.as_ref().ok()?;
    Some((&summary.entropy_digest, &summary.synthesis_digest))
}

fn missing(name: &str, known: &[Found]) -> Error {
    let names: BTreeSet<&str> = known.iter().filter_map(Found::name).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") };
    Error::missing_model(format!(
        "there is no model '{name}' here (at hand: {names}): name its package by --model FILE, or its folder in {SEARCH_PATH}; \
         lcrs-codec models says where it was looked for"
    ))
}

/// Where packages are looked for, each with what names the folder.
fn folders() -> Vec<(PathBuf, &'static str)> {
    let mut folders: Vec<(PathBuf, &str)> =
        env::split_paths(&env::var_os(SEARCH_PATH).unwrap_or_default()).map(|folder| (folder, SEARCH_PATH)).collect();
    if let Some(own) = env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned)) {
        let prefix = own.parent().map(|prefix| prefix.join("share/lcrs/models"));
        folders.extend(prefix.map(|folder| (folder, "beside the program")));
        folders.push((own, "the program's folder"));
    }
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute()).or(home);
    let shared = env::var_os("XDG_DATA_DIRS").filter(|folders| !folders.is_empty());
    let shared = shared.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    for folder in data.into_iter().chain(env::split_paths(&shared).filter(|folder| folder.is_absolute())) {
        folders.push((folder.join("lcrs/models"), "data of programs"));
    }
    let mut seen = BTreeSet::new();
    folders.retain(|(folder, _)| !folder.as_os_str().is_empty() && seen.insert(folder.clone()));
    folders
}

/// All packages, in the order in which they are looked for.
fn at_hand(limits: &Limits) -> Vec<Found> {
    folders().iter().flat_map(|(folder, _)| packages(folder, limits)).collect()
}

fn packages(folder: &Path, limits: &Limits) -> Vec<Found> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let is_package = |path: &PathBuf| path.extension() == Some(OsStr::new(ENDING)) && path.is_file();
    let paths: BTreeSet<PathBuf> = files.filter(is_package).collect();
    let found = |path: PathBuf| Found { summary: PackageSummary::from_file(&path, limits), path };
    paths.into_iter().map(found).collect()
}

/// Says where packages are looked for, and what is there.
pub(crate) fn list() -> std::result::Result<(), Failure> {
    let limits = Limits::default();
    let mut text = String::new();
    for (folder, origin) in folders() {
        let note = if folder.is_dir() { "" } else { ", not there" };
        text += &format!("{} ({origin}{note})\n", folder.display());
        for found in packages(&folder, &limits) {
            let file = found.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            text += &match found.summary {
                Ok(summary) => {
                    let kind = if summary.is_of_clouds { "point clouds" } else { "" };
                    let rate = summary.levels.map_or("fixed rate".to_owned(), |levels| format!("{levels} levels"));
                    let rate = if kind.is_empty() { rate } else { kind.to_owned() };
                    let digest = |digest: &str| digest.get(..16).unwrap_or(digest).to_owned();
                    let (entropy, synthesis) = (digest(&summary.entropy_digest), digest(&summary.synthesis_digest));
                    let is_default = [DEFAULT_MODEL, DEFAULT_CLOUD_MODEL].contains(&&summary.name[..]);
                    let default = if is_default { ", the default" } else { "" };
                    format!("  {} in {file}: {rate}, entropy {entropy}, synthesis {synthesis}{default}\n", summary.name)
                }
                Err(error) => format!("  no model: {error}\n"),
            };
        }
    }
    print(&text)
}
