"""CompressAI's name for what `lcrs.coding.pmf_to_quantized_cdf` does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lcrs import coding

__all__ = ["pmf_to_quantized_cdf"]


def pmf_to_quantized_cdf(pmf: Sequence[float], precision: int, /) -> list[int]:
    """The integer CDF of a probability mass function, from 0 to `2**precision`, as a list.

    Raises:
        ValueError: a mass is negative or not finite, or there are more than `2**precision`.
    """
    cdf: list[int] = coding.pmf_to_quantized_cdf(np.asarray(pmf, np.float32), precision).tolist()
    return cdf
