"""Opening picture files: what they are is told from their first bytes, before anything is decoded."""

from __future__ import annotations

import importlib
import io
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from lcrs.pictures.errors import PictureError
from lcrs.pictures.limits import MAX_PIXELS, check_size

__all__ = ["buffered", "open_image"]

_HEAD = 64
_PROBE = 1 << 16
"""Bytes that say whether what comes from a pipe may be a picture at all."""
_CHUNK = 1 << 24
_MAX_BYTES = 2 << 30
"""Of a picture that comes from a pipe, which nothing else ends: more than 2^28 pixels of 16 bits need."""
_LCRS = b"\x8cLCS"
_KINDS = {
    b"\x89PNG": "PNG",
    b"\xff\xd8": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "WebP",
    b"8BPS": "PSD",
    b"BM": "BMP",
    b"%PDF": "PDF",
    b"<svg": "SVG",
}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}


def open_image(source: Any, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """A picture file, its pixels not yet read.

    Args:
        source: a path, the bytes of the file, or an open binary file.
        max_pixels: how many pixels are accepted.

    Raises:
        OSError: there is no such file, or it cannot be read.
        PictureError: it is no picture, damaged, or too large.
    """
    image = _open(source, max_pixels)
    try:
        check_size(image.height, image.width, max_pixels)
    except PictureError:
        image.close()
        raise
    return image


def buffered(stream: Any) -> io.BytesIO:
    """All of a stream that cannot be read twice, if it begins as a picture does.

    Raises:
        OSError: it cannot be read.
        PictureError: no picture begins so, or it does not end.
    """
    buffer = io.BytesIO()
    while chunk := stream.read(_PROBE if (length := buffer.tell()) < _PROBE else _CHUNK):
        buffer.write(chunk)
        if length < _PROBE <= buffer.tell():
            _refuse_no_picture(buffer.getvalue())
        if buffer.tell() > _MAX_BYTES:
            raise PictureError(f"more than {_MAX_BYTES} bytes: a picture that large is read from a file")
    buffer.seek(0)
    return buffer


def _refuse_no_picture(head: bytes) -> None:
    """Raises `PictureError` if no reader that there is takes a file which begins so."""
    Image.init()
    undecided = []
    for name in Image.ID:
        accept = Image.OPEN[name][1]
        if accept is None:
            undecided.append(name)
        elif accept(head[:16]):
            return
    try:
        Image.open(io.BytesIO(head), formats=undecided)
    except UnidentifiedImageError:
        if not _plugin_for(head):
            raise PictureError(_what_it_is(head)) from None
    except Exception:  # one of them knows it, and will say what is wrong
        return


def _open(source: Any, max_pixels: int) -> Image.Image:
    stream: Any = source
    if isinstance(source, (bytes, bytearray, memoryview)):
        stream = io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        stream = Path(source)
        if stream.is_dir():
            raise IsADirectoryError(21, "is a folder, a picture is needed", os.fspath(source))
        if stream.exists() and not stream.is_file():  # a pipe, which gives its bytes once
            with stream.open("rb") as file:
                stream = buffered(file)
    elif not stream.seekable():
        stream = buffered(stream)
    if (head := _head(stream)).startswith(_LCRS):
        raise PictureError(_what_it_is(head))  # though Pillow may know the format, by `lcrs.pillow`
    try:
        return _by_pillow(stream, max_pixels)
    except UnidentifiedImageError:
        if plugin := _plugin_for(head):
            return _by_plugin(stream, max_pixels, *plugin)
        raise PictureError(_what_it_is(head)) from None


def _by_pillow(stream: Any, max_pixels: int) -> Image.Image:
    """What Pillow makes of a file. It has a limit of its own, which belongs to the whole program."""
    try:
        return Image.open(stream)
    except UnidentifiedImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = Image.MAX_IMAGE_PIXELS
        problem = f"image is too large: {max_pixels} pixels are allowed here, fewer by Pillow"
        raise PictureError(f"{problem} (PIL.Image.MAX_IMAGE_PIXELS = {limit})") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise all sorts of things on damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise PictureError(f"image cannot be read: {error}") from error


def _head(stream: Any) -> bytes:
    if isinstance(stream, Path):
        with stream.open("rb") as file:
            return file.read(_HEAD)
    stream.seek(0)
    head = bytes(stream.read(_HEAD))
    stream.seek(0)
    return head


def _plugin_for(head: bytes) -> tuple[str, str, str] | None:
    """Kind of file, module that brings Pillow a reader for it, and its package."""
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return "HEIC", "pillow_heif", "pillow-heif"
    if head[:2] == b"\xff\x0a" or head[4:12] == b"JXL \r\n\x87\n":
        return "JPEG XL", "pillow_jxl", "pillow-jxl-plugin"
    return None


def _by_plugin(stream: Any, max_pixels: int, kind: str, module: str, package: str) -> Image.Image:
    if find_spec(module) is None:
        raise PictureError(f"image is {kind}, which Pillow reads with a plugin: pip install {package}")
    plugin = importlib.import_module(module)
    if hasattr(plugin, "register_heif_opener"):
        plugin.register_heif_opener()
    if not isinstance(stream, Path):
        stream.seek(0)
    try:
        return _by_pillow(stream, max_pixels)
    except UnidentifiedImageError:
        raise PictureError(f"image is {kind}, but damaged") from None


def _what_it_is(head: bytes) -> str:
    if not head:
        return "image is empty: it has 0 bytes"
    if head.startswith(_LCRS):
        return "image is an .lcrs file already: it is decoded, not encoded"
    for start, kind in _KINDS.items():
        if head.startswith(start):
            return f"image is {kind}, but damaged or of a kind that Pillow does not read"
    return "image is of no format that Pillow knows"
