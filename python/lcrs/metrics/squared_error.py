"""Squared errors of pictures and the PSNR of their components."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BT709", "SquaredError", "bands", "peak_of", "psnr", "squared_error"]

_BAND = 64
"""Rows that are compared at a time: what a large picture needs beside itself stays small."""

_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
BT709 = np.array(
    [
        [_KR, _KG, _KB],
        [-0.5 * _KR / (1 - _KB), -0.5 * _KG / (1 - _KB), 0.5],
        [0.5, -0.5 * _KG / (1 - _KR), -0.5 * _KB / (1 - _KR)],
    ]
)
"""Rows are Y, Cb, Cr of (R, G, B): ITU-R BT.709, full range, without the offset of Cb and Cr."""


@dataclass(frozen=True)
class SquaredError:
    """The mean products of differences of components, from which each PSNR follows.

    A plane that is a weighted sum of R, G and B, as Y, Cb and Cr are, has the error `w @ moments @ w`: so
    nothing is converted, and no plane is rounded.
    """

    moments: NDArray[np.float64]
    """(C, C): of the differences of components, as fractions of the peak."""

    @property
    def mse(self) -> float:
        """Over all components, as a fraction of the squared peak."""
        return float(np.trace(self.moments)) / len(self.moments)

    @property
    def psnr(self) -> float:
        """Of all components together, in decibels; infinite if nothing differs."""
        return _decibels(self.mse)

    @property
    def psnr_ycbcr(self) -> tuple[float, float, float]:
        """Of the planes Y, Cb and Cr of BT.709 at full resolution, in decibels.

        Raises:
            ValueError: there are not three components.
        """
        if len(self.moments) != 3:
            msg = f"Y, Cb and Cr are of pictures with 3 components, this one has {len(self.moments)}"
            raise ValueError(msg)
        y, cb, cr = (_decibels(float(row @ self.moments @ row)) for row in BT709)
        return y, cb, cr

    @property
    def psnr_611(self) -> float:
        """The mean of `psnr_ycbcr` with weights 6, 1 and 1, in decibels, as JVET's tests have it."""
        y, cb, cr = self.psnr_ycbcr
        return (6 * y + cb + cr) / 8


def squared_error(a: NDArray[Any], b: NDArray[Any], peak: float | None = None) -> SquaredError:
    """Compares two arrays.

    Args:
        a: (H, W, C) or (H, W), integers or floats.
        b: Of the same shape.
        peak: The largest value that there may be; by default 255 of uint8, 65535 of uint16, 1 of floats.

    Raises:
        ValueError: shapes or types do not fit.
    """
    peak = peak_of(a, b) if peak is None else peak
    num_channels = 1 if a.ndim == 2 else a.shape[2]
    moments = np.zeros((num_channels, num_channels))
    for ours, theirs in bands(a, b):
        difference = (ours - theirs).reshape(-1, num_channels)
        moments += difference.T @ difference
    return SquaredError(moments / (a.size / num_channels) / peak**2)


def psnr(a: NDArray[Any], b: NDArray[Any], peak: float | None = None) -> float:
    """The peak signal-to-noise ratio in decibels, over all components; infinite if nothing differs.

    Arguments and errors are those of `squared_error`.
    """
    return squared_error(a, b, peak).psnr


def peak_of(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The largest value of the arrays' type.

    Raises:
        ValueError: they cannot be compared.
    """
    if a.shape != b.shape or a.ndim not in (2, 3) or not a.size:
        msg = f"the shapes are {a.shape} and {b.shape}, two equal ones of (H, W) or (H, W, C) are needed"
        raise ValueError(msg)
    if a.dtype != b.dtype:
        msg = f"the types are {a.dtype} and {b.dtype}, which have no common peak: pass it"
        raise ValueError(msg)
    return 1.0 if a.dtype.kind == "f" else float(np.iinfo(a.dtype).max)


def bands(a: NDArray[Any], b: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Some rows of both at a time, as floats in which their differences are exact up to 16 bits."""
    kind = np.float64 if np.float64 in (a.dtype, b.dtype) else np.float32
    for row in range(0, len(a), _BAND):
        yield a[row : row + _BAND].astype(kind), b[row : row + _BAND].astype(kind)


def _decibels(mse: float) -> float:
    return -10 * math.log10(mse) if mse > 0 else math.inf
