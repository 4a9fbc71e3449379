"""Lists, as CompressAI's coder takes them, as arrays and tables. For callers that have nothing better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lcrs._lcrs import int32_array
from lcrs.coding.table import CdfTable

__all__ = ["Integers", "Rows", "int32_values", "table_of_lists"]

Integers: TypeAlias = Sequence[int] | NDArray[np.integer[Any]]
Rows: TypeAlias = Sequence[Sequence[int]] | NDArray[np.integer[Any]]

_MAX_TABLES = 8


def int32_values(values: Integers, name: str) -> NDArray[np.int32]:
    """Integers as a flat int32 array; `name` is for messages.

    Raises:
        ValueError: there are others, or some do not fit.
    """
    converted = int32_array(values)
    if converted is not None:
        return converted
    array = np.asarray(values).ravel()
    if array.dtype == np.int32:
        return np.ascontiguousarray(array)
    if array.size == 0:
        return np.zeros(0, np.int32)
    if array.dtype.kind not in "iu":
        msg = f"{name} has values of type {array.dtype}, integers are needed"
        raise ValueError(msg)
    bounds = np.iinfo(np.int32)
    outside = (array < bounds.min) | (array > bounds.max)
    if outside.any():
        position = int(outside.argmax())
        msg = f"{name}[{position}] is {array[position]}, it must fit 32 bits ({bounds.min}..={bounds.max})"
        raise ValueError(msg)
    return array.astype(np.int32)


def table_of_lists(cdfs: Rows, cdfs_sizes: Integers, offsets: Integers) -> CdfTable:
    """The table of these rows; the last few are kept.

    Args:
        cdfs: cumulative frequencies, each row from 0 to 65536, or all to the same smaller power of two; what
            lies beyond a row's size is ignored.
        cdfs_sizes: the entries used of each row.
        offsets: the value of each row's first symbol.

    Raises:
        ValueError: a row is not increasing, or lengths differ.
    """
    return _tables.find(cdfs, int32_values(cdfs_sizes, "cdfs_sizes"), int32_values(offsets, "offsets"))


class _Tables:
    """The last few tables, found by content: callers rebuild their lists, and may change them in place."""

    def __init__(self) -> None:
        self._entries: list[tuple[list[list[int]] | bytes, bytes, CdfTable]] = []

    def find(self, cdfs: Rows, sizes: NDArray[np.int32], offsets: NDArray[np.int32]) -> CdfTable:
        """The table of these rows, made only if it is not among the last ones."""
        # Lists are compared as they are: that is several times faster than making an array of them.
        rows = _rows(cdfs)
        content = rows.tobytes() if isinstance(rows, np.ndarray) else rows
        rest = sizes.tobytes() + offsets.tobytes()
        for entry in self._entries:
            if entry[1] == rest and entry[0] == content:
                return entry[2]
        if isinstance(rows, np.ndarray):
            array = rows
        else:
            array, content = _padded(rows), [list(row) for row in rows]
        table = CdfTable(array, sizes, offsets, _precision(array, sizes))
        self._entries = [(content, rest, table), *self._entries[: _MAX_TABLES - 1]]
        return table


_tables = _Tables()


def _rows(cdfs: Rows) -> NDArray[np.int32] | list[list[int]]:
    """An array as an array, everything else as lists."""
    if hasattr(cdfs, "__array__"):
        array = np.asarray(cdfs)
        return int32_values(array, "cdfs").reshape(array.shape)
    return [row if isinstance(row, list) else np.asarray(row).tolist() for row in cdfs]


def _precision(cdfs: NDArray[np.int32], sizes: NDArray[np.int32]) -> int:
    """The bits of the first row's total; 16 if it has none that is legal, which the table then says."""
    if cdfs.ndim != 2 or not (cdfs.size and sizes.size and 0 < sizes[0] <= cdfs.shape[1]):
        return 16
    total = int(cdfs[0, sizes[0] - 1])
    precision = total.bit_length() - 1
    return precision if 1 <= precision <= 16 and total == 1 << precision else 16


def _padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Rows of any lengths as one array."""
    width = max(map(len, rows), default=0)
    padded = np.zeros((len(rows), width), np.int32)
    for row, values in enumerate(rows):
        padded[row, : len(values)] = int32_values(values, f"cdfs[{row}]")
    return padded
