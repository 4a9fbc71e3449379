"""Streams of kind `binary`: bits one after the other, with probabilities that are learned."""

from __future__ import annotations

from collections.abc import Hashable

from reader.container import Cursor
from reader.wrong import need

SEGMENT = 1 << 16
FIRST = 1 << 32


class Learned:
    """What is known of bits, by their kinds."""

    def __init__(self) -> None:
        self.kinds: dict[Hashable, tuple[int, int]] = {}

    def frequency(self, kind: Hashable) -> int:
        """Of a bit that is set, out of 2^16."""
        p, _ = self.kinds.get(kind, (1 << 21, 0))
        return min(max(p >> 6, 1), (1 << 16) - 1)

    def learn(self, kind: Hashable, bit: bool) -> None:
        p, n = self.kinds.get(kind, (1 << 21, 0))
        target = 1 << 22 if bit else 0
        p += ((target - p) * ((1 << 17) // (2 * n + 3))) >> 16
        self.kinds[kind] = p, min(n + 1, 255)


class BitDecoder:
    """Gives the bits of a stream."""

    def __init__(self, stream: bytes):
        self.learned, self.stream = Learned(), Cursor(stream)
        self.x, self.left = FIRST, 0

    def code(self, kind: Hashable, _given: bool) -> bool:
        """The next bit, which is of this kind."""
        if self.left == 0:
            self._end()
            self.x, self.left = int.from_bytes(self.stream.take(6), "little"), SEGMENT
            need(self.x >= FIRST, f"a segment begins with the state {self.x:#x}")
        self.left -= 1
        f, slot = self.learned.frequency(kind), self.x % (1 << 16)
        bit = slot < f
        start, frequency = (0, f) if bit else (f, (1 << 16) - f)
        self.x = frequency * (self.x >> 16) + slot - start
        if self.x < FIRST:
            self.x = self.x << 16 | int.from_bytes(self.stream.take(2), "little")
        self.learned.learn(kind, bit)
        return bit

    def finish(self) -> None:
        """Checks that the stream ends here."""
        self._end()
        need(self.stream.left() == 0, f"{self.stream.left()} bytes are left after the last bit")

    def _end(self) -> None:
        need(self.x == FIRST, f"a segment ends with the state {self.x:#x}")


class BitEncoder:
    """Makes a stream of bits."""

    def __init__(self) -> None:
        self.learned = Learned()
        self.bits: list[tuple[int, int]] = []

    def code(self, kind: Hashable, given: bool) -> bool:
        """Takes a bit of this kind."""
        f = self.learned.frequency(kind)
        self.bits.append((0, f) if given else (f, (1 << 16) - f))
        self.learned.learn(kind, given)
        return given

    def finish(self) -> bytes:
        """The stream of all bits."""
        stream = b""
        for at in range(0, len(self.bits), SEGMENT):
            x, words = FIRST, []
            for start, frequency in reversed(self.bits[at : at + SEGMENT]):
                if x >> 32 >= frequency:
                    words.append((x % (1 << 16)).to_bytes(2, "little"))
                    x >>= 16
                x = (x // frequency << 16) + x % frequency + start
            stream += x.to_bytes(6, "little") + b"".join(reversed(words))
        return stream
