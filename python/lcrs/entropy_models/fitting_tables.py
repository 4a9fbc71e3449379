"""Tables for few bits of precision: rows end where they fit, and escapes code the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lcrs import coding

__all__ = ["fitting_table"]

_WHOLE = 16


def fitting_table(make: Callable[[int], coding.CdfTable], precision: int) -> coding.CdfTable:
    """`make(precision)`, or if a row of that has too many entries, what `make(16)` has, cut at the tails.

    All is integers, so that every machine cuts alike.

    Args:
        make: Gives the table for a precision.
        precision: Bits of the frequencies' sum, 1 to 16.

    Raises:
        ValueError: as `make(16)`.
    """
    try:
        return make(precision)
    except ValueError:
        if precision == _WHOLE:
            raise
    whole = make(_WHOLE)
    rows, offsets = [], []
    for cdf, length, offset in zip(whole.cdfs, whole.lengths, whole.offsets, strict=True):
        first, row = _cut(np.diff(cdf[:length]).astype(np.int64), precision)
        rows.append(row)
        offsets.append(offset + first)
    lengths = np.array([len(row) for row in rows], np.int32)
    cdfs = np.zeros((len(rows), lengths.max()), np.int32)
    for cdf, row in zip(cdfs, rows, strict=True):
        cdf[: len(row)] = row
    return coding.CdfTable(cdfs, lengths, np.array(offsets, np.int32), precision)


def _cut(frequencies: NDArray[np.int64], precision: int) -> tuple[int, NDArray[np.int32]]:
    """The first entry that is left, and cumulative frequencies of those left and of the escape.

    What has less than a quarter of the smallest frequency is left out, and what is beyond half of them all:
    the escape needs some of them, where it codes much.

    Args:
        frequencies: Those of the symbols and, last, of the escape; of a sum of 2^16.
        precision: Bits of the new sum.
    """
    symbols, most = frequencies[:-1], (1 << precision) // 2
    peaks = np.flatnonzero(symbols == symbols.max())
    peak = int(peaks[len(peaks) // 2])
    (above,) = np.nonzero(4 * symbols >= 1 << (_WHOLE - precision))
    first, last = (int(above[0]), int(above[-1]) + 1) if len(above) else (peak, peak + 1)
    if last - first > most:
        first = max(first, min(peak - most // 2, last - most))
        last = first + most
    inside = symbols[first:last]
    masses = np.append(inside, (1 << _WHOLE) - inside.sum()) / (1 << _WHOLE)  # exact in float32
    return first, coding.pmf_to_quantized_cdf(masses.astype(np.float32), precision).astype(np.int32)
