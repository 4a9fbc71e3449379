"""What an .lcrs file says about itself, without its model."""

from __future__ import annotations

import json
from typing import Any

from lcrs._lcrs import bytes_needed, info_json, metadata, read_not_portable, write_not_portable

__all__ = ["bytes_needed", "info", "metadata", "read_not_portable", "write_not_portable"]

# What people look for comes first.
_FIRST = ("num_bytes", "width", "height", "num_points", "bits_per_point", "model", "quality", "lossless")


def info(
    data: bytes | bytearray | memoryview, *, max_pixels: int | None = None, max_bytes: int | None = None
) -> dict[str, Any]:
    """The header and the sections of an .lcrs file, all checked against their checksums.

    Args:
        data: the whole file.
        max_pixels: of the picture; by default 2^28.
        max_bytes: that the call may hold at a time; by default 2^31.

    Returns:
        Among others `num_bytes, width, height, model, quality, lossless, format_version, entropy_digest,
        synthesis_digest, portable, numerics, shape, dtype`; the digests are the first 16 hexadecimal digits
        that a file holds. `color` and `bit_depth` are None for arrays. Of a `lossless` picture, which has no
        model, `model` is "lossless" and the digests are zeros.
        Of a point cloud `num_bytes, num_points, bits_per_point, model, dtype, lossless, voxel, depth,
        attributes, parts` and others; each part says its bits a point.

    Raises:
        LcrsError: the file is cut off, damaged, or of a later version.
    """
    fields: dict[str, Any] = json.loads(info_json(data, max_pixels=max_pixels, max_bytes=max_bytes))
    return {key: fields[key] for key in _FIRST if key in fields} | fields
