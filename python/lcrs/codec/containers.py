""".lcrs files as people have them: bytes, a path, or an object that reads or writes bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from lcrs import coding

__all__ = ["Container", "read_container"]

Container = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO
"""The bytes of a file, its path, or a binary file object that is open for reading."""

_CHUNK = 1 << 24
"""Bytes that are asked for at a time: what a file announces is not believed before it is there."""


def read_container(source: Container) -> bytes | bytearray | memoryview:
    """The bytes of an .lcrs file: as many as its header announces, and one more if there are more.

    Bytes are given back as they are. A file object is read from where it stands, and closed by its owner.

    Raises:
        OSError: if it cannot be read.
        TypeError: if ``source`` is none of these.
        LcrsError: if what comes first is not the header of an .lcrs file, or above the limits.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return source
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            return _read(file)
    if hasattr(source, "read"):
        return _read(source)
    msg = f"data is a {type(source).__qualname__}, bytes, a path or a binary file object is needed"
    raise TypeError(msg)


def _read(file: BinaryIO) -> bytes:
    data = b""
    while (needed := coding.bytes_needed(data)) > len(data):
        data += _up_to(file, needed - len(data))
        if len(data) < needed:
            return data  # cut off, as whoever decodes it will say
    return data + _bytes(file.read(1))


def _up_to(file: BinaryIO, num_bytes: int) -> bytes:
    """The next bytes of a file, fewer only at its end."""
    chunks = []
    while num_bytes > 0 and (chunk := _bytes(file.read(min(num_bytes, _CHUNK)))):
        chunks.append(chunk)
        num_bytes -= len(chunk)
    return b"".join(chunks)


def _bytes(data: Any) -> bytes:
    """What a file object gave, if that is bytes."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    msg = f"the file object reads {type(data).__name__}, bytes are needed: open it as binary"
    raise TypeError(msg)
