"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = False) -> None:
    """Writes ``data`` to ``path`` so that nobody ever sees half of it, and nothing stays behind on failure.

    Args:
        path: the file. A device or a pipe is written to directly.
        data: its whole content.
        overwrite: whether an existing file may be replaced.

    Raises:
        FileExistsError: if the file exists and ``overwrite`` is false.
        OSError: if it cannot be written.
    """
    target = Path(path)
    if target.exists() and not target.is_file() and not target.is_dir():
        target.write_bytes(data)
        return
    if not overwrite:
        refuse_existing(target)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        _publish(Path(name), target, overwrite=overwrite)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def refuse_existing(path: Path) -> None:
    """Raises if writing to ``path`` would replace something.

    Raises:
        FileExistsError: if ``path`` is a file, a folder or a dangling link.
    """
    if os.path.lexists(path) and (path.is_file() or path.is_dir() or not path.exists()):
        msg = f"{path} exists"
        raise FileExistsError(msg)


def _publish(part: Path, target: Path, *, overwrite: bool) -> None:
    """Gives the finished ``part`` its name."""
    if not overwrite:
        try:
            # Unlike a rename, a link fails if the name was taken in the meantime.
            os.link(part, target)
        except FileExistsError:
            refuse_existing(target)
            raise
        except OSError:
            refuse_existing(target)  # no hard links on this file system: a check has to do
        else:
            return
    part.replace(target)


def _umask() -> int:
    """The process's file mode mask. Reading it means setting it; nobody has made it stricter than 0o77."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
