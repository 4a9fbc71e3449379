"""Colour spaces: an ICC profile for what PNG and AVIF say in numbers, and the way to sRGB."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from lcrs.pictures.errors import NO_INKS, PictureError

if TYPE_CHECKING:
    from PIL import Image

    from lcrs.pictures.picture import Metadata

__all__ = ["profile_of", "to_srgb"]

_D50 = (0.9642, 1.0, 0.8249)
_D65 = (0.3127, 0.3290)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
# ITU-T H.273, tables 2 and 3: white, red, green, blue; exponent, or (gamma, a, b, c, d) of ICC's function 3.
_PRIMARIES = {
    1: (_D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    12: (_D65, (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
}
_VIDEO = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_TRANSFERS: dict[int, tuple[float, ...]] = {
    1: _VIDEO,
    4: (2.2,),
    5: (2.8,),
    6: _VIDEO,
    8: (1.0,),
    13: (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    14: _VIDEO,
    15: _VIDEO,
}

_Matrix = tuple[tuple[float, ...], ...]


def profile_of(metadata: Metadata) -> bytes | None:
    """The ICC profile of a picture: its own, or one made of what it says of its colours otherwise.

    None for sRGB, and for what no profile of this kind can say (the light of PQ and HLG).
    """
    if metadata.cicp is not None:
        primaries, transfer, matrix, is_full_range = metadata.cicp
        if primaries in _PRIMARIES and transfer in _TRANSFERS and matrix == 0 and is_full_range:
            return _profile(_PRIMARIES[primaries], _TRANSFERS[transfer])
        return metadata.icc
    if metadata.icc is not None or (metadata.gamma is None and metadata.chromaticities is None):
        return metadata.icc
    curve = (100_000 / metadata.gamma,) if metadata.gamma else _TRANSFERS[13]
    corners = _PRIMARIES[1]
    if xy := metadata.chromaticities:
        x, y = ([number / 100_000 for number in xy[start::2]] for start in (0, 1))
        corners = tuple(zip(x, y, strict=True))  # type: ignore[assignment]
    try:
        return _profile(corners, curve)
    except (ZeroDivisionError, struct.error):
        return None  # these are no corners of a triangle


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in sRGB, converted by LittleCMS.

    Args:
        image: of 8 bits, without alpha: L, RGB, CMYK or LAB.
        profile: what its numbers mean. LAB needs none; without one, L and RGB are sRGB.

    Raises:
        PictureError: there is no profile for CMYK, or it does not fit.
    """
    from PIL import ImageCms

    srgb = ImageCms.createProfile("sRGB")
    if image.mode == "LAB":
        source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    elif profile is None:
        if image.mode == "CMYK":
            raise PictureError(NO_INKS)
        return image.convert("RGB")
    else:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except (OSError, ImageCms.PyCMSError) as error:
            raise PictureError(f"image has a damaged colour profile: {error}") from error
    try:
        converted = ImageCms.profileToProfile(
            image, source, srgb, ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except ImageCms.PyCMSError as error:
        raise PictureError(
            f"image has a colour profile that does not fit mode {image.mode}: {error}"
        ) from error
    assert converted is not None
    return converted


def _profile(corners: tuple[tuple[float, float], ...], curve: tuple[float, ...]) -> bytes:
    """A matrix and curve profile, ICC.1 version 4."""
    columns = _adapted_columns(*corners)
    kind, numbers = (3, curve) if len(curve) > 1 else (0, curve)
    parametric = b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, numbers))
    tags = {
        b"desc": _text("RGB"),
        b"cprt": _text("CC0"),
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(columns[0]),
        b"gXYZ": _xyz(columns[1]),
        b"bXYZ": _xyz(columns[2]),
        b"rTRC": parametric,
        b"gTRC": parametric,
        b"bTRC": parametric,
    }
    table, body, places = struct.pack(">I", len(tags)), b"", {}
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", places[data], len(data))
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    return (header + b"".join(map(_fixed, _D50))).ljust(128, b"\0") + table + body


def _adapted_columns(
    white: tuple[float, float],
    red: tuple[float, float],
    green: tuple[float, float],
    blue: tuple[float, float],
) -> list[tuple[float, ...]]:
    """XYZ of red, green and blue under D50, by Bradford's adaptation."""
    to_xyz = [_from_xy(*corner) for corner in (red, green, blue)]
    target = _from_xy(*white)
    rows: _Matrix = tuple(zip(*to_xyz, strict=True))
    amounts = _solved(rows, target)
    have, want = _times(_BRADFORD, target), _times(_BRADFORD, _D50)
    columns = []
    for corner, amount in zip(to_xyz, amounts, strict=True):
        cone = _times(_BRADFORD, tuple(amount * part for part in corner))
        scaled = tuple(part * b / a for part, a, b in zip(cone, have, want, strict=True))
        columns.append(_solved(_BRADFORD, scaled))
    return columns


def _from_xy(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


def _times(matrix: _Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def _solved(matrix: _Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    """X of matrix * x = vector, by Cramer's rule."""

    def determinant(m: _Matrix) -> float:
        (a, b, c), (d, e, f), (g, h, i) = m
        return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)

    def replaced(column: int) -> _Matrix:
        return tuple(
            tuple(v if i == column else part for i, part in enumerate(row))
            for row, v in zip(matrix, vector, strict=True)
        )

    whole = determinant(matrix)
    return tuple(determinant(replaced(column)) / whole for column in range(3))


def _fixed(number: float) -> bytes:
    return struct.pack(">i", round(number * 65536))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(data), 28) + data
