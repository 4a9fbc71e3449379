""".lcrs files as people have them: bytes, a path, or an object that reads or writes bytes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lcrs import coding
from lcrs.codec.call_checks import refuse_text, refuse_url
from lcrs.coding.files import write_atomically

if TYPE_CHECKING:
    from lcrs.pictures import Picture

__all__ = ["Container", "Output", "give", "give_picture", "read_container"]

Container = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO
"""The bytes of a file, its path, or a binary file object that is open for reading."""

Output = str | os.PathLike[str] | BinaryIO
"""The path of a file, which is replaced if it is there, or a binary file object that is open for writing."""

_CHUNK = 1 << 24
"""Bytes that are asked for at a time: what a file announces is not believed before it is there."""


def read_container(
    source: Container, *, max_pixels: int | None = None, max_bytes: int | None = None
) -> bytes | bytearray | memoryview:
    """The bytes of an .lcrs file: as many as its header announces, and one more if there are more.

    Bytes are given back as they are. The limits are those of `lcrs.coding.info`. A file object is read
    from where it stands, and closed by its owner.

    Raises:
        OSError: it cannot be read.
        TypeError: `source` is none of these.
        LcrsError: what comes first is not the header of an .lcrs file, or above the limits.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return source
    limits = {"max_pixels": max_pixels, "max_bytes": max_bytes}
    refuse_url(source)
    refuse_text(source, "data", "rb")
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            return _read(file, limits)
    if hasattr(source, "read"):
        return _read(source, limits)
    msg = f"data is a {type(source).__qualname__}, bytes, a path or a binary file object is needed"
    raise TypeError(msg)


def give(data: bytes, output: Output) -> None:
    """Writes a file whole or not at all, or to a file object.

    Raises:
        OSError: it cannot be written.
        TypeError: `output` is neither.
    """
    if isinstance(output, str | os.PathLike):
        write_atomically(output, data, overwrite=True)
        return
    refuse_text(output, "output", "wb")
    if not hasattr(output, "write"):
        msg = f"output is a {type(output).__qualname__}, a path or a binary file object is needed"
        raise TypeError(msg)
    rest = memoryview(data)
    while rest:
        num_written = output.write(rest)
        rest = rest[len(rest) if num_written is None else num_written :]


def give_picture(picture: Picture, output: Output) -> None:
    """Writes a picture in the format that the ending of a name says, PNG without one; errors as in `give`.

    Raises:
        ValueError: pictures cannot be written in that format.
    """
    from lcrs.pictures.files import FORMATS, picture_file

    name = output if isinstance(output, str | os.PathLike) else getattr(output, "name", None)
    extension = Path(name).suffix.lower() if isinstance(name, str | os.PathLike) else ""
    if (extension or ".png") not in FORMATS:
        msg = f"output ends in '{extension}', one of {' '.join(FORMATS)} is needed"
        raise ValueError(msg)
    data, lost = picture_file(picture, extension or ".png")
    if lost:
        warnings.warn(f"not kept in the {extension} file: {', '.join(lost)}", UserWarning, stacklevel=3)
    give(data, output)


def _read(file: BinaryIO, limits: dict[str, int | None]) -> bytes:
    data = b""
    while (needed := coding.bytes_needed(data, **limits)) > len(data):
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
