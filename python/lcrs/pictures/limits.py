"""How large pictures may be."""

from __future__ import annotations

from lcrs.pictures.errors import PictureError

__all__ = ["MAX_PIXELS", "check_size"]

MAX_PIXELS = 1 << 28
"""Pixels of a picture, unless told otherwise; Pillow by itself warns at a third of it."""


def check_size(height: int, width: int, max_pixels: int) -> None:
    """Refuses what is too large.

    Raises:
        PictureError: there are more pixels than `max_pixels`.
    """
    if height * width > max_pixels:
        problem = f"image has {width} x {height} pixels, {max_pixels} are allowed"
        raise PictureError(problem, "max_pixels", height * width, "to allow them")
