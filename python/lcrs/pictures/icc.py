"""Colour profiles as files carry them: whether all of one is there.

The layout is that of ICC.1 (profile version 4.4), section 7: a header of 128 bytes, a table of tags, their
data.
"""

from __future__ import annotations

import struct

__all__ = ["color_space", "is_whole"]

_HEADER = 128
_SIGNATURE = b"acsp"
_ENTRY = 12
"""Bytes of an entry of the table: a name, where the data begin, how many there are."""


def is_whole(profile: bytes) -> bool:
    """Whether the profile has the length that its header says, and all its tags lie in it.

    Bytes after its end, which some programs pad it with, do no harm.
    """
    if len(profile) < _HEADER + 4 or profile[36:40] != _SIGNATURE:
        return False
    (size,), (count,) = struct.unpack_from(">I", profile), struct.unpack_from(">I", profile, _HEADER)
    end = _HEADER + 4 + _ENTRY * count
    if not count or not end <= size <= len(profile):
        return False
    entries = struct.iter_unpack(">4xII", profile[_HEADER + 4 : end])
    return all(end <= start and start + length <= size for start, length in entries)


def color_space(profile: bytes) -> bytes:
    """The colours that the profile is for: `b"RGB "`, `b"GRAY"`, `b"CMYK"`, and others."""
    return bytes(profile[16:20])
