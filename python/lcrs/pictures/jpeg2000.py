"""JPEG 2000 files: the boxes around the pixels, which Pillow leaves out, and pictures of more than 8 bits.

Boxes are those of ITU-T T.800, annex I; EXIF, XMP and IPTC go by the identifiers that Adobe's programs and
exiftool use.
"""

from __future__ import annotations

import importlib
import io
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lcrs.pictures.picture import Picture
    from lcrs.pictures.source import Buffer

__all__ = ["holds_deep", "jpeg2000_file", "jpeg2000_metadata", "without_profile"]

_PARTS = {
    "exif": b"JpgTiffExif->JP2",
    "xmp": bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),
    "iptc": bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"),
}
_ANY_PROFILE = 2, 3
"""Methods of a colour box that give an ICC profile: of a restricted kind, and of any."""
_SRGB = struct.pack(">3BI", 1, 0, 0, 16)
"""A colour box that says sRGB."""
_INCHES_A_METRE = 39.3700787


def jpeg2000_metadata(source: Buffer) -> dict[str, bytes]:
    """`icc`, `exif`, `xmp` and `iptc`, as far as a file has them."""
    found: dict[str, bytes] = {}
    for name, at, end in _boxes(source, 0, len(source)):
        if name == b"jp2h":
            for inner, start, stop in _boxes(source, at, end):
                if inner == b"colr" and stop - start > 3 and source[start] in _ANY_PROFILE:
                    found.setdefault("icc", bytes(source[start + 3 : stop]))
        elif name == b"uuid":
            for kind, identifier in _PARTS.items():
                if source[at : at + 16] == identifier:
                    found.setdefault(kind, bytes(source[at + 16 : end]))
    return {kind: data for kind, data in found.items() if data}


def without_profile(source: Buffer) -> bytes:
    """The file without its ICC profile, which a decoder would convert the colours by."""

    def header(at: int, end: int) -> Iterator[bytes]:
        for name, start, stop in _boxes(source, at, end):
            has_profile = name == b"colr" and stop > start and source[start] in _ANY_PROFILE
            yield _box(name, _SRGB if has_profile else bytes(source[start:stop]))

    boxes = list(_boxes(source, 0, len(source)))
    if not boxes:
        return bytes(source)  # bare pixels
    parts = (
        _box(name, b"".join(header(at, end)) if name == b"jp2h" else bytes(source[at:end]))
        for name, at, end in boxes
    )
    return b"".join(parts)


def holds_deep(picture: Picture) -> bool:
    """Whether a picture of more than 8 bits can be written whole here."""
    return find_spec("imagecodecs") is not None or (picture.channels == 1 and picture.bit_depth == 16)


def jpeg2000_file(picture: Picture, kept: dict[str, Any]) -> bytes:
    """The bytes of a lossless .jp2 file.

    Args:
        picture: of 8 bits a component, or of what `holds_deep` says.
        kept: what travels along, by the names of `lcrs.pictures.Metadata`.
    """
    if picture.bit_depth > 8 and find_spec("imagecodecs") is not None:
        imagecodecs = importlib.import_module("imagecodecs")
        options = {"codecformat": "jp2", "reversible": True, "bitspersample": picture.bit_depth}
        plain = bytes(imagecodecs.jpeg2k_encode(picture.pixels, 0, **options))
    else:
        buffer = io.BytesIO()
        picture.to_pillow().save(buffer, "JPEG2000", mct=int(picture.channels == 3))
        plain = buffer.getvalue()
    return b"".join(_with(plain, kept))


def _with(plain: bytes, kept: dict[str, Any]) -> Iterator[bytes]:
    """The boxes of a file, with those that say what travels along."""
    for name, at, end in _boxes(plain, 0, len(plain)):
        content = plain[at:end]
        if name == b"jp2h":
            content = b"".join(_header(content, kept))
        yield _box(name, content)
        if name == b"jp2h":  # the pixels come after it
            for kind, identifier in _PARTS.items():
                if kind in kept:
                    yield _box(b"uuid", identifier + kept[kind])


def _header(header: bytes, kept: dict[str, Any]) -> Iterator[bytes]:
    for name, at, end in _boxes(header, 0, len(header)):
        if name == b"colr" and "icc" in kept:
            yield _box(name, bytes([2, 0, 0]) + kept["icc"])
        else:
            yield _box(name, header[at:end])
    if "resolution" in kept:
        across, down = (_a_metre(number) for number in kept["resolution"])
        # Down comes first: both as fractions, then both exponents of ten.
        yield _box(b"res ", _box(b"resc", struct.pack(">4H2B", *down, *across, 0, 0)))


def _a_metre(an_inch: float) -> tuple[int, int]:
    """A fraction of two 16-bit numbers: pixels a metre of pixels an inch."""
    number = an_inch * _INCHES_A_METRE
    below = max(1, min(65_535, int(65_535 / number)))
    return max(1, min(65_535, round(number * below))), below


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _boxes(source: Buffer, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The name of each box, and where its content begins and ends; what is damaged ends the list."""
    while at + 8 <= end:
        length, name = struct.unpack_from(">I4s", source, at)
        start = at + 8
        if length == 1 and at + 16 <= end:
            (length,) = struct.unpack_from(">Q", source, start)
            start += 8
        stop = at + length if length else end
        if stop < start or stop > end:
            return
        yield name, start, stop
        at = stop
