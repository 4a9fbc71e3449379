"""The bytes that a Pillow image comes from, where it still knows them: headers say what Pillow leaves out."""

from __future__ import annotations

import contextlib
import io
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Buffer", "avif_properties", "jpeg2000_bits", "png_chunks", "reopened", "source_of", "tiles_of"]

Buffer = bytes | mmap.mmap

_BOXES = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""Boxes of AVIF files that hold others, with the bytes of their own that come before these."""


def source_of(image: Image.Image) -> Buffer | None:
    """The whole file that an image was opened from; None if that is closed and has no name, or is gone."""
    stream = getattr(image, "fp", None)
    if stream is None and image.format == "PSD":
        stream = getattr(image, "_fp", None)  # stays open for the layers
    # Once read, the stream of an AVIF image holds its pixels.
    if stream is not None and (image.format != "AVIF" or tiles_of(image)):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            at = stream.tell()
            stream.seek(0)
            data = bytes(stream.read())
            stream.seek(at)
            return data
    name = getattr(image, "filename", "")
    with contextlib.suppress(OSError, ValueError, TypeError):
        if name and Path(name).is_file():
            with Path(name).open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return None


def reopened(image: Image.Image, source: Buffer) -> Image.Image:
    """The image as it was before anything was read, at the same frame."""
    from PIL import Image as Images

    again = Images.open(io.BytesIO(bytes(source)), formats=[image.format] if image.format else None)
    if frame := getattr(image, "tell", lambda: 0)():
        again.seek(frame)
    return again


def png_chunks(source: Buffer) -> dict[bytes, bytes]:
    """The first chunk of each name before the pixels."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at + 8 <= len(source):
        length, name = struct.unpack_from(">I4s", source, at)
        if name == b"IDAT" or at + 12 + length > len(source):
            break
        chunks.setdefault(name, source[at + 8 : at + 8 + length])
        at += 12 + length
    return chunks


def jpeg2000_bits(source: Buffer) -> int:
    """Bits of the deepest component of a JPEG 2000 file; 8 if it does not say."""
    at = source.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 42 > len(source):
        return 8
    (components,) = struct.unpack_from(">H", source, at + 40)
    depths = source[at + 42 : at + 42 + 3 * components : 3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=8)


def avif_properties(source: Buffer) -> tuple[int, tuple[int, int, int, bool] | None]:
    """Bits of a component of an AVIF file, and what its components mean as colours, if it says so."""
    bits, cicp = 8, None
    for name, content in _properties(source, 0, len(source)):
        if name == b"av1C" and len(content) >= 3:
            bits = max(bits, (12 if content[2] & 0x20 else 10) if content[2] & 0x40 else 8)
        elif name == b"colr" and content[:4] == b"nclx" and len(content) >= 10 and cicp is None:
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            if max(primaries, transfer) < 256:
                cicp = (primaries, transfer, 0, True)
    return bits, cicp


def _properties(source: Buffer, at: int, end: int, depth: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """The boxes in the list of properties."""
    while at + 8 <= end:
        length, name = struct.unpack_from(">I4s", source, at)
        length = length or end - at
        if length < 8 or at + length > end:
            return
        if name in _BOXES and depth < 3:
            yield from _properties(source, at + 8 + _BOXES[name], at + length, depth + 1)
        elif depth == 3:
            yield name, source[at + 8 : at + length]
        at += length


def tiles_of(image: Any) -> list[Any]:
    """What is still to be decoded of an image."""
    return list(getattr(image, "tile", ()) or ())
