"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lcrs.coding.streams import stream_of, write_stream

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_PART = ".lcrs-*.part"
# Attributes that speak of the content, which is another one now.
_OF_CONTENT = {"security.capability", "security.evm", "security.ima"}
# What an operation ends in that a file system does not have; all else is a failure to be told.
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def write_atomically(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = False) -> None:
    """Writes `data` to `path` so that nobody ever sees half of it, and nothing stays behind on failure.

    Only regular files are ever replaced. What replaces one takes over its mode, owner, access control list
    and extended attributes as far as the system allows that; a symbolic link stays, and its target is
    written.

    Args:
        path: the file. A character device, a pipe or an open descriptor (`/dev/stdout`) is written to
            directly.
        data: its whole content.
        overwrite: whether an existing file may be replaced.

    Raises:
        FileExistsError: the file exists and `overwrite` is false.
        OSError: it cannot be written.
    """
    given = os.fspath(path)
    with _naming(given):
        if (stream := stream_of(given)) is not None:
            write_stream(stream, data)
        elif overwrite:
            _replace(Path(os.path.realpath(given)), data)
        else:
            refuse_existing(Path(given))
            _create(Path(given), data)


def refuse_existing(path: Path) -> None:
    """Raises if writing to `path` would replace something.

    Raises:
        FileExistsError: `path` is a file, a folder or a dangling link.
    """
    if os.path.lexists(path) and (path.is_file() or path.is_dir() or not path.exists()):
        msg = f"{path} exists"
        raise FileExistsError(msg)


def remove_parts(folder: Path) -> None:
    """Removes what processes left in a folder that were killed while they wrote; none may be writing now."""
    for part in folder.glob(_PART):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """What the system refuses is told of the file, not of the part that it was to become."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, path) from error


def _create(target: Path, data: bytes) -> None:
    """Writes a file where none is."""
    with _part_beside(target) as part:
        if not _write_unnamed(part.parent, data, None, target):
            _write_part(part, data, None)
            _link(part, target)


@dataclass(frozen=True)
class _Old:
    """What is known of a file that is to be replaced."""

    path: Path
    status: os.stat_result


def _replace(target: Path, data: bytes) -> None:
    """Writes a file where another one may be. `target` is no link."""
    old = _regular(target)
    with _part_beside(target) as part:
        if not _write_unnamed(part.parent, data, old, part):
            _write_part(part, data, old)
        part.replace(target)


@contextlib.contextmanager
def _part_beside(target: Path) -> Iterator[Path]:
    """A name for the file before it is whole, gone in the end: short, however long that of `target` is."""
    part = target.parent / _PART.replace("*", os.urandom(6).hex())
    try:
        yield part
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _regular(target: Path) -> _Old | None:
    """What is known of the file that is to be replaced; None where there is none yet."""
    try:
        status = target.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, a file is needed")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is no regular file")
    return _Old(target, status)


def _write_unnamed(folder: Path, data: bytes, old: _Old | None, name: Path) -> bool:
    """Writes a file that has no name before it is whole, so that not even a killed process leaves half of
    one: at most a whole one under the name of a part, if it is killed between its naming and the renaming
    that replaces another. False where the system has no such files; then nothing has been done.
    """
    kind = getattr(os, "O_TMPFILE", 0)
    if not kind:
        return False
    try:
        descriptor = os.open(folder, os.O_WRONLY | os.O_CLOEXEC | kind, _mode(old))
    except OSError:
        return False  # or whatever is wrong with the folder, which a file with a name will meet again
    with os.fdopen(descriptor, "wb") as file:
        _fill(file, data, old)
        try:
            # The descriptor of a folder makes this linkat, which follows the link in /proc.
            os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor, follow_symlinks=True)
        except FileExistsError:
            refuse_existing(name)
            raise
        except OSError:
            return False  # no /proc here, or no links
    return True


def _write_part(part: Path, data: bytes, old: _Old | None) -> None:
    """Writes a new file of the name `part`."""
    with os.fdopen(os.open(part, _CREATE, _mode(old)), "wb") as file:
        _fill(file, data, old)


def _link(part: Path, target: Path) -> None:
    """Gives the finished `part` its name, if that is still free."""
    try:
        os.link(part, target)  # unlike a rename, this fails if the name was taken in the meantime
    except FileExistsError:
        refuse_existing(target)
        raise
    except OSError:
        refuse_existing(target)  # no hard links on this file system: a check has to do
        part.replace(target)


def _mode(old: _Old | None) -> int:
    """What a file is created with: never more open than the one that it replaces."""
    return 0o666 if old is None else stat.S_IMODE(old.status.st_mode) & 0o777


def _fill(file: BinaryIO, data: bytes, old: _Old | None) -> None:
    """Writes the content, and waits until it is on the disk."""
    file.write(data)
    file.flush()
    if old is not None:
        _take_over(file.fileno(), old.status)
        _take_over_attributes(file.fileno(), old.path)
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def _take_over(descriptor: int, old: os.stat_result) -> None:
    """Gives a file the owner and the mode of the one that it replaces, as far as they may be set here."""
    if not hasattr(os, "fchown"):
        return
    mode = stat.S_IMODE(old.st_mode)
    if os.fstat(descriptor).st_gid != old.st_gid:
        try:
            os.fchown(descriptor, -1, old.st_gid)
        except OSError:
            mode &= ~0o070 | mode << 3  # another group gets no more than everybody
    if os.fstat(descriptor).st_uid != old.st_uid:
        with contextlib.suppress(OSError):
            os.fchown(descriptor, old.st_uid, -1)
    with contextlib.suppress(OSError):  # refused where all files have one mode: CIFS, NTFS, object stores
        os.fchmod(descriptor, mode)


def _take_over_attributes(descriptor: int, old: Path) -> None:
    """Gives a file the extended attributes of another one, access control lists among them, where there are
    any and they may be set here.
    """
    if not hasattr(os, "listxattr"):
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(old):
            with contextlib.suppress(OSError):
                if name not in _OF_CONTENT:
                    os.setxattr(descriptor, name, os.getxattr(old, name))
