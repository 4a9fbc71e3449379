//! Writing files: whole or not at all, and never over another one unasked.

use std::fs::Permissions;
use std::io::Write as _;
use std::path::Path;

use tempfile::Builder;

use crate::Failure;

/// Refuses early what [`write`] would refuse in the end.
pub(crate) fn check(path: &Path, is_forced: bool) -> Result<(), Failure> {
    if !is_forced && path.exists() {
        return Err(exists(path));
    }
    Ok(())
}

/// Writes a file beside its place and moves it there.
pub(crate) fn write(path: &Path, bytes: &[u8], is_forced: bool) -> Result<(), Failure> {
    let failed = |e: &std::io::Error| Failure::Failed(format!("cannot write {}: {e}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = Builder::new();
    if let Some(permissions) = usual_permissions() {
        builder.permissions(permissions);
    }
    let mut file = builder.prefix(".lcrs-").tempfile_in(folder).map_err(|e| failed(&e))?;
    file.write_all(bytes).map_err(|e| failed(&e))?;
    let moved = if is_forced { file.persist(path) } else { file.persist_noclobber(path) };
    match moved {
        Ok(_) => Ok(()),
        Err(e) if !is_forced && e.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
        Err(e) => Err(failed(&e.error)),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::Failed(format!("{} is there already; --force writes over it", path.display()))
}

/// Temporary files are private; what stays gets what the umask leaves.
#[cfg(unix)]
fn usual_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn usual_permissions() -> Option<Permissions> {
    None
}
