"""Layers of PSD files, which Pillow shows with their channels mixed up.

The format is that of Adobe's "Photoshop File Formats Specification", "Layer and Mask Information Section".
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lcrs.pictures.errors import PictureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lcrs.pictures.source import Buffer

    Plane = NDArray[np.uint8]

__all__ = ["count_layers", "read_layer"]

_CHANNELS = {1: (0,), 3: (0, 1, 2)}
"""Numbers of the channels of grey and RGB documents; -1 is what a layer covers."""
_COVER = -1
_EMPTY = 4


@dataclass(frozen=True)
class _Layer:
    """Where a layer lies on the picture, and the places of its channels in the file by their numbers."""

    top: int
    left: int
    size: tuple[int, int]
    places: dict[int, tuple[int, int]]


def count_layers(source: Buffer) -> int:
    """Layers that have an area; 0 if the file is damaged, or has none."""
    try:
        return len(_layers(source))
    except struct.error:
        return 0


def read_layer(source: Buffer, number: int, max_pixels: int) -> Plane:
    """A layer as it lies on the picture, (H, W, 2) or (H, W, 4), transparent where it has no pixels.

    Opacity, masks and blending are of the picture, not of the layer, and left out.

    Args:
        source: the file.
        number: of the layer, from 0, from below.
        max_pixels: that a layer may have.

    Raises:
        PictureError: the layer is damaged, too large or not of 8 bits, grey or RGB.
    """
    height, width, depth, mode = struct.unpack_from(">IIHH", source, 14)
    if depth != 8 or mode not in _CHANNELS:
        raise PictureError("image has layers, which are read if they are RGB or grey of 8 bits")
    layer = _layers(source)[number]
    if layer.size[0] * layer.size[1] > max_pixels:
        raise PictureError(f"image has a layer of {layer.size[1]} x {layer.size[0]} pixels, too many")
    canvas = np.zeros((height, width, len(_CHANNELS[mode]) + 1), np.uint8)
    top, left = max(layer.top, 0), max(layer.left, 0)
    bottom, right = min(layer.top + layer.size[0], height), min(layer.left + layer.size[1], width)
    if top >= bottom or left >= right:
        return canvas
    for at, channel in enumerate((*_CHANNELS[mode], _COVER)):
        if channel in layer.places:
            plane = _plane(source, layer.places[channel], layer.size)
            shown = plane[top - layer.top : bottom - layer.top, left - layer.left : right - layer.left]
            canvas[top:bottom, left:right, at] = shown
        elif channel == _COVER:
            canvas[top:bottom, left:right, at] = 255
        else:
            raise PictureError("image has a layer without all of its colours")
    return canvas


def _layers(source: Buffer) -> list[_Layer]:
    at = 26
    for _ in range(2):  # palette, resources
        at += 4 + struct.unpack_from(">I", source, at)[0]
    section, length = struct.unpack_from(">II", source, at)
    if section < _EMPTY or length < 2:
        return []
    at += 8
    (count,) = struct.unpack_from(">h", source, at)
    at += 2
    found = []
    for _ in range(abs(count)):
        top, left, bottom, right, num_channels = struct.unpack_from(">4iH", source, at)
        at += 18
        channels = [struct.unpack_from(">hI", source, at + 6 * i) for i in range(num_channels)]
        at += 6 * num_channels + 12
        at += 4 + struct.unpack_from(">I", source, at)[0]
        found.append((top, left, (bottom - top, right - left), channels))
    layers = []
    for top, left, size, channels in found:
        places = {}
        for channel, num_bytes in channels:
            places[channel] = at, at + num_bytes
            at += num_bytes
        if min(size) > 0:  # what groups begin and end with has no area
            layers.append(_Layer(top, left, size, places))
    return layers


def _plane(source: Buffer, place: tuple[int, int], size: tuple[int, int]) -> Plane:
    """The components of a channel."""
    from PIL import Image

    at, end = place
    rows, columns = size
    (kind,) = struct.unpack_from(">H", source, at)
    data = bytes(source[at + 2 : end])
    if kind == 1:  # runs, as PackBits has them, after the length of each row
        image = Image.frombytes("L", (columns, rows), data[2 * rows :], "packbits", "L")
        return np.asarray(image)
    if kind in (2, 3):
        data = zlib.decompressobj().decompress(data, rows * columns)
    plane = np.frombuffer(data[: rows * columns], np.uint8)
    if kind > 3 or plane.size < rows * columns:
        raise PictureError("image has a layer that is cut off, or of a kind that is not known here")
    plane = plane.reshape(rows, columns)
    return np.cumsum(plane, axis=1, dtype=np.uint8) if kind == 3 else plane
