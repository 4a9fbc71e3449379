"""Pictures as planes of Y, Cb and Cr for video encoders, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.metrics.squared_error import BT709

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COLORS", "to_planes", "to_rgb"]

COLORS = "YCbCr BT.709 full range, float64, rounded to the nearest of {depth} bits; back the same way"


def to_planes(pixels: NDArray[np.uint8], *, subsampled: bool, depth: int = 8) -> list[NDArray[Any]]:
    """Y, Cb and Cr.

    Args:
        pixels: (H, W, 3).
        subsampled: Whether chroma is 4:2:0: means of 2 x 2 samples, a last odd one stands for itself.
        depth: Bits of a sample.

    Returns:
        Three arrays (H, W), two of them of half the sides if subsampled; uint8, or uint16 above 8 bits.
    """
    peak = 2**depth - 1
    ycc = (pixels.astype(np.float64) / 255) @ BT709.T
    ycc[..., 1:] += 2 ** (depth - 1) / peak
    planes = [ycc[..., at] for at in range(3)]
    if subsampled:
        planes[1:] = [_halved(plane) for plane in planes[1:]]
    kind = np.uint8 if depth <= 8 else np.uint16
    return [np.rint(np.clip(plane, 0, 1) * peak).astype(kind) for plane in planes]


def to_rgb(planes: list[NDArray[Any]], depth: int = 8) -> NDArray[np.uint8]:
    """(H, W, 3) of planes as `to_planes` makes them; subsampled chroma is repeated."""
    peak = 2**depth - 1
    height, width = planes[0].shape
    full = [planes[0].astype(np.float64)]
    for plane in planes[1:]:
        is_half = plane.shape != (height, width)
        grown = plane.repeat(2, axis=0).repeat(2, axis=1)[:height, :width] if is_half else plane
        full.append(grown.astype(np.float64) - 2 ** (depth - 1))
    rgb = np.stack(full, axis=2) / peak @ np.linalg.inv(BT709).T
    return np.asarray(np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8))


def _halved(plane: NDArray[Any]) -> NDArray[Any]:
    padded = np.pad(plane, [(0, side % 2) for side in plane.shape], mode="edge")
    height, width = padded.shape
    return np.asarray(padded.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)))
