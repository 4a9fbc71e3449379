//! Reading inputs: files, and standard input.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use lcrs_codec::ReadError;
use lcrs_core::Limits;

use crate::closed::is_input_closed;
use crate::failure::Failure;
use crate::pictures;
use crate::places::{is_standard, title};

/// The bytes of a `.lcrs` file, as far as its header says that they go.
pub(crate) fn file(path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let read = open(path).map_err(ReadError::Io).and_then(|mut source| lcrs_codec::read(&mut *source, limits));
    read.map_err(|error| match error {
        ReadError::Io(error) => Failure::of(title(path), &error),
        ReadError::File(error) => error.at(title(path)).into(),
    })
}

/// Bytes that say what kind of picture a file is.
const HEAD: u64 = 64;

/// All bytes of a file of a picture or of points.
pub(crate) fn picture(path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let too_long = || {
        let (title, most) = (title(path), limits.max_bytes);
        Failure::Failed(format!("{title}: more than {most} bytes, which no picture within the limits needs"))
    };
    let no_memory = || Failure::Failed(format!("{}: there is not enough memory to read it", title(path)));
    let mut bytes = Vec::new();
    let length = std::fs::metadata(path).map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
    if !is_standard(path) && length > limits.max_bytes {
        return Err(too_long());
    }
    let length = if is_standard(path) { 0 } else { usize::try_from(length).unwrap_or(usize::MAX) };
    bytes.try_reserve_exact(length.saturating_add(1)).map_err(|_| no_memory())?;
    let mut source = open(path).map_err(|error| Failure::of(title(path), &error))?;
    let mut read = source.by_ref().take(HEAD).read_to_end(&mut bytes);
    if read.is_ok() {
        // Of what is no picture no more is read: it may have no end.
        let named = |why: String| Failure::Failed(format!("{}: {why}", title(path)));
        if !crate::clouds::is_cloud(&bytes) {
            pictures::refuse_no_picture(&bytes).map_err(named)?;
        }
        read = source.take(limits.max_bytes - HEAD.min(limits.max_bytes) + 1).read_to_end(&mut bytes);
    }
    match read {
        Ok(_) if bytes.len() as u64 > limits.max_bytes => Err(too_long()),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(no_memory()),
        Err(error) => Err(Failure::of(title(path), &error)),
    }
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if is_standard(path) {
        if is_input_closed() {
            return Err(io::Error::other("is closed"));
        }
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|error| match path.to_str() {
        Some(name) if name.contains("://") => {
            io::Error::new(error.kind(), "is a URL, which is not fetched: download it first")
        }
        _ => error,
    })?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::other("is a folder, a file is needed"));
    }
    Ok(Box::new(file))
}
