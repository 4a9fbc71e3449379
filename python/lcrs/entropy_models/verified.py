"""Strings with a checksum: for symbols whose distributions torch computed.

The coder's own checks find most, not all strings that come out other than they were coded. So a native stream
ends with four more symbols, the CRC-32 of what was coded before, in this stream and in others of the same
call, and of what is added to it, to the bit, if distributions came from torch (`lcrs.layers.foreign`).

Where a model's own `compress` calls an entropy model, the CRC-32 is of this stream's symbols alone. The other
side may be lcrs's `decompress`, which knows nothing of that; so it is looked for where a string does not end
with its symbols. An "ans" string has CompressAI's format and nothing else; its digits of escapes are inside
the coder's state, which is what verifies it.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcrs import coding
from lcrs.errors import DesyncError
from lcrs.layers.foreign import coded_before, note_string

__all__ = ["check", "decode_verified", "encode_verified", "put_checksum"]

_NUM_SYMBOLS = 4


@functools.cache
def _bytes_table() -> coding.CdfTable:
    """A distribution of bytes: equal ones, and a little for the escape that every table has."""
    bounds = np.append(np.arange(257, dtype=np.int32) * 255, 1 << 16).astype(np.int32)[None]
    return coding.CdfTable(bounds, np.array([258], np.int32), np.zeros(1, np.int32), 16)


def _checksum(parts: Sequence[NDArray[Any]]) -> NDArray[np.int32]:
    value = 0
    for part in parts:
        value = zlib.crc32(np.ascontiguousarray(part).data, value) if part.size else value
    return np.frombuffer(value.to_bytes(_NUM_SYMBOLS, "little"), np.uint8).astype(np.int32)


def put_checksum(
    encoder: coding.Encoder, i: int, parts: Sequence[NDArray[Any]], *, alone: bool = False
) -> None:
    """Appends the checksum of picture `i`.

    Args:
        encoder: Takes it.
        i: Number of the picture in the batch.
        parts: Its symbols and what is added to them in this stream, in the order of coding.
        alone: It is of these, and not of other strings of the same call.
    """
    covered = parts if alone else _all_of(i, parts, None)
    encoder.push(_checksum(covered), np.zeros(_NUM_SYMBOLS, np.int32), _bytes_table())


def check(
    decoder: coding.Decoder, i: int, parts: Sequence[NDArray[Any]], string: bytes, *, alone: bool = False
) -> None:
    """Reads the checksum that `put_checksum` wrote into `string`, and compares.

    Raises:
        DesyncError: `parts` are not what was coded.
    """
    found = decoder.pull(np.zeros(_NUM_SYMBOLS, np.int32), _bytes_table())
    if not np.array_equal(found, _checksum(parts if alone else _all_of(i, parts, string))):
        raise DesyncError(
            "the symbols, or the means that are added to them, are not those that were coded: their checksum "
            "is another one"
        )


def _all_of(i: int, parts: Sequence[NDArray[Any]], string: bytes | None) -> list[NDArray[Any]]:
    return [*(values[i] for values in coded_before(string) if i < len(values)), *parts]


def encode_verified(
    symbols: NDArray[np.int32],
    indexes: NDArray[np.int32],
    table: coding.CdfTable,
    means: NDArray[np.float32] | None = None,
    *,
    alone: bool = False,
) -> list[bytes]:
    """Native strings of `symbols` (N, C, ...) with checksums, in the order of `coding.encode_latents`.

    Args:
        symbols: What is coded.
        indexes: Rows of `table`, same shape.
        table: The distributions.
        means: What decoding adds to symbols, same shape, which checksums cover too; None is nothing.
        alone: Checksums cover the symbols of each string alone.
    """
    strings = []
    for i, (item, rows) in enumerate(zip(_places_first(symbols), _places_first(indexes), strict=True)):
        encoder = coding.Encoder("lcrs")
        encoder.push(item, rows, table)
        put_checksum(encoder, i, _covered(item, None if alone else means, i), alone=alone)
        strings.append(encoder.finish())
    if not alone:
        for string in strings:
            note_string(string)
    return strings


def decode_verified(
    strings: Sequence[bytes],
    indexes: NDArray[np.int32],
    table: coding.CdfTable,
    means: NDArray[np.float32] | None = None,
    *,
    alone: bool = False,
) -> NDArray[np.int32]:
    """The symbols (N, C, ...) that `encode_verified` wrote.

    Args:
        strings: N strings.
        indexes: Rows of `table`, (N, C, ...).
        table: The distributions.
        means: As for coding.
        alone: As for coding.

    Raises:
        LcrsError: a string is damaged, or was written with other distributions or means.
    """
    symbols = np.empty_like(indexes)
    for i, (string, rows) in enumerate(zip(strings, _places_first(indexes), strict=True)):
        decoder = coding.Decoder(string, "lcrs")
        item = decoder.pull(rows, table)
        check(decoder, i, _covered(item, None if alone else means, i), string, alone=alone)
        decoder.finish()
        symbols[i] = np.moveaxis(item, -1, 0)
    return symbols


def _covered(item: NDArray[np.int32], means: NDArray[np.float32] | None, i: int) -> list[NDArray[Any]]:
    return [item] if means is None else [item, means[i]]


def _places_first(array: NDArray[np.int32]) -> NDArray[np.int32]:
    """(N, C, ...) with the channels last."""
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))
