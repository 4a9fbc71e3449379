"""How large pictures may be."""

from __future__ import annotations

import os

from lcrs.pictures.errors import PictureError

__all__ = ["MAX_PIXELS", "check_size", "memory_of_machine"]

MAX_PIXELS = 1 << 28
"""Pixels of a picture, unless told otherwise; Pillow by itself warns at a third of it."""

_LARGEST = 1 << 44
"""Bytes of memory that no machine has more of, for one that does not say."""


def check_size(height: int, width: int, max_pixels: int) -> None:
    """Refuses what is too large.

    Raises:
        PictureError: there are more pixels than `max_pixels`.
    """
    num_pixels = height * width
    if num_pixels <= max_pixels:
        return
    if 3 * num_pixels > (memory_of_machine() or _LARGEST):
        # Whatever it holds, it is not to be had here: no advice how to get it.
        problem = f"image claims {width} x {height} pixels, more than this machine has memory for"
        raise PictureError(f"{problem}; {max_pixels} are allowed")
    problem = f"image has {width} x {height} pixels, {max_pixels} are allowed"
    raise PictureError(problem, "max_pixels", num_pixels, "to allow them")


def memory_of_machine() -> int | None:
    """Bytes of memory that this machine has; None where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
