"""Files of colours of 16 bits, which Pillow cannot write: PNG, TIFF and PPM."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.pictures.depths import rescaled
from lcrs.pictures.ifd import Entry, resolution_entries, serialized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lcrs.pictures.picture import Picture

__all__ = ["DEEP", "deep_file", "in_colors", "rounded"]

DEEP = {"PNG", "TIFF", "PPM"}
"""Pillow's names of formats that hold 16 bits."""

_STRIP_BYTES = 1 << 18


def deep_file(picture: Picture, name: str, options: dict[str, Any]) -> bytes:
    """The bytes of a file of deep components, RGB or grey, of 16 bits but in PPM, which holds any number of
    them; `options` as Pillow's writers take them.
    """
    if name == "PPM":
        letter, (height, width) = "P5" if picture.channels == 1 else "P6", picture.size
        head = f"{letter}\n{width} {height}\n{(1 << picture.bit_depth) - 1}\n"
        return head.encode() + picture.pixels.astype(">u2").tobytes()
    pixels = rescaled(picture.pixels, picture.bit_depth, 16)
    return _png(pixels, options) if name == "PNG" else _tiff(pixels, options)


def rounded(picture: Picture) -> Picture:
    """The picture with 8 bits a component."""
    samples = rescaled(picture.pixels, picture.bit_depth, 8).tobytes()
    return replace(picture, samples=samples, bit_depth=8)


def in_colors(picture: Picture) -> Picture:
    """The picture in colours, all of them grey if it is that."""
    if picture.channels == 3:
        return picture
    return replace(picture, samples=picture.pixels.repeat(3).tobytes(), channels=3)


def _png(pixels: NDArray[np.uint16], options: dict[str, Any]) -> bytes:
    """All that Pillow writes around the pixels, with these pixels."""
    from PIL import Image

    height, width = pixels.shape[:2]
    buffer = io.BytesIO()
    Image.new("RGB" if pixels.ndim == 3 else "L", (1, 1)).save(buffer, "PNG", **options)
    template = buffer.getvalue()
    samples = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    step = samples.shape[1] // width
    filtered = np.empty((height, 1 + samples.shape[1]), np.uint8)
    filtered[:, 0] = 1  # each byte less the same one of the pixel to the left
    filtered[:, 1 : 1 + step] = samples[:, :step]
    filtered[:, 1 + step :] = samples[:, step:] - samples[:, :-step]
    header = struct.pack(">IIBB", width, height, 16, 2 if pixels.ndim == 3 else 0) + bytes(3)
    new = {b"IHDR": header, b"IDAT": zlib.compress(filtered.tobytes(), options.get("compress_level", 1))}
    data, at = template[:8], 8
    while at < len(template):
        length, chunk = struct.unpack_from(">I4s", template, at)
        content = new.get(chunk, template[at + 8 : at + 8 + length])
        data += struct.pack(">I", len(content)) + chunk + content
        data += struct.pack(">I", zlib.crc32(chunk + content))
        at += 12 + length
    return data


def _tiff(pixels: NDArray[np.uint16], options: dict[str, Any]) -> bytes:
    """A little-endian file of strips, each deflated after every component has become a difference."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    samples = pixels.astype("<u2").reshape(height, width, channels)
    samples[:, 1:] -= samples[:, :-1].copy()
    rows = max(1, _STRIP_BYTES // (2 * width * channels))
    strips = [zlib.compress(samples[at : at + rows].tobytes(), 1) for at in range(0, height, rows)]
    offsets = np.cumsum([8, *(len(strip) for strip in strips)])[:-1].tolist()

    def entry(tag: int, kind: int, *values: int) -> Entry:
        code = {3: "H", 4: "I"}[kind]
        return Entry(tag, kind, len(values), struct.pack(f"<{len(values)}{code}", *values), "<")

    entries = [
        entry(256, 4, width),
        entry(257, 4, height),
        entry(258, 3, *[16] * channels),
        entry(259, 3, 8),  # Adobe's deflate
        entry(262, 3, 2 if channels == 3 else 1),
        entry(273, 4, *offsets),
        entry(277, 3, channels),
        entry(278, 4, rows),
        entry(279, 4, *(len(strip) for strip in strips)),
        entry(317, 3, 2),  # differences
    ]
    if "dpi" in options:
        entries += resolution_entries(options["dpi"], "<")
    if "icc_profile" in options:
        profile = options["icc_profile"]
        entries.append(Entry(34675, 7, len(profile), profile, "<"))
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    start = 8 + len(body)
    return b"II*\0" + struct.pack("<I", start) + body + serialized(entries, "<", start)
