"""What an .lcrs file says about itself, without its model."""

from __future__ import annotations

import json
from typing import Any

from lcrs._lcrs import bytes_needed, info_json, metadata

__all__ = ["bytes_needed", "info", "metadata"]

# What people look for comes first.
_FIRST = ("num_bytes", "width", "height", "model", "quality")


def info(data: bytes | bytearray | memoryview) -> dict[str, Any]:
    """The header and the sections of an .lcrs file, all checked against their checksums.

    Returns:
        Among others ``num_bytes, width, height, model, quality, format_version, entropy_digest,
        synthesis_digest, portable, numerics``; the digests are the first 16 hexadecimal digits that a file
        holds.

    Raises:
        LcrsError: if the file is cut off, damaged, or of a later version.
    """
    fields: dict[str, Any] = json.loads(info_json(data))
    return {key: fields[key] for key in _FIRST} | fields
