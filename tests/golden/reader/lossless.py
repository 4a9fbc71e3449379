"""Lossless pictures: pixel after pixel, either way."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter

import numpy as np

from reader.bits import BitDecoder, BitEncoder
from reader.container import Container, Cursor, parse
from reader.wrong import need

MULTIPLIER = 0x9E3779B97F4A7C15
WORD = (1 << 64) - 1

MARGIN = 3
"""Pixels beside a row."""

CONTEXTS = [
    itemgetter("W", "N", "NW", "NE", "WW", "NN", "NWW", "NEE", "NNE", "NNW", "WWW"),
    itemgetter("W", "N", "NW", "NE"),
    itemgetter("W", "N"),
]
PAIRS = [("W", "N"), ("W", "NW"), ("N", "NW"), ("N", "NE"), ("W", "WW"), ("N", "NN")]


@lru_cache(maxsize=1 << 14)
def place(*context: int) -> int:
    """The place of a context in a history."""
    s = sum(pixel * pow(MULTIPLIER, i, 1 << 64) for i, pixel in enumerate(context, 1)) & WORD
    return ((s ^ s >> 32) * MULTIPLIER & WORD) >> 48


class History:
    """What followed contexts before: a pixel and a confidence at each place."""

    def __init__(self) -> None:
        self.places: dict[int, tuple[int, int]] = {}

    def at(self, place: int) -> tuple[int | None, int]:
        """The pixel that is known there, if any, and its confidence."""
        return self.places.get(place, (None, 0))

    def learn(self, place: int, pixel: int) -> None:
        known, confidence = self.at(place)
        if known == pixel:
            self.places[place] = pixel, min(confidence + 1, 15)
        elif confidence >= 2:
            self.places[place] = known, confidence // 2
        else:
            self.places[place] = pixel, 1


def length_class(number: int) -> int:
    """The class of a number."""
    return min(abs(number).bit_length(), 9)


def component(pixel: int, i: int) -> int:
    return pixel >> 16 * i & 0xFFFF


class Band:
    """All that is known of a band, while its pixels are coded."""

    def __init__(self, coder: BitDecoder | BitEncoder, width: int, channels: int, bits: int):
        self.coder, self.width, self.channels, self.bits = coder, width, channels, bits
        self.above2 = self.above = [0] * (width + 2 * MARGIN)
        self.histories = [History(), History(), History()]
        self.greens = History()
        self.last_bits = [0, 0, 0]

    def code_row(self, given: list[int] | None) -> list[int]:
        """Codes the next row; a decoder is given nothing."""
        row = [self.above[MARGIN]] * MARGIN
        for x in range(self.width):
            row.append(self._code(x, row, 0 if given is None else given[x]))
        self.above2, self.above = self.above, row + row[-1:] * MARGIN
        return row[MARGIN:]

    def _code(self, x: int, row: list[int], given: int) -> int:
        names = "WWW", "WW", "W", "NWW", "NW", "N", "NE", "NEE", "NNW", "NN", "NNE"
        a = dict(zip(names, row[x:] + self.above[x + 1 : x + 6] + self.above2[x + 2 : x + 5], strict=True))
        places = [place(*context(a)) for context in CONTEXTS]
        pixel = self._said(a, places, given)
        for history, at in zip(self.histories, places, strict=True):
            history.learn(at, pixel)
        return pixel

    def _said(self, a: dict[str, int], places: list[int], given: int) -> int:
        """The pixel, as soon as a bit has said it."""
        out: list[int] = []
        known = [history.at(at) for history, at in zip(self.histories, places, strict=True)]
        for j, (pixel, k) in enumerate(known):
            if pixel is None or pixel in out:
                continue
            same = [other == pixel for other, _ in known[j + 1 :]] + [False, False]
            n = (pixel == a["N"]) + 2 * (pixel == a["W"])
            number = (((16 * j + k) * 16 + self.last_bits[j]) * 4 + same[0] + 2 * same[1]) * 4 + n
            bit = self.coder.code(("predicted", number), pixel == given)
            self.last_bits[j] = (2 * self.last_bits[j] + bit) % 16
            if bit:
                return pixel
            out.append(pixel)
        e = sum((a[one] == a[other]) << k for k, (one, other) in enumerate(PAIRS))
        for i, name in enumerate(("W", "N", "NW", "NE")):
            if a[name] in out:
                continue
            if self.coder.code(("neighbour", (4 * e + i) * 2 + (len(out) >= 2)), a[name] == given):
                return a[name]
            out.append(a[name])
        if self.channels == 1:
            expected, activity = self._expected(a, 0)
            return self._difference(0, activity, expected, given)
        return self._new_colour(a, given)

    def _new_colour(self, a: dict[str, int], given: int) -> int:
        expected, activity = self._expected(a, 1)
        green = self._difference(1, activity, expected, component(given, 1))
        d = green - expected
        known, k = self.greens.at(green)
        if known is not None and self.coder.code(("green", k), known == given):
            pixel = known
        else:
            pixel, c = green << 16, length_class(d)
            for i in (0, 2):
                expected, activity = self._expected(a, i)
                expected = min(max(expected + d, 0), (1 << self.bits) - 1)
                value = self._difference(i, 10 * c + activity, expected, component(given, i))
                pixel |= value << 16 * i
                c = length_class(value - expected)
        self.greens.learn(green, pixel)
        return pixel

    def _expected(self, a: dict[str, int], i: int) -> tuple[int, int]:
        """What is expected of a component, and its activity."""
        w, n, nw, ne = (component(a[name], i) for name in ("W", "N", "NW", "NE"))
        return sorted((w, n, w + n - nw))[1], length_class(abs(w - nw) + abs(n - nw) + abs(n - ne))

    def _difference(self, i: int, t: int, expected: int, given: int) -> int:
        """Component i by its difference from what is expected."""
        half = 1 << self.bits - 1
        difference = (given - expected + half) % (2 * half) - half
        u = abs(difference)
        if not self.coder.code(("zero", i, t), difference != 0):
            return expected
        is_negative = self.coder.code(("negative", i, t), difference < 0)
        length = 1
        while length < self.bits and self.coder.code(("longer", i, 16 * t + length), u >> length != 0):
            length += 1
        found = 1
        for p in range(length - 2, -1, -1):
            q = 0 if p == length - 2 else 1 + found % 2 if p == length - 3 else 3
            kind = "below", i, (16 * (length - 1) + p) * 4 + q
            found = 2 * found + self.coder.code(kind, u >> p & 1 == 1)
        return (expected - found if is_negative else expected + found) % (2 * half)


def decode_lossless(data: bytes) -> np.ndarray:
    """The picture of a lossless file, (H, W, C) or (H, W)."""
    container = parse(data)
    need(container.lossless_rows is not None, "the file is not lossless")
    need(len(container.latents) == 1, f"{len(container.latents)} sections")
    (section,) = container.latents
    need((section.kind, section.precision) == (2, 16), f"kind {section.kind}, precision {section.precision}")
    channels, bits = container.samples.channels, container.samples.bits
    rows: list[list[int]] = []
    for stream, height in _bands(section.data, container):
        need(len(stream) // 6 << 16 >= height * container.width, f"{len(stream)} bytes for {height} rows")
        coder = BitDecoder(stream)
        band = Band(coder, container.width, channels, bits)
        rows += [band.code_row(None) for _ in range(height)]
        coder.finish()
    pixels = np.array(rows, np.uint64)
    planes = [pixels >> np.uint64(16 * i) & np.uint64(0xFFFF) for i in range(channels)]
    samples = np.stack(planes, axis=2).astype(container.samples.dtype)
    return samples if container.axes == 3 else samples[..., 0]


def _bands(payload: bytes, container: Container) -> Iterator[tuple[bytes, int]]:
    """Streams of all bands, and their rows."""
    starts = [*range(0, container.height, container.lossless_rows), container.height]
    cursor = Cursor(payload)
    lengths = [cursor.varint() for _ in starts[2:]]
    for length, (start, end) in zip([*lengths, None], pairwise(starts), strict=True):
        yield cursor.take(cursor.left() if length is None else length), end - start


def encode_lossless(pixels: np.ndarray, bits: int, band_rows: int) -> bytes:
    """The payload of a picture, (H, W, C) or (H, W), in bands of so many rows."""
    planes = pixels if pixels.ndim == 3 else pixels[..., None]
    packed = sum(planes[..., i].astype(np.uint64) << np.uint64(16 * i) for i in range(planes.shape[2]))
    streams = []
    for start in range(0, len(packed), band_rows):
        coder = BitEncoder()
        band = Band(coder, packed.shape[1], planes.shape[2], bits)
        for row in packed[start : start + band_rows].tolist():
            band.code_row(row)
        streams.append(coder.finish())
    return b"".join(_leb128(len(stream)) for stream in streams[:-1]) + b"".join(streams)


def _leb128(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
