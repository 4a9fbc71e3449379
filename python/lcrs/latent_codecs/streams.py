"""From symbols that become known step by step to strings, and back.

A native stream ("lcrs") takes all steps of a picture one after the other, each row, column, channel.
CompressAI's format ("ans") has one string for each step, channel, row, column. Where a part of the model ran
in torch, or a model's own code gives a codec what torch computed, a native stream ends with a checksum.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcrs import coding
from lcrs.entropy_models.base import StreamKind
from lcrs.entropy_models.verified import check, put_checksum
from lcrs.layers.foreign import is_verified, note_coded, note_string

__all__ = ["SymbolReader", "SymbolWriter", "batch_size_of", "pull_places"]

_Symbols = NDArray[np.int32]


def batch_size_of(strings: Sequence[Sequence[bytes]]) -> int:
    """The batch size of `strings`: lists of equal length, one string in each for each picture.

    Raises:
        ValueError: they are not that.
    """
    nested = not isinstance(strings, bytes | str) and not any(
        isinstance(item, bytes | str) for item in strings
    )
    lengths = [len(item) for item in strings] if nested else []
    if len(set(lengths)) != 1:
        raise ValueError(f"strings must be lists of bytes, all of one length; the lengths are {lengths}")
    return lengths[0]


class SymbolWriter:
    """Collects the symbols of a batch, step by step.

    Args:
        kind: "lcrs" or "ans".
        batch_size: Number N of pictures.
        is_handed: Code outside of lcrs computed what the symbols' distributions depend on: a native stream
            has a checksum of its symbols, but not of values: that code may compute a batch at once, where
            torch's sums are others than one by one.
    """

    def __init__(self, kind: StreamKind, batch_size: int, *, is_handed: bool = False) -> None:
        self.kind = kind
        self.is_handed = is_handed
        self.batch_size = batch_size
        num_encoders = batch_size if kind == "lcrs" else 0
        self._encoders = [coding.Encoder("lcrs", is_handed) for _ in range(num_encoders)]
        self._strings: list[list[bytes]] = []
        self._coded: list[NDArray[Any]] = []
        self._carried: list[list[bytes]] = []

    def carry(self, strings: Sequence[Sequence[bytes]]) -> None:
        """Takes over lists of strings that a codec made by itself, one for each picture."""
        (self._carried if self.kind == "lcrs" else self._strings).extend(list(latent) for latent in strings)

    def put(self, symbols: _Symbols, indexes: _Symbols, table: coding.CdfTable) -> None:
        """Appends a step.

        Args:
            symbols: (N, C, ...), int32.
            indexes: Rows of `table`, same shape.
            table: The distributions.
        """
        self.put_in_order(_arranged(symbols, self.kind), _arranged(indexes, self.kind), table)

    def put_in_order(self, symbols: _Symbols, indexes: _Symbols, table: coding.CdfTable) -> None:
        """Appends a step whose items, (N, ...), have the order that they shall have in the string."""
        if self.kind != "lcrs":
            self._strings.append(coding.encode_batch(symbols, indexes, table, kind=self.kind))
            return
        for encoder, item, rows in zip(self._encoders, symbols, indexes, strict=True):
            encoder.push(item, rows, table)
        self._coded.append(symbols)

    def open_encoders(self) -> list[coding.Encoder]:
        """Encoders, one for each picture, that take the next step; `close_encoders` must follow."""
        if self.kind == "lcrs":
            return self._encoders
        return [coding.Encoder(self.kind) for _ in range(self.batch_size)]

    def close_encoders(self, encoders: list[coding.Encoder], values: NDArray[Any]) -> None:
        """Ends a step that went to `open_encoders`, and gave `values` (N, ...)."""
        if self.kind != "lcrs":
            self._strings.append([encoder.finish() for encoder in encoders])
        self._coded.append(values)

    def note(self, values: NDArray[Any]) -> None:
        """Has a checksum cover `values` (N, ...) that decoding makes of symbols, to the bit."""
        self._coded.append(values)

    def skip(self) -> None:
        """Appends a step without symbols."""
        if self.kind != "lcrs":
            self._strings.append([b""] * self.batch_size)

    def finish(self) -> list[list[bytes]]:
        """The strings, a list for each step or for all, with one string for each picture.

        In a native stream, lists of codecs that code by themselves come before.
        """
        if self.kind != "lcrs":
            return self._strings
        alone = self.is_handed and not is_verified()
        if alone or is_verified():
            for i, encoder in enumerate(self._encoders):
                covered = [encoder.symbols] if alone else [part[i] for part in self._coded]
                put_checksum(encoder, i, covered, alone=alone)
        strings = [encoder.finish() for encoder in self._encoders]
        if is_verified():
            for string in strings:
                note_string(string)
        for part in self._coded:
            note_coded(functools.partial(np.asarray, part), is_encoding=True)
        return self._carried if self._carried and not self._coded else [*self._carried, strings]


class SymbolReader:
    """Gives back, step by step, what a `SymbolWriter` took.

    Args:
        strings: As `SymbolWriter.finish` returned them.
        kind: "lcrs" or "ans".
        exact: Whether networks that give the indexes are to run on the exact engine. Not so for strings
            that CompressAI wrote with torch's sums.
        num_steps: How many steps have lists of strings of their own in kind "ans", and share one in "lcrs".
        num_own: How often a codec that codes by itself has lists; each time as many.
        is_handed: As `SymbolWriter` was told.

    Raises:
        ValueError: `strings` are not lists of equal length, or not as many as there must be.
    """

    def __init__(
        self,
        strings: Sequence[Sequence[bytes]],
        kind: StreamKind,
        exact: bool = True,
        *,
        num_steps: int = 1,
        num_own: int = 0,
        is_handed: bool = False,
    ) -> None:
        self.kind = kind
        self.is_handed = is_handed
        self.exact = exact
        self.batch_size = batch_size_of(strings)
        self._strings = strings
        self._num_steps = 0
        self._coded: list[NDArray[Any]] = []
        num_native = min(num_steps, 1) if kind == "lcrs" else num_steps
        self._lists_of_own = (len(strings) - num_native) // num_own if num_own else 0
        self._decoders: list[coding.Decoder] = []
        if num_own and (self._lists_of_own < 1 or len(strings) != num_native + num_own * self._lists_of_own):
            raise ValueError(
                f"strings has {len(strings)} lists; {num_own} steps are of codecs that code by themselves, "
                f"each with as many, and {num_native} lists are of others"
            )
        if kind == "lcrs" and not num_own and len(strings) != 1:
            raise ValueError(f"strings has {len(strings)} lists; a native stream has 1")
        if kind == "lcrs" and num_native:
            self._decoders = [coding.Decoder(data, "lcrs", is_handed) for data in strings[-1]]

    def carried(self) -> list[list[bytes]]:
        """The lists of strings of the next step of a codec that codes by itself."""
        return [self.next_strings() for _ in range(self._lists_of_own)]

    def take(self, indexes: _Symbols, table: coding.CdfTable) -> _Symbols:
        """The symbols of the next step.

        Args:
            indexes: Rows of `table`, (N, C, ...), int32.
            table: The distributions.

        Returns:
            The symbols, same shape.

        Raises:
            LcrsError: A string is not what was written with these indexes.
            ValueError: There are fewer lists of strings than steps.
        """
        symbols = self.take_in_order(_arranged(indexes, self.kind), table)
        return symbols if self.kind != "lcrs" else np.ascontiguousarray(np.moveaxis(symbols, -1, 1))

    def take_in_order(self, indexes: _Symbols, table: coding.CdfTable) -> _Symbols:
        """The symbols of a step that was written with `put_in_order`."""
        if self.kind != "lcrs":
            return coding.decode_batch(self.next_strings(), indexes, table, kind=self.kind)
        decoded = [decoder.pull(rows, table) for decoder, rows in zip(self._decoders, indexes, strict=True)]
        symbols = np.stack(decoded) if decoded else np.empty_like(indexes)
        self._coded.append(symbols)
        return symbols

    def open_decoders(self) -> list[coding.Decoder]:
        """Decoders, one for each picture, that give the next step; `close_decoders` must follow."""
        if self.kind == "lcrs":
            return self._decoders
        return [coding.Decoder(data, self.kind) for data in self.next_strings()]

    def close_decoders(self, decoders: list[coding.Decoder], values: NDArray[Any]) -> None:
        """Ends a step that came from `open_decoders`, and gave `values` (N, ...); errors as in `finish`."""
        if self.kind != "lcrs":
            for decoder in decoders:
                decoder.finish()
        self._coded.append(values)

    def note(self, values: NDArray[Any]) -> None:
        """As `SymbolWriter.note`, for the values that came of symbols."""
        self._coded.append(values)

    def skip(self) -> None:
        """Passes over a step without symbols."""
        if self.kind != "lcrs":
            self.next_strings()

    def finish(self) -> None:
        """Checks that nothing is left.

        Raises:
            LcrsError: A string goes on, or what was decoded is not what was encoded.
            ValueError: There are more lists of strings than steps.
        """
        if self.kind == "lcrs":
            for i, decoder in enumerate(self._decoders):
                alone = self.is_handed and not is_verified()
                if alone or is_verified():
                    covered = [decoder.symbols] if alone else [part[i] for part in self._coded]
                    check(decoder, i, covered, self._strings[-1][i], alone=alone)
                decoder.finish()
            for part in self._coded:
                note_coded(functools.partial(np.asarray, part), is_encoding=False)
        elif self._num_steps != len(self._strings):
            raise ValueError(f"strings has {len(self._strings)} lists; there are {self._num_steps} steps")

    def next_strings(self) -> list[bytes]:
        """The strings of the next step, one for each picture, undecoded."""
        if self._num_steps == len(self._strings):
            raise ValueError(f"strings has {len(self._strings)} lists; there are more steps")
        self._num_steps += 1
        return list(self._strings[self._num_steps - 1])


def pull_places(decoders: list[coding.Decoder], indexes: _Symbols, table: coding.CdfTable) -> _Symbols:
    """The next symbols of each picture at P places, place by place, then channel by channel.

    Args:
        decoders: One for each of N pictures.
        indexes: Rows of `table`, (N, C, P), int32.
        table: The distributions.

    Returns:
        int32, (N, C, P).
    """
    by_place = np.ascontiguousarray(np.moveaxis(indexes, 1, -1))
    pulled = [decoder.pull(item, table) for decoder, item in zip(decoders, by_place, strict=True)]
    if not pulled:
        return np.empty_like(indexes)
    return np.ascontiguousarray(np.moveaxis(np.stack(pulled), -1, 1))


def _arranged(array: NDArray[Any], kind: StreamKind) -> NDArray[Any]:
    """(N, C, ...) with channels last in a native stream."""
    return np.ascontiguousarray(np.moveaxis(array, 1, -1) if kind == "lcrs" else array)
