"""Pictures of more than 8 bits a component, read without losing any.

Pillow has no mode for deep colours: it keeps their high bytes. Its decoders are used all the same, twice:
told that the numbers of a file lie in the other byte order, they keep the low bytes. What they cannot do at
all is read here (PPM, SGI) or by imagecodecs (JPEG 2000, AVIF, planes of TIFF), if that is installed.
"""

from __future__ import annotations

import importlib
import io
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.pictures.errors import PictureError
from lcrs.pictures.jpeg2000 import without_profile
from lcrs.pictures.source import Buffer, reopened, tiles_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    Deep = NDArray[np.uint16]

__all__ = ["deep_grey", "read_deep"]

_SGI_HEADER = 512
_PROBE = bytes([1, 2, 3, 4, 5, 6])


def read_deep(image: Image.Image, source: Buffer, bits: int) -> Deep:
    """The components of an image that Pillow would cut to 8 bits, before its orientation is applied.

    Args:
        image: the image, or another one of the same source that has been read already.
        source: the file that it comes from.
        bits: how many bits a component has.

    Returns:
        (H, W, C): 1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha.

    Raises:
        PictureError: the file is cut off, or nothing here reads its format.
    """
    fresh = reopened(image, source)
    if fresh.format == "HEIF":
        return _read_by_pillow_heif(source, fresh.tell(), bits)
    decoder, arguments = tiles_of(fresh)[0][0], tiles_of(fresh)[0][3]
    if decoder in ("ppm", "ppm_plain"):
        return _read_ppm(fresh, source, plain=decoder == "ppm_plain")
    if decoder in ("SGI16", "sgi_rle"):
        return _read_sgi(fresh, source, runs=decoder == "sgi_rle")
    if fresh.format in ("JPEG2000", "AVIF") or _is_planar(fresh):
        return _read_by_imagecodecs(fresh, source, bits)
    rawmode = arguments if isinstance(arguments, str) else arguments[0]
    if rawmode == "LA;16B":
        # Four bytes a pixel are what 8-bit RGBA has, too.
        pixels = _decoded(fresh, "RGBA", "LA;16B", "RGBA")
        return pixels.view(">u2").astype(np.uint16)
    return _read_twice(image, source, rawmode)


def _read_twice(image: Image.Image, source: Buffer, rawmode: str) -> Deep:
    from PIL import Image as Images

    if Images.frombytes("RGB", (1, 1), _PROBE, "raw", "RGB;16L").tobytes() != _PROBE[1::2]:
        raise PictureError("image has 16 bits a component, which this version of Pillow does not give away")
    bands, _, order = rawmode.partition(";16")
    if order not in ("B", "L", "N") or bands not in ("RGB", "RGBA", "RGBX", "RGBa"):
        raise PictureError(f"image has deep components as {rawmode}, which cannot be read here")
    is_big = order == "B" or (order == "N" and sys.byteorder == "big")
    # Pillow would divide by the alpha of these, byte by byte.
    plain = "RGBA" if bands == "RGBa" else bands
    high, low = (
        _decoded(reopened(image, source), "RGB" if plain == "RGBX" else plain, rawmode, f"{plain};16{letter}")
        for letter in ("BL" if is_big else "LB")
    )
    deep: Deep = high.astype(np.uint16) * np.uint16(256) + low
    return _straight(deep) if bands == "RGBa" else deep


def _decoded(fresh: Any, mode: str, rawmode: str, instead: str) -> NDArray[np.uint8]:
    """What Pillow decodes when told another mode of the bytes."""
    tiles: list[Any] = []
    for tile in tiles_of(fresh):
        arguments = instead if isinstance(tile[3], str) else (instead, *tile[3][1:])
        if (tile[3] if isinstance(tile[3], str) else tile[3][0]) != rawmode:
            raise PictureError(f"image mixes {rawmode} with {tile[3]}, which cannot be read here")
        tiles.append(tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments))
    fresh.tile = tiles
    fresh._mode = mode
    fresh.load()
    return np.asarray(fresh)


def _straight(deep: Deep) -> Deep:
    """Colours that were multiplied by their alpha, divided by it."""
    alpha = np.maximum(deep[..., 3:], 1).astype(np.uint32)
    colors = np.minimum((deep[..., :3].astype(np.uint32) * 65535 + alpha // 2) // alpha, 65535)
    return np.concatenate([colors.astype(np.uint16), deep[..., 3:]], axis=2)


def _read_ppm(fresh: Image.Image, source: Buffer, *, plain: bool) -> Deep:
    """Components scaled to 16 bits, unless they fill another number of bits."""
    _, _, offset, (rawmode, largest) = tiles_of(fresh)[0]
    shape = (fresh.height, fresh.width, len(rawmode))
    count = shape[0] * shape[1] * shape[2]
    if plain:
        lines = [line.partition(b"#")[0] for line in source[offset:].splitlines()]
        words = b" ".join(lines).split()[:count]
        try:
            values = np.array(words, dtype="S10").astype(np.int64)
        except ValueError:
            raise PictureError("image has components that are no numbers") from None
    else:
        values = np.frombuffer(source[offset : offset + 2 * count], ">u2").astype(np.int64)
    if values.size < count:
        raise PictureError(f"image is cut off: it has {values.size} of {count} components")
    values = np.clip(values[:count], 0, largest).reshape(shape)
    if largest & (largest + 1):
        values = (values * 65535 + largest // 2) // largest
    return values.astype(np.uint16)


def _read_sgi(fresh: Image.Image, source: Buffer, *, runs: bool) -> Deep:
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[fresh.mode]
    height, width = fresh.height, fresh.width
    rows = height * channels
    if runs:
        tables = np.frombuffer(source[_SGI_HEADER : _SGI_HEADER + 8 * rows], ">u4")
        if tables.size < 2 * rows:
            raise PictureError("image is cut off in its table of rows")
        starts, lengths = tables[:rows].tolist(), tables[rows:].tolist()
        planes = np.stack([_sgi_row(source, a, n, width) for a, n in zip(starts, lengths, strict=True)])
    else:
        planes = np.frombuffer(source[_SGI_HEADER : _SGI_HEADER + 2 * rows * width], ">u2")
        if planes.size < rows * width:
            raise PictureError(f"image is cut off: it has {planes.size} of {rows * width} components")
    # Rows come from the bottom.
    upright: Deep = planes.astype(np.uint16).reshape(channels, height, width)[:, ::-1].transpose(1, 2, 0)
    return upright


def _sgi_row(source: Buffer, start: int, length: int, width: int) -> NDArray[np.uint16]:
    words = np.frombuffer(source[start : start + length - length % 2], ">u2")
    row = np.zeros(width, np.uint16)
    at = filled = 0
    while at < words.size and filled < width:
        count = min(int(words[at]) & 0x7F, width - filled)
        if count == 0:
            break
        if words[at] & 0x80:
            values = words[at + 1 : at + 1 + count]
            at += 1 + count
        else:
            values = words[at + 1 : at + 2].repeat(count)
            at += 2
        row[filled : filled + values.size] = values
        filled += values.size
    if filled < width:
        raise PictureError(f"image is cut off: a row has {filled} of {width} components")
    return row


def _read_by_imagecodecs(fresh: Image.Image, source: Buffer, bits: int) -> Deep:
    if find_spec("imagecodecs") is None:
        problem = f"image has {bits} bits a component, which Pillow cuts to 8: pip install imagecodecs"
        raise PictureError(problem)
    imagecodecs = importlib.import_module("imagecodecs")
    decoded: NDArray[Any]
    try:
        if fresh.format == "AVIF":
            decoded = imagecodecs.avif_decode(bytes(source), index=fresh.tell())
        elif fresh.format == "TIFF":
            decoded = imagecodecs.tiff_decode(bytes(source), index=fresh.tell())
        else:
            decoded = imagecodecs.jpeg2k_decode(without_profile(source))
    except Exception as error:  # its own kinds, one for each codec
        raise PictureError(f"image cannot be decoded: {error}") from error
    if _is_planar(fresh) and decoded.ndim == 3 and decoded.shape[1:] == (fresh.height, fresh.width):
        decoded = decoded.transpose(1, 2, 0)
    decoded = decoded[..., None] if decoded.ndim == 2 else decoded
    if decoded.dtype.kind not in "iu" or decoded.ndim != 3 or decoded.shape[2] > 4:
        raise PictureError(f"image has components {decoded.dtype} {decoded.shape}, which are no picture")
    if decoded.dtype.kind == "i":
        decoded = decoded.astype(np.int64) + (1 << bits - 1)
    return decoded.astype(np.uint16)


def _is_planar(image: Any) -> bool:
    """Whether a TIFF file keeps each component apart, which Pillow's decoders read in a way of their own."""
    return image.format == "TIFF" and bool(image.tag_v2.get(284) == 2)


def _read_by_pillow_heif(source: Buffer, frame: int, bits: int) -> Deep:
    """What pillow-heif has moved to the high bits of 16."""
    import pillow_heif  # type: ignore[import-not-found, unused-ignore]

    found = pillow_heif.open_heif(io.BytesIO(bytes(source)), convert_hdr_to_8bit=False)[frame]
    bands = {"RGB;16": 3, "RGBA;16": 4, "I;16": 1, "L;16": 1}.get(found.mode)
    if bands is None:
        raise PictureError(f"image has deep components as {found.mode}, which cannot be read here")
    rows = np.frombuffer(bytes(found.data), np.uint16).reshape(found.size[1], -1)
    pixels: Deep = rows[:, : found.size[0] * bands].reshape(found.size[1], found.size[0], bands)
    return np.right_shift(pixels, 16 - bits).astype(np.uint16)


def deep_grey(image: Image.Image, bits: int) -> Deep:
    """The values of a grey picture that Pillow holds in 16 or 32 bits, as `bits` bits.

    Raises:
        PictureError: they are not from 0 to 65535.
    """
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        problem = f"image has values from {values.min()} to {values.max()}, 0 to 65535 is needed"
        raise PictureError(problem)
    values = values.astype(np.uint16)
    if image.format == "JPEG2000":
        values >>= 16 - bits  # Pillow moves them to the high bits
    tags = getattr(image, "tag_v2", {})
    if image.format == "TIFF" and tags.get(262) == 0:
        values = np.uint16((1 << bits) - 1) - values  # white is 0, which Pillow leaves so
    return values[..., None]
