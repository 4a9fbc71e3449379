//! Writing: files whole or not at all, and never over another one unasked.
//!
//! Only regular files are ever replaced. What replaces one takes over its mode, owner and attributes as far as the system
//! allows that; a symbolic link stays, and its target is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::closed::is_output_closed;
use crate::failure::Failure;
use crate::places::{folder_of, is_same_file, is_standard, Place};
use crate::stopping::Part;

/// Refuses early what [`write`] would refuse in the end, and to write over the input.
pub(crate) fn check(input: &Path, path: &Path, is_forced: bool) -> Result<(), Failure> {
    let place = Place::of(path).map_err(|why| Failure::Failed(format!("{}: {why}", path.display())))?;
    match &place {
        Place::Standard if !is_forced && io::stdout().is_terminal() => Err(Failure::Failed(
            "the output would go to a terminal: -o FILE writes a file, --force writes there all the same".to_owned(),
        )),
        Place::Old(file) => {
            let same = fs::metadata(file).and_then(|output| Ok(is_same_file(&output, &metadata_of_input(input)?)));
            match same {
                Ok(true) => Err(Failure::Failed(format!("{}: is the input itself", path.display()))),
                _ if !is_forced => Err(exists(path)),
                _ => Ok(()),
            }
        }
        // A link to nothing is something, too.
        Place::New(_) if !is_forced && fs::symlink_metadata(path).is_ok() => Err(exists(path)),
        Place::New(file) if !folder_of(file).is_dir() => {
            Err(Failure::Failed(format!("{}: there is no such folder", folder_of(path).display())))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn metadata_of_input(input: &Path) -> io::Result<fs::Metadata> {
    use std::os::fd::AsFd as _;
    if is_standard(input) {
        return File::from(io::stdin().as_fd().try_clone_to_owned()?).metadata();
    }
    fs::metadata(input)
}

#[cfg(not(unix))]
fn metadata_of_input(input: &Path) -> io::Result<fs::Metadata> {
    if is_standard(input) {
        return Err(ErrorKind::Unsupported.into());
    }
    fs::metadata(input)
}

/// Writes a file; see [`Place`] for what else the name may stand for.
pub(crate) fn write(path: &Path, bytes: &[u8], is_forced: bool) -> Result<(), Failure> {
    let place = Place::of(path).map_err(|why| Failure::Failed(format!("{}: {why}", path.display())))?;
    let done = match &place {
        Place::Standard => return to_standard_output(bytes),
        Place::Descriptor(number) => to_descriptor(*number, bytes),
        Place::Stream(stream) => OpenOptions::new().write(true).open(stream).and_then(|mut file| file.write_all(bytes)),
        Place::Old(file) if is_forced => replace(file, bytes),
        Place::New(file) if is_forced => replace(file, bytes),
        Place::Old(_) => Err(ErrorKind::AlreadyExists.into()),
        Place::New(_) => create(path, bytes),
    };
    match done {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && !is_forced => Err(exists(path)),
        Err(error) => Err(Failure::of(path.display(), &error)),
        Ok(()) => Ok(()),
    }
}

/// Writes to standard output.
pub(crate) fn to_standard_output(bytes: &[u8]) -> Result<(), Failure> {
    if is_output_closed() {
        return Err(Failure::Failed("standard output: is closed".to_owned()));
    }
    let mut output = io::stdout().lock();
    let done = output.write_all(bytes).and_then(|()| output.flush());
    done.map_err(|error| Failure::of("standard output", &error))
}

fn exists(path: &Path) -> Failure {
    Failure::Failed(format!("{} exists; --force replaces it", path.display()))
}

#[cfg(unix)]
fn to_descriptor(number: i32, bytes: &[u8]) -> io::Result<()> {
    use std::os::fd::BorrowedFd;
    // SAFETY: the descriptor is one that the user names; it is copied at once, which fails if it is not open.
    #[allow(unsafe_code)]
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()?;
    File::from(descriptor).write_all(bytes)
}

#[cfg(not(unix))]
fn to_descriptor(_number: i32, _bytes: &[u8]) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Writes a file where none is.
fn create(target: &Path, bytes: &[u8]) -> io::Result<()> {
    if unnamed(folder_of(target), bytes, None, target)? {
        return Ok(());
    }
    let part = named(target, bytes, None)?;
    let path = part.path().to_owned();
    match fs::hard_link(&path, target) {
        // Unlike a rename, this fails if the name was taken in the meantime.
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // No hard links on this file system: a check has to do.
        Err(_) if fs::symlink_metadata(target).is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => part.place(|path| fs::rename(path, target)),
    }
}

/// What is known of a file that is to be replaced.
struct Old {
    path: PathBuf,
    metadata: fs::Metadata,
}

/// Writes a file where another one may be. `target` is no link.
fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = match fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_file() => Some(Old { path: target.to_owned(), metadata }),
        Ok(_) => return Err(io::Error::other("is no regular file")),
        Err(_) => None,
    };
    let (part, is_whole) = Part::new(part_name(target), |path| unnamed(folder_of(target), bytes, old.as_ref(), path))?;
    let part = if is_whole {
        part
    } else {
        drop(part);
        named(target, bytes, old.as_ref())?
    };
    part.place(|path| fs::rename(path, target))
}

/// A name for the file before it is whole: short, however long that of `target` is.
fn part_name(target: &Path) -> PathBuf {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    folder_of(target).join(format!(".lcrs-{:012x}.part", random & 0xFFFF_FFFF_FFFF))
}

/// Writes a new file beside `target`.
fn named(target: &Path, bytes: &[u8], old: Option<&Old>) -> io::Result<Part> {
    let make = |path: &Path| options(old).create_new(true).open(path);
    let (part, mut file) = Part::new(part_name(target), make)?;
    fill(&mut file, bytes, old)?;
    Ok(part)
}

/// Writes the content, and waits until it is on the disk.
fn fill(file: &mut File, bytes: &[u8], old: Option<&Old>) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Some(old) = old {
        take_over(file, &old.metadata);
        take_over_attributes(file, &old.path);
    }
    match file.sync_all() {
        // What a file system does not have.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => Ok(()),
        done => done,
    }
}

/// How a file is created: never more open than the one that it replaces.
#[cfg(unix)]
fn options(old: Option<&Old>) -> OpenOptions {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
    let mut options = OpenOptions::new();
    options.write(true).mode(old.map_or(0o666, |old| old.metadata.mode() & 0o777));
    options
}

#[cfg(not(unix))]
fn options(_old: Option<&Old>) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

/// Gives a file the owner and the mode of the one that it replaces, as far as they may be set here.
#[cfg(unix)]
fn take_over(file: &File, old: &fs::Metadata) {
    use std::os::unix::fs::{fchown, MetadataExt as _, PermissionsExt as _};
    let mut mode = old.mode() & 0o7777;
    let Ok(new) = file.metadata() else { return };
    if new.gid() != old.gid() && fchown(file, None, Some(old.gid())).is_err() {
        mode &= !0o070 | mode << 3; // another group gets no more than everybody
    }
    if new.uid() != old.uid() {
        let _ = fchown(file, Some(old.uid()), None);
    }
    // Refused where all files have one mode: CIFS, NTFS, object stores.
    let _ = file.set_permissions(fs::Permissions::from_mode(mode));
}

/// Gives a file the extended attributes of another one, access control lists among them, where there are any and they may be
/// set here. Those that speak of the content stay behind.
#[cfg(target_os = "linux")]
fn take_over_attributes(file: &File, old: &Path) {
    use rustix::fs::{fsetxattr, getxattr, listxattr, XattrFlags};
    const OF_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.evm", b"security.ima"];
    // The kernel's bounds for a list and for a value.
    let (mut names, mut value) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let Ok(length) = listxattr(old, &mut names[..]) else { return };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty() && !OF_CONTENT.contains(name)) {
        if let Ok(length) = getxattr(old, name, &mut value[..]) {
            let _ = fsetxattr(file, name, &value[..length], XattrFlags::empty());
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn take_over_attributes(_file: &File, _old: &Path) {}

#[cfg(not(unix))]
fn take_over(_file: &File, _old: &fs::Metadata) {}

/// Writes a file that has no name before it is whole, so that not even a killed process leaves a part of it. False where
/// the system has no such files; then nothing has been done.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path, bytes: &[u8], old: Option<&Old>, name: &Path) -> io::Result<bool> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::{linkat, AtFlags, OFlags, CWD};

    let flags = OFlags::TMPFILE.bits() as i32;
    // Whatever is wrong with the folder, a file with a name will meet it again.
    let Ok(mut file) = options(old).custom_flags(flags).open(folder) else { return Ok(false) };
    fill(&mut file, bytes, old)?;
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    match linkat(CWD, &descriptor, CWD, name, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error.into()),
        Err(_) => Ok(false), // no /proc here, or no links
    }
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_folder: &Path, _bytes: &[u8], _old: Option<&Old>, _name: &Path) -> io::Result<bool> {
    Ok(false)
}
