"""Clouds from files and files from clouds: which format is which, and what reads and writes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from lcrs.clouds.cloud import MAX_POINTS, Cloud
from lcrs.clouds.errors import CloudError
from lcrs.coding.files import write_atomically

__all__ = ["ENCODINGS", "FORMATS", "cloud_file", "format_of", "read", "write"]

_MODULES = {
    "ply": "ply",
    "pcd": "pcd",
    "xyz": "xyz",
    "csv": "xyz",
    "npy": "npy",
    "bin": "kitti",
    "las": "las",
    "laz": "las",
    "obj": "meshes",
    "off": "meshes",
    "stl": "meshes",
}
FORMATS = tuple(_MODULES)
"""Names of formats, which are endings of files too."""
_ALSO = {"txt": "xyz"}
_BEGINNINGS = {
    b"ply\n": "ply",
    b"ply\r": "ply",
    b"# .PCD": "pcd",
    b"VERSION ": "pcd",
    b"\x93NUMPY": "npy",
    b"LASF": "las",
    b"OFF": "off",
}
ENCODINGS = {
    "ply": ("binary_little_endian", "binary_big_endian", "ascii"),
    "pcd": ("binary", "ascii", "binary_compressed"),
}
"""Where a format has several forms, their names; the first is written unless another one is asked for."""
_CHUNK = 1 << 24
_MAX_BYTES = 2 << 30
"""Of a cloud that comes from a pipe, which nothing else ends."""


def read(source: Any, *, format: str | None = None, max_points: int | None = None) -> Cloud:
    """The points of a file.

    Args:
        source: a path, the bytes of the file, or an open binary file.
        format: one of `FORMATS`; by default what the first bytes say, or else the ending of the path.
        max_points: how many points are accepted (default: `MAX_POINTS`).

    Returns:
        The cloud, positions and properties in the types that the file has.

    Raises:
        OSError: there is no such file, or it cannot be read.
        CloudError: it is no cloud, damaged, too large, or needs a package that is not installed.
        ValueError: `format` is none.
    """
    data, name = _load(source)
    kind = _known(format) if format is not None else _kind(data, name)
    limit = MAX_POINTS if max_points is None else max_points
    try:
        cloud: Cloud = _function("read", kind)(data, limit)
    except CloudError as error:
        raise CloudError(f"{name}: {error}" if name else str(error)) from None
    return cloud


def write(
    path: str | os.PathLike[str], cloud: Cloud, *, encoding: str | None = None, overwrite: bool = False
) -> list[str]:
    """Writes a cloud, whole or not at all.

    Args:
        path: the file; its ending says the format.
        cloud: what to write.
        encoding: one of `ENCODINGS` of the format; by default the first of them.
        overwrite: whether an existing file may be replaced.

    Returns:
        What of the cloud the format has no place for, each in a few words.

    Raises:
        FileExistsError: the file exists and `overwrite` is false.
        OSError: it cannot be written.
        CloudError: the format cannot hold the positions, or needs a package that is not installed.
        ValueError: the ending says no format, or there is no such encoding.
    """
    data, losses = cloud_file(cloud, format_of(path), encoding)
    write_atomically(path, data, overwrite=overwrite)
    return losses


def cloud_file(cloud: Cloud, format: str, encoding: str | None = None) -> tuple[bytes, list[str]]:
    """The bytes of a file, and what of the cloud it has no place for; arguments and errors as of `write`."""
    kind = _known(format)
    encodings = ENCODINGS.get(kind, ())
    if encoding is not None and encoding not in encodings:
        raise ValueError(f"encoding {encoding!r} of {kind}: there are {', '.join(encodings) or 'none'}")
    writer = _function("write", kind)
    found: tuple[bytes, list[str]] = writer(cloud, encoding or encodings[0]) if encodings else writer(cloud)
    return found


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that the ending of a path says.

    Raises:
        ValueError: it says none.
    """
    ending = Path(path).suffix.lower()
    kind = _ALSO.get(ending[1:], ending[1:])
    if kind not in FORMATS:
        what = f"ends in {ending!r}" if ending else "has no ending"
        raise ValueError(
            f"{os.fspath(path)} {what}: points can be in {', '.join(f'.{kind}' for kind in FORMATS)}"
        )
    return kind


def _known(format: str) -> str:
    kind = format.lower().removeprefix(".")
    kind = _ALSO.get(kind, kind)
    if kind not in FORMATS:
        raise ValueError(f"format {format!r}: there are {', '.join(FORMATS)}")
    return kind


def _load(source: Any) -> tuple[bytes, str]:
    """All bytes of what is to be read, and its name if it has one."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), ""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.is_dir():
            raise IsADirectoryError(21, "is a folder, a file of points is needed", os.fspath(source))
        if not path.exists() or path.is_file():
            return path.read_bytes(), os.fspath(source)
        with path.open("rb") as file:  # a pipe or a device, which may never end
            return _bounded(file), os.fspath(source)
    return _bounded(source), str(getattr(source, "name", ""))


def _bounded(stream: Any) -> bytes:
    """All of a stream, if it ends."""
    parts, length = [], 0
    while part := stream.read(_CHUNK):
        parts.append(part)
        length += len(part)
        if length > _MAX_BYTES:
            raise CloudError(f"more than {_MAX_BYTES} bytes: a cloud that large is read from a file")
    return b"".join(parts)


def _kind(data: bytes, name: str) -> str:
    if ending := next((kind for start, kind in _BEGINNINGS.items() if data.startswith(start)), None):
        return ending
    if not name:
        raise CloudError(
            f"cloud is of no format that is known by its first bytes: pass format=, one of {FORMATS}"
        )
    try:
        return format_of(name)
    except ValueError as error:
        raise CloudError(str(error)) from None


def _function(verb: str, kind: str) -> Callable[..., Any]:
    module = import_module(f"lcrs.clouds.{_MODULES[kind]}")
    function: Callable[..., Any] = getattr(module, f"{verb}_{kind}")
    return function
