"""The two kinds of stream, `ans` and `lcrs`, one symbol after the other."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from reader.container import Cursor
from reader.wrong import WrongFile, need


@dataclass
class Table:
    """Rows of cumulative frequencies; the last entry of each row is the escape."""

    rows: list[list[int]]
    offsets: list[int]
    precision: int

    @classmethod
    def read(cls, node: dict, tensors: dict[str, np.ndarray]) -> Table:
        cdf, lengths, offsets = (tensors[node[key]].tolist() for key in ("cdf", "lengths", "offsets"))
        precision = node["precision"]
        rows = [row[:length] for row, length in zip(cdf, lengths, strict=True)]
        for row in rows:
            rising = all(a < b for a, b in pairwise(row))
            need(row[0] == 0 and row[-1] == 1 << precision and rising, "a row of the table is not legal")
        return cls(rows, offsets, precision)

    def entry(self, index: int, slot: int) -> tuple[int, int, int]:
        """The entry that covers ``slot``, its start and its frequency."""
        row = self.rows[index]
        entry = bisect_right(row, slot) - 1
        need(entry < len(row) - 1, f"slot {slot} is outside row {index}")
        return entry, row[entry], row[entry + 1] - row[entry]

    def value(self, index: int, entry: int) -> int | None:
        """The value of an entry; none for the escape."""
        return None if entry == len(self.rows[index]) - 2 else self.offsets[index] + entry

    def unfold(self, index: int, folded: int) -> int:
        values = len(self.rows[index]) - 2
        position = -(folded >> 1) - 1 if folded & 1 else (folded >> 1) + values
        value = position + self.offsets[index]
        need(-(1 << 31) <= value < 1 << 31, f"escaped value {value}")
        return value


def open_stream(kind: int, data: bytes) -> Ans | Native:
    need(kind in (0, 1), f"stream kind {kind}")
    return Native(data) if kind else Ans(data)


class Ans:
    """Kind 0: one state of 64 bits, words of 32."""

    def __init__(self, data: bytes):
        need(len(data) >= 8 and len(data) % 4 == 0, f"stream of {len(data)} bytes")
        self.state = int.from_bytes(data[:8], "little")
        need(1 << 31 <= self.state < 1 << 63, f"first state {self.state:#x}")
        self.words = np.frombuffer(data[8:], "<u4").tolist()[::-1]

    def pull(self, index: int, table: Table) -> int:
        entry, start, frequency = table.entry(index, self.state & 0xFFFF)
        self._set(frequency * (self.state >> 16) + (self.state & 0xFFFF) - start)
        value = table.value(index, entry)
        return table.unfold(index, self._escape()) if value is None else value

    def _escape(self) -> int:
        count = self._digit()
        need(count <= 9, f"escape of {count} digits")
        return sum(self._digit() << 4 * k for k in range(count))

    def _digit(self) -> int:
        digit = self.state & 15
        self._set(self.state >> 4)
        return digit

    def _set(self, state: int) -> None:
        if state < 1 << 31:
            need(self.words, "the stream ends before its last symbol")
            state = state << 32 | self.words.pop()
        self.state = state

    def finish(self) -> None:
        need(not self.words and self.state == 1 << 31, "the stream does not end with its last symbol")


class Digits:
    """Digits of escapes, two a byte."""

    def __init__(self, data: bytes):
        self.left = [half for byte in data for half in (byte & 15, byte >> 4)][::-1]

    def pull(self, place: int) -> int:
        need(self.left, "more escapes than the stream holds")
        return self.left.pop()

    def finish(self) -> None:
        need(len(self.left) <= 1 and not any(self.left), "digits are left")


class Packed:
    """Digits of escapes, each four bits whose probabilities are learned."""

    def __init__(self, data: bytes):
        need(len(data) % 2 == 0 and len(data) >= 4, f"packed escapes of {len(data)} bytes")
        self.words = np.frombuffer(data, "<u2").tolist()[::-1]
        self.state = 0
        for _ in range(min(3, len(self.words))):
            self.state = self.state << 16 | self.words.pop()
        need(self.state >= (1 << 32 if len(data) > 4 else 1 << 16), f"first state {self.state:#x}")
        self.learnt: dict[tuple[int, ...], tuple[int, int]] = {}

    def pull(self, place: int) -> int:
        more = self._bit((place,))
        bits: tuple[int, ...] = ()
        for _ in range(3):
            bits = (*bits, self._bit((place, more, *bits)))
        return more << 3 | bits[0] << 2 | bits[1] << 1 | bits[2]

    def _bit(self, seen: tuple[int, ...]) -> int:
        likely, count = self.learnt.get(seen, (1 << 15, 0))
        slot = self.state & 0xFFFF
        bit = int(slot < likely)
        start, frequency = (0, likely) if bit else (likely, 65536 - likely)
        self.state = frequency * (self.state >> 16) + slot - start
        if self.state < 1 << 32:
            if self.words:
                self.state = self.state << 16 | self.words.pop()
            else:
                need(self.state >= 1 << 16, "more escapes than the stream holds")
        likely += 2 * (65536 - likely) // (2 * count + 3) if bit else -(2 * likely // (2 * count + 3))
        self.learnt[seen] = min(max(likely, 32), 65536 - 32), min(count + 1, 126)
        return bit

    def finish(self) -> None:
        need(not self.words and self.state == 1 << 16, "packed escapes do not end with the last one")


class Native:
    """Kind 1: lanes with states of 48 bits, words of 16, a tail on lane 0."""

    def __init__(self, data: bytes):
        head = Cursor(data)
        first = head.byte()
        lanes, state_bytes = first & 7, first >> 3 & 7
        need(lanes <= 5 and first >> 6 != 2 and state_bytes <= (0 if lanes else 6), f"head {first:#x}")
        digits = b""
        if first & 64:
            length = _leb128(head)
            need(length, "escapes of 0 bytes")
            digits = head.take(length)
        self.digits = Packed(digits) if first & 128 else Digits(digits)
        if lanes == 0:
            self.main, self.states = 0, [int.from_bytes(head.take(state_bytes), "little")]
        else:
            self.main = _leb128(head) << lanes
            self.states = _states(head, 1 << lanes)
        need(head.left() % 2 == 0, "an odd number of bytes of words")
        self.words = np.frombuffer(head.take(head.left()), "<u2").tolist()[::-1]
        self.done = 0
        if self.main == 0:
            self._seed()

    def pull(self, index: int, table: Table) -> int:
        lane = self.done % len(self.states) if self.done < self.main else 0
        state, scale = self.states[lane], 16 - table.precision
        # The coder sees starts and frequencies times 2^(16 - precision).
        entry, start, frequency = table.entry(index, (state & 0xFFFF) >> scale)
        state = (frequency << scale) * (state >> 16) + (state & 0xFFFF) - (start << scale)
        if state < 1 << 32:
            if self.words:
                state = state << 16 | self.words.pop()
            else:
                need(self.done >= self.main and state >= 1 << 16, "the stream ends before its last symbol")
        self.states[lane] = state
        self.done += 1
        if self.done == self.main:
            self._seed()
        value = table.value(index, entry)
        return table.unfold(index, self._escape()) if value is None else value

    def _seed(self) -> None:
        """The other lanes become words of the tail, lane 1 first, the low word first."""
        for state in reversed(self.states[1:]):
            need(state >> 32 == 1, f"a lane ends the main part with {state:#x}")
            self.words += [state >> 16 & 0xFFFF, state & 0xFFFF]

    def _escape(self) -> int:
        folded = 0
        for k in range(12):
            digit = self.digits.pull(k)
            folded |= (digit & 7) << 3 * k
            if digit < 8:
                return folded
        raise WrongFile("an escape has more than 12 digits")

    def finish(self) -> None:
        self.digits.finish()
        need(self.done >= self.main and not self.words, "words are left")
        need(self.states[0] == 1 << 16, f"final state {self.states[0]:#x}")


def _leb128(head: Cursor) -> int:
    before = head.at
    value = head.varint()
    need(head.at - before <= 5, "a number of more than 5 bytes")
    return value


def _states(head: Cursor, count: int) -> list[int]:
    bits, available = 0, 0

    def take(number: int) -> int:
        nonlocal bits, available
        while available < number:
            bits |= head.byte() << available
            available += 8
        value = bits & ((1 << number) - 1)
        bits >>= number
        available -= number
        return value

    exponents = [32 + take(4) for _ in range(count)]
    states = [1 << e | take(e) for e in exponents]
    need(bits == 0, "padding of the states")
    return states
