"""CompressAI's coder classes over `lcrs.coding`, so that code written for ``compressai.ans`` runs unchanged.

Arguments are lists or arrays and are turned into arrays on every call; new code should use `lcrs.coding`,
which takes a prepared table and no lists. Two differences are deliberate: what is wrong with the data
raises an error instead of returning noise, and `RansDecoder.decode_with_indexes` checks that the stream
ends with the last symbol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcrs import coding

__all__ = ["BufferedRansEncoder", "RansDecoder", "RansEncoder"]

_Integers = Sequence[int] | NDArray[np.integer[Any]]
_Rows = Sequence[Sequence[int]] | NDArray[np.integer[Any]]

_MAX_TABLES = 8


class RansEncoder:
    """Codes one message a call."""

    def encode_with_indexes(
        self,
        symbols: _Integers,
        indexes: _Integers,
        cdfs: _Rows,
        cdfs_sizes: _Integers,
        offsets: _Integers,
        /,
    ) -> bytes:
        """Codes ``symbols[i]`` with ``cdfs[indexes[i]]``.

        Args:
            symbols: any int32 values.
            indexes: rows of ``cdfs``, as many as ``symbols``.
            cdfs: cumulative frequencies, each row from 0 to 65536; what lies beyond its size is ignored.
            cdfs_sizes: the entries used of each row.
            offsets: the value of each row's first symbol.

        Raises:
            ValueError: if lengths differ, an index is not a row, or a row is not increasing.
        """
        table = _table(cdfs, cdfs_sizes, offsets)
        return coding.encode(_int32(symbols, "symbols"), _int32(indexes, "indexes"), table, kind="ans")


class BufferedRansEncoder:
    """Codes one message in pieces: several calls and a flush make the bytes of one call."""

    def __init__(self) -> None:
        self._encoder = coding.Encoder("ans")

    def encode_with_indexes(
        self,
        symbols: _Integers,
        indexes: _Integers,
        cdfs: _Rows,
        cdfs_sizes: _Integers,
        offsets: _Integers,
        /,
    ) -> None:
        """Appends symbols; arguments and errors as in `RansEncoder.encode_with_indexes`."""
        table = _table(cdfs, cdfs_sizes, offsets)
        self._encoder.push(_int32(symbols, "symbols"), _int32(indexes, "indexes"), table)

    def flush(self) -> bytes:
        """The stream of everything appended since the last flush."""
        encoder, self._encoder = self._encoder, coding.Encoder("ans")
        return encoder.finish()


class RansDecoder:
    """Decodes a message at once, or in pieces after `set_stream`."""

    def __init__(self) -> None:
        self._decoder: coding.Decoder | None = None

    def decode_with_indexes(
        self, encoded: bytes, indexes: _Integers, cdfs: _Rows, cdfs_sizes: _Integers, offsets: _Integers, /
    ) -> list[int]:
        """The symbols of a whole stream, one per index.

        Raises:
            ValueError: if the arguments are not as in `RansEncoder.encode_with_indexes`.
            LcrsError: if ``encoded`` is not a stream of exactly these symbols.
        """
        table = _table(cdfs, cdfs_sizes, offsets)
        symbols: list[int] = coding.decode(encoded, _int32(indexes, "indexes"), table, kind="ans").tolist()
        return symbols

    def set_stream(self, encoded: bytes, /) -> None:
        """Starts at the first symbol of ``encoded``.

        Raises:
            LcrsError: if it is too short to be a stream.
        """
        self._decoder = coding.Decoder(encoded, "ans")

    def decode_stream(
        self, indexes: _Integers, cdfs: _Rows, cdfs_sizes: _Integers, offsets: _Integers, /
    ) -> list[int]:
        """The next symbols of the stream, one per index; errors as in `decode_with_indexes`.

        Raises:
            ValueError: also if there is no stream yet.
        """
        if self._decoder is None:
            msg = "there is no stream to decode: call set_stream first"
            raise ValueError(msg)
        symbols: list[int] = self._decoder.pull(
            _int32(indexes, "indexes"), _table(cdfs, cdfs_sizes, offsets)
        ).tolist()
        return symbols


class _Tables:
    """The last few tables, found by content: callers rebuild their lists, and may change them in place."""

    def __init__(self) -> None:
        self._entries: list[tuple[list[list[int]] | bytes, bytes, coding.CdfTable]] = []

    def find(self, cdfs: _Rows, sizes: NDArray[np.int32], offsets: NDArray[np.int32]) -> coding.CdfTable:
        """The table of these rows, made only if it is not among the last ones."""
        # Lists are compared as they are: that is several times faster than making an array of them.
        rows = _rows(cdfs)
        content = rows.tobytes() if isinstance(rows, np.ndarray) else rows
        rest = sizes.tobytes() + offsets.tobytes()
        for entry in self._entries:
            if entry[1] == rest and entry[0] == content:
                return entry[2]
        if isinstance(rows, np.ndarray):
            table = coding.CdfTable(rows, sizes, offsets)
        else:
            table = coding.CdfTable(_padded(rows), sizes, offsets)
            content = [list(row) for row in rows]
        self._entries = [(content, rest, table), *self._entries[: _MAX_TABLES - 1]]
        return table


_tables = _Tables()


def _table(cdfs: _Rows, sizes: _Integers, offsets: _Integers) -> coding.CdfTable:
    return _tables.find(cdfs, _int32(sizes, "cdfs_sizes"), _int32(offsets, "offsets"))


def _rows(cdfs: _Rows) -> NDArray[np.int32] | list[list[int]]:
    """An array as an array, everything else as lists."""
    if hasattr(cdfs, "__array__"):
        array = np.asarray(cdfs)
        return _int32(array, "cdfs").reshape(array.shape)
    return [row if isinstance(row, list) else np.asarray(row).tolist() for row in cdfs]


def _padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Rows of any lengths as one array."""
    width = max(map(len, rows), default=0)
    padded = np.zeros((len(rows), width), np.int32)
    for row, values in enumerate(rows):
        padded[row, : len(values)] = _int32(values, f"cdfs[{row}]")
    return padded


def _int32(values: _Integers, name: str) -> NDArray[np.int32]:
    """Integers as a flat int32 array.

    Raises:
        ValueError: if there are others, or some do not fit.
    """
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
