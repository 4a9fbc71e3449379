"""SSIM (Wang et al. 2004) and MS-SSIM (Wang, Simoncelli and Bovik 2003).

The window is a Gaussian of 11 taps and sigma 1.5; only whole windows count. Scales are halved by the mean of
2 x 2 samples, where an odd side has a zero at both ends, as pytorch-msssim has it: so the numbers are those
that the field prints.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.coding import structural_similarity
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
    x, y = _comparable(a, b)
    half_window = taps()[: WINDOW // 2 + 1].tolist()
    means = structural_similarity(x, y, peak, half_window, (K1**2, K2**2), num_scales)
    single = float(means[:, 0, 0].mean())
    if num_scales != len(WEIGHTS):
        return single, 0.0
    # Luminance counts at the last scale alone.
    factors = np.append(means[:, :-1, 1], means[:, -1:, 0], axis=1)
    return single, float((np.maximum(factors, 0.0) ** WEIGHTS).prod(axis=1).mean())


def _comparable(*arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """The arrays as they are if both have whole numbers of 8 or of 16 bits, else in single precision."""
    kinds = {array.dtype for array in arrays}
    kind = kinds.pop() if kinds in ({np.dtype(np.uint8)}, {np.dtype(np.uint16)}) else np.float32
    return [np.ascontiguousarray(array, kind) for array in arrays]
