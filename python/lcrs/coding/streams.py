"""Places to write to that are no files: devices, pipes and descriptors that are already open."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_MAX_LINKS = 40


def stream_of(path: str | os.PathLike[str]) -> int | str | None:
    """What writing to `path` goes to, where that is no file: a descriptor of this process (`/dev/stdout`,
    `/dev/fd/3`), or the path of a character device or a pipe.

    Raises:
        OSError: it is a disk or a socket, which nothing is written to.
    """
    name = os.fspath(path)
    if (descriptor := _descriptor(Path(name))) is not None:
        return descriptor
    try:
        mode = Path(name).stat().st_mode
    except OSError:
        return None
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return name
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        what = "a disk" if stat.S_ISBLK(mode) else "a socket"
        raise OSError(errno.EINVAL, f"is {what}, a file is needed", name)
    return None


def write_stream(stream: int | str, data: bytes) -> None:
    """Writes `data` to what `stream_of` found, creating and emptying nothing.

    Raises:
        OSError: that fails.
    """
    opened = stream if isinstance(stream, int) else os.open(stream, os.O_WRONLY)
    with open(opened, "wb", closefd=not isinstance(stream, int)) as file:
        file.write(data)


def _descriptor(path: Path) -> int | None:
    """The descriptor of this process that `path` stands for. To open that anew would begin at its start."""
    for _ in range(_MAX_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in {"/dev/fd", f"/proc/{os.getpid()}/fd"}:
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None
