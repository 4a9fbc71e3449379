//! What a name on the command line stands for: a file, standard input or output, or something that is no file.

use std::fs;
use std::path::{Path, PathBuf};

/// What stands for standard input or output on the command line.
pub(crate) const STANDARD: &str = "-";

/// Whether `path` stands for standard input or output; `./-` is the file of that name.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == STANDARD
}

/// What an input is called in messages: bytes of its name that are no UTF-8 are `\xNN` there.
pub(crate) fn title(path: &Path) -> String {
    if is_standard(path) {
        return "standard input".to_owned();
    }
    let mut title = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        title += chunk.valid();
        chunk.invalid().iter().for_each(|byte| title += &format!("\\x{byte:02x}"));
    }
    title
}

/// Where a result goes.
#[derive(Debug)]
pub(crate) enum Place {
    /// Standard output.
    Standard,
    /// A descriptor of this process (`/dev/stdout`, `/dev/fd/3`).
    Descriptor(i32),
    /// A character device or a pipe.
    Stream(PathBuf),
    /// A file that is there already, under its own name, not that of a link to it.
    Old(PathBuf),
    /// A file that is not there yet, under its own name.
    New(PathBuf),
}

impl Place {
    /// What writing to `path` goes to.
    ///
    /// # Errors
    /// Why nothing can be written there.
    pub(crate) fn of(path: &Path) -> Result<Self, String> {
        if is_standard(path) {
            return Ok(Self::Standard);
        }
        if let Some(descriptor) = descriptor(path) {
            return Ok(Self::Descriptor(descriptor));
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {
                fs::canonicalize(path).map(Self::Old).map_err(|e| crate::failure::reason(&e))
            }
            Ok(metadata) if metadata.is_dir() => Err("is a folder, a file is needed".to_owned()),
            Ok(metadata) => stream(path, &metadata),
            Err(_) => Ok(Self::New(behind_links(path))),
        }
    }
}

/// How many links may follow one another.
const MAX_LINKS: usize = 40;

/// The name that a chain of links ends at.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = folder_of(&path).join(target);
    }
    path
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The descriptor of this process that `path` stands for. To open that anew would begin at its start.
#[cfg(unix)]
fn descriptor(path: &Path) -> Option<i32> {
    let mut path = path.to_owned();
    let own = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
    for _ in 0..MAX_LINKS {
        let number =
            path.file_name().and_then(|name| name.to_str()).filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            let folder = fs::canonicalize(folder_of(&path)).ok()?;
            if folder == own || folder == Path::new("/dev/fd") {
                return Some(number);
            }
        }
        path = folder_of(&path).join(fs::read_link(&path).ok()?);
    }
    None
}

#[cfg(not(unix))]
fn descriptor(_path: &Path) -> Option<i32> {
    None
}

#[cfg(unix)]
fn stream(path: &Path, metadata: &fs::Metadata) -> Result<Place, String> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    if kind.is_block_device() {
        Err("is a disk, a file is needed".to_owned())
    } else if kind.is_socket() {
        Err("is a socket, a file is needed".to_owned())
    } else {
        Ok(Place::Stream(path.to_owned()))
    }
}

#[cfg(not(unix))]
fn stream(path: &Path, _metadata: &fs::Metadata) -> Result<Place, String> {
    Ok(Place::Stream(path.to_owned()))
}

/// Whether both names are of one file: by whatever name, link or descriptor.
#[cfg(unix)]
pub(crate) fn is_same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
pub(crate) fn is_same_file(_a: &fs::Metadata, _b: &fs::Metadata) -> bool {
    false
}
