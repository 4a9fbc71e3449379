"""Where results go: what may be written, what is there already, and the writing itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli.messages import one_line
from lcrs.cli.streams import STANDARD, refuse_terminal, standard_output, write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable


def check_output(source: Path, target: Path, *, force: bool, makes_folders: bool = False) -> None:
    """Refuses, before any work is done, to write where something is, or where nothing can be.

    Raises:
        OSError: `target` exists and may not be replaced, its folder is missing, it is the input itself,
            a disk, a socket or a terminal.
    """
    if target == STANDARD:
        stream: int | str | None = standard_output().fileno()
    else:
        from lcrs.coding.streams import stream_of

        stream = stream_of(target)
    if stream is not None:
        if not force:
            _refuse_terminal(stream)
        return
    from lcrs.coding.files import refuse_existing

    if source != STANDARD and target.exists() and source.exists() and target.samefile(source):
        raise FileExistsError(17, "is the input itself", str(target))
    if not force:
        try:
            refuse_existing(target)
        except FileExistsError as error:
            msg = f"{error}; --force replaces it"
            raise FileExistsError(msg) from None
    if target.is_dir():
        raise IsADirectoryError(21, "is a folder, a file is needed", str(target))
    parent = Path(os.path.realpath(target)).parent
    if not parent.is_dir() and not makes_folders:
        raise FileNotFoundError(2, "there is no such folder", str(target.parent))


def _refuse_terminal(stream: int | str) -> None:
    if isinstance(stream, int):
        refuse_terminal(stream)
    elif stat.S_ISCHR(Path(stream).stat().st_mode):
        opened = os.open(stream, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
        try:
            refuse_terminal(opened)
        finally:
            os.close(opened)


def deliver(target: Path, data: bytes, *, force: bool, makes_folders: bool = False) -> None:
    """Writes a whole file, or nothing: also when a signal comes in between.

    Raises:
        OSError: it cannot be written.
    """
    if target == STANDARD:
        write_bytes(data)
        return
    from lcrs.cli.stopping import cleaning_up
    from lcrs.coding.files import write_atomically

    if makes_folders:
        target.parent.mkdir(parents=True, exist_ok=True)
    with cleaning_up():
        write_atomically(target, data, overwrite=force)


def is_whole(target: Path, check: Callable[[Path], None], *, force: bool) -> bool:
    """Whether there is a file that needs not be made again.

    Args:
        target: the file.
        check: reads it; raises `LcrsError`, `ValueError` or `OSError` that say what is wrong with it.
        force: whether it may be replaced if there is.

    Raises:
        FileExistsError: there is one that needs to, and may not be replaced.
    """
    if target == STANDARD or not target.is_file():
        return False
    try:
        check(target)
    except (OSError, ValueError) as error:
        if force:
            return False
        msg = f"{target} exists, but is not what would be written: {one_line(error)}; --force replaces it"
        raise FileExistsError(msg) from None
    return True


def check_stream(path: Path, limits: dict[str, Any]) -> None:
    """Raises `LcrsError` if `path` is no whole .lcrs file within some limits."""
    from lcrs import coding
    from lcrs.codec.containers import read_container

    coding.info(read_container(path, **limits), **limits)
