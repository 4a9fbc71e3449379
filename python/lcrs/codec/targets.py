"""Sizes, rates and distortions that files are compressed to."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lcrs.coding import Package, RateSearch
from lcrs.errors import TargetWarning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Target", "only_target", "psnr", "reached", "search"]

Target = tuple[str, float]
"""What is asked for, `bpp`, `size` or `psnr`, and how much of it."""


def only_target(quality: float | None, **targets: float | None) -> Target | None:
    """The one target that is given, by the name after `target_`; None if there is none.

    Raises:
        ValueError: there are several, or one and a quality.
    """
    given = {name: value for name, value in targets.items() if value is not None}
    rates = [*(["quality"] if quality is not None else []), *given]
    if given and len(rates) > 1:
        msg = f"{' and '.join(rates)} are given: one of them sets the rate"
        raise ValueError(msg)
    return next(((name.removeprefix("target_"), value) for name, value in given.items()), None)


def search(
    package: Package,
    target: Target,
    num_pixels: int,
    compress: Callable[[float], bytes],
    psnr: Callable[[bytes], float],
) -> tuple[bytes, str | None]:
    """`lcrs.coding.Package.compress_to_target` for networks that run elsewhere.

    Args:
        package: The model.
        target: What is asked for.
        num_pixels: Of the picture.
        compress: Makes the file of a quality.
        psnr: The PSNR of a file in decibels.

    Raises:
        ValueError: the target is not above 0 or not finite, or the model has a fixed rate.
    """
    if package.levels is None:
        msg = f"model '{package.name}' has a fixed rate: a target needs one of variable rate"
        raise ValueError(msg)
    trials, best = RateSearch(*target, num_pixels), b""
    while (quality := trials.next_quality()) is not None:
        data = compress(quality)
        if trials.record(quality, psnr(data) if target[0] == "psnr" else len(data)):
            best = data
    return best, trials.shortfall


def psnr(given: NDArray[Any], restored: NDArray[Any], peak: float) -> float:
    """The peak signal-to-noise ratio of two arrays in decibels; infinite if they are equal."""
    difference = given.astype("float64") - restored
    error: np.float64 = (difference * difference).mean()
    return 10 * math.log10(peak * peak / error) if error else math.inf


def reached(found: tuple[bytes, str | None]) -> bytes:
    """The file that was found; warns if it is not what was asked for."""
    data, shortfall = found
    if shortfall is not None:
        warnings.warn(shortfall, TargetWarning, stacklevel=3)
    return data
