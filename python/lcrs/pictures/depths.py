"""Components of other numbers of bits. Loaded only where there are such."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["rescaled"]


def rescaled(pixels: NDArray[Any], bits: int, to: int) -> NDArray[Any]:
    """Components of `bits` bits as such of `to` bits, rounded to nearest; the largest stays that."""
    largest, wanted = (1 << bits) - 1, (1 << to) - 1
    if bits == to:
        return pixels
    scaled = (pixels.astype(np.uint32) * wanted + largest // 2) // largest
    return scaled.astype(np.uint16 if to > 8 else np.uint8)
