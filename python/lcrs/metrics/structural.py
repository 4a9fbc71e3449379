"""SSIM (Wang et al. 2004) and MS-SSIM (Wang, Simoncelli and Bovik 2003) by NumPy alone.

The window is a Gaussian of 11 taps and sigma 1.5; only whole windows count. Scales are halved by the mean of
2 x 2 samples, where an odd side has a zero at both ends, as pytorch-msssim has it: so the numbers are those
that the field prints.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.metrics.squared_error import peak_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MIN_SIDE_MS_SSIM", "MIN_SIDE_SSIM", "decibels", "ms_ssim", "ssim", "structure"]

WINDOW = 11
SIGMA = 1.5
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, from the finest; Wang, Simoncelli and Bovik 2003."""
K1, K2 = 0.01, 0.03
MIN_SIDE_SSIM = WINDOW
MIN_SIDE_MS_SSIM = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1

_BAND = 16
"""Rows of the map that are made at a time, so that all that belongs to them stays in a cache."""


def taps() -> NDArray[np.float64]:
    """The window in one direction: (WINDOW,), of sum 1."""
    at = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(at**2) / (2 * SIGMA**2))
    return np.asarray(weights / weights.sum())


def ssim(a: NDArray[Any], b: NDArray[Any], peak: float | None = None) -> float:
    """The structural similarity, the mean over components.

    Args:
        a: (H, W, C) or (H, W), sides of `MIN_SIDE_SSIM` or more.
        b: Of the same shape.
        peak: As in `lcrs.metrics.squared_error`.

    Raises:
        ValueError: shapes or types do not fit, or a side is too short.
    """
    return structure(a, b, peak, num_scales=1)[0]


def ms_ssim(a: NDArray[Any], b: NDArray[Any], peak: float | None = None) -> float:
    """The multi-scale structural similarity, the mean over components; sides `MIN_SIDE_MS_SSIM` or more.

    Arguments and errors are those of `ssim`.
    """
    return structure(a, b, peak, num_scales=len(WEIGHTS))[1]


def decibels(similarity: float) -> float:
    """`-10 log10(1 - similarity)`, which spreads what is near 1; infinite at 1."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


def structure(a: NDArray[Any], b: NDArray[Any], peak: float | None, num_scales: int) -> tuple[float, float]:
    """SSIM, and MS-SSIM where there are as many scales as it has (else 0): the first is a part of it."""
    peak = peak_of(a, b) if peak is None else peak
    least = (WINDOW - 1) * 2 ** (num_scales - 1) + 1
    if min(a.shape[:2]) < least or a.shape != b.shape:
        msg = f"the shapes are {a.shape} and {b.shape}, two equal ones with sides from {least} on are needed"
        raise ValueError(msg)
    single, multiple = [], []
    for channel in range(1 if a.ndim == 2 else a.shape[2]):
        planes = [_plane(array, channel, peak) for array in (a, b)]
        product = 1.0
        for scale, weight in enumerate(WEIGHTS[:num_scales]):
            whole, contrast = _means(*planes)
            single += [whole] if scale == 0 else []
            is_last = scale == num_scales - 1
            product *= max(whole if is_last else contrast, 0.0) ** weight
            planes = planes if is_last else [_halved(plane) for plane in planes]
        multiple.append(product)
    return float(np.mean(single)), float(np.mean(multiple)) if num_scales == len(WEIGHTS) else 0.0


def _plane(array: NDArray[Any], channel: int, peak: float) -> NDArray[np.float32]:
    plane = array if array.ndim == 2 else array[..., channel]
    return np.asarray(np.ascontiguousarray(plane).astype(np.float32) / np.float32(peak))


def _means(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """The means over whole windows of SSIM, and of its part of contrast and structure."""
    height = len(x) - WINDOW + 1
    whole = contrast = 0.0
    for row in range(0, height, _BAND):
        parts = [plane[row : min(row + _BAND, height) + WINDOW - 1] for plane in (x, y)]
        sums = _sums_of_band(*parts)
        whole, contrast = whole + sums[0], contrast + sums[1]
    count = height * (x.shape[1] - WINDOW + 1)
    return whole / count, contrast / count


def _sums_of_band(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    # Variances do not depend on an offset, and near 0 their differences keep more digits.
    offset = np.float32(0.5)
    x, y = x - offset, y - offset
    mean_x, mean_y, xx, yy, xy = _filtered(np.stack([x, y, x * x, y * y, x * y]))
    covariance = xy - mean_x * mean_y
    variances = (xx - mean_x * mean_x) + (yy - mean_y * mean_y)  # of equal planes twice the covariance
    mean_x, mean_y = mean_x + offset, mean_y + offset
    c1, c2 = np.float32(K1**2), np.float32(K2**2)
    contrast = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return float((luminance * contrast).sum(dtype=np.float64)), float(contrast.sum(dtype=np.float64))


def _filtered(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, H, W) with the window in both directions: (N, H - 10, W - 10)."""
    weights = taps().astype(np.float32)
    half = WINDOW // 2
    for axis in (1, 2):
        size = planes.shape[axis] - WINDOW + 1

        def part(at: int, planes: NDArray[np.float32] = planes, axis: int = axis, size: int = size) -> Any:
            return planes[:, at : at + size] if axis == 1 else planes[..., at : at + size]

        total = part(half) * weights[half]
        pair = np.empty_like(total)
        for at in range(half):  # the window is symmetric: one product for two samples
            np.add(part(at), part(WINDOW - 1 - at), out=pair)
            pair *= weights[at]
            total += pair
        planes = total
    return planes


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 samples; an odd side gets a zero at both ends first, of which the last is left over."""
    height, width = plane.shape
    if height % 2 or width % 2:
        plane = np.pad(plane, ((height % 2, height % 2), (width % 2, width % 2)))
        plane = plane[: len(plane) // 2 * 2, : plane.shape[1] // 2 * 2]
    rows = plane[0::2] + plane[1::2]
    return np.asarray((rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25))
