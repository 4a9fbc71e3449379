"""Several measures of one pair of pictures, by the names that result files have for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.metrics.perceptual import PERCEPTUAL, NotAvailableError, perceptual
from lcrs.metrics.squared_error import squared_error
from lcrs.metrics.structural import MIN_SIDE_MS_SSIM, MIN_SIDE_SSIM, WEIGHTS, decibels, structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DEFAULT_NAMES", "NAMES", "measure"]

_ERRORS = ("psnr-rgb", "psnr-y", "psnr-cb", "psnr-cr", "psnr-yuv")
_STRUCTURAL = ("ms-ssim-rgb", "ms-ssim-rgb-db", "ssim-rgb")
DEFAULT_NAMES = (*_ERRORS, *_STRUCTURAL)
"""What needs nothing else. `psnr-yuv` weighs Y, Cb and Cr as 6:1:1; `-db` is `-10 log10(1 - x)`."""
NAMES = (*DEFAULT_NAMES, *PERCEPTUAL)
"""All: those of networks need more packages, and their weights."""


def measure(
    original: NDArray[Any], restored: NDArray[Any], names: Sequence[str] = DEFAULT_NAMES
) -> tuple[dict[str, float], dict[str, str]]:
    """Measures a restored picture.

    Args:
        original: (H, W, 3), or (H, W), which counts as three equal components; uint8 or uint16.
        restored: Of the same shape and type.
        names: Of `NAMES`.

    Returns:
        The values, PSNR and the like in decibels, infinite where nothing differs; and why others are missing,
        by name: a side is too short, a package or its weights are not here.

    Raises:
        ValueError: a name is none of these, or shapes and types do not fit.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        msg = f"there is no measure {', '.join(unknown)}: there are {', '.join(NAMES)}"
        raise ValueError(msg)
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    if any(name in _ERRORS for name in names):
        error = squared_error(original, restored)
        planes = (error.psnr,) * 4 if original.ndim == 2 else (*error.psnr_ycbcr, error.psnr_611)
        values |= dict(zip(_ERRORS, (error.psnr, *planes), strict=True))
        if original.ndim == 2:  # three equal components differ in Y alone
            values |= {"psnr-cb": np.inf, "psnr-cr": np.inf, "psnr-yuv": np.inf}
    if any(name in _STRUCTURAL for name in names):
        values |= _structural(original, restored, names, missing)
    for name in names:
        if name in PERCEPTUAL:
            try:
                values[name] = perceptual(name, original, restored)
            except NotAvailableError as error:
                missing[name] = str(error)
    return {name: float(values[name]) for name in names if name in values}, missing


def _structural(
    original: NDArray[Any], restored: NDArray[Any], names: Sequence[str], missing: dict[str, str]
) -> dict[str, float]:
    wants_many = any(name.startswith("ms-ssim") for name in names)
    side = min(original.shape[:2])
    has_many, has_one = side >= MIN_SIDE_MS_SSIM, side >= MIN_SIDE_SSIM
    for name in names:
        least = MIN_SIDE_MS_SSIM if name.startswith("ms-ssim") else MIN_SIDE_SSIM
        if name in _STRUCTURAL and side < least:
            missing[name] = f"it needs sides of {least} pixels or more, this picture has {side}"
    if not has_one:
        return {}
    single, multiple = structure(
        original, restored, None, num_scales=len(WEIGHTS) if wants_many and has_many else 1
    )
    values = {"ssim-rgb": single}
    if wants_many and has_many:
        values |= {"ms-ssim-rgb": multiple, "ms-ssim-rgb-db": decibels(multiple)}
    return values
