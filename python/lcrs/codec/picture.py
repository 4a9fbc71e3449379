"""A picture and what travels with it. Importing this does not import NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Picture"]


@dataclass(frozen=True)
class Picture:
    """Pixels and what travels with them."""

    pixels: NDArray[np.uint8]
    """(H, W, 3), C-contiguous."""
    icc: bytes | None = None
    """An RGB colour profile, kept and never applied."""
    exif: bytes | None = None
    """An EXIF block from its TIFF header on, its orientation already applied."""
