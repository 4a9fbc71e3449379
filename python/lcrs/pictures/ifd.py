"""Directories of TIFF files, which EXIF blocks are made of: read, changed in place, moved elsewhere.

A directory (IFD) is a list of entries: a tag, the type and number of its values, and where they lie. Camera
data have directories of their own, which an entry of the first one points to. Everything is checked against
the length of the block, and no more than three levels are followed.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from lcrs.pictures.source import Buffer

__all__ = ["Directory", "Entry", "TiffBlock", "build", "resolution_entries", "swapped", "with_entries"]

_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}
"""Bytes that change places between the two byte orders, by type."""
_SIZE = _UNIT | {5: 8, 10: 8}
SUB_DIRECTORIES = {0x8769: "camera", 0x8825: "GPS", 0xA005: "interoperability"}
"""The tags that point to directories, and what these tell of; the last one is in that of the camera."""
_LEVELS = 3


@dataclass(frozen=True)
class Entry:
    """One tag and its values."""

    tag: int
    type: int
    count: int
    data: bytes
    order: str
    """The byte order of the values, `<` or `>`."""
    at: int = 0
    """Where they lie in the block that they come from."""
    below: Directory | None = None
    """The directory that it points to."""


@dataclass(frozen=True)
class Directory:
    """Entries by their tags, in ascending order."""

    entries: dict[int, Entry] = field(default_factory=dict)
    next_at: int = 0
    """Where the block says where the next directory is."""


class TiffBlock:
    """A TIFF file or an EXIF block, its first directory read.

    Args:
        data: all of it.
        at: where that directory begins, if it is not the first one of the file.

    Directories below that are damaged are left out, and named in `damaged`.

    Raises:
        ValueError: it is neither, or ends before what it announces.
    """

    def __init__(self, data: Buffer, at: int | None = None) -> None:
        self.data = data
        self.damaged: list[str] = []
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4], "")
        if not self.order:
            raise ValueError("it does not begin as TIFF does")
        self._room = (
            2 * len(data) + 1024
        )  # values may share bytes, but not so often that they fill the memory
        self.first = self._directory(self._unpack("I", 4)[0] if at is None else at, _LEVELS)

    def integer(self, tag: int, default: int = 0) -> int:
        """The value of a tag of the first directory that is a whole number."""
        entry = self.first.entries.get(tag)
        code = {1: "B", 3: "H", 4: "I"}.get(entry.type) if entry else None
        if entry is None or code is None or entry.count < 1:
            return default
        return int(struct.unpack_from(self.order + code, entry.data)[0])

    def rational(self, tag: int) -> float | None:
        """The value of a tag of the first directory that is a fraction, above 0."""
        entry = self.first.entries.get(tag)
        if entry is None or entry.type != 5 or entry.count < 1:
            return None
        above, below = struct.unpack_from(f"{self.order}II", entry.data)
        return above / below if above and below else None

    def resolution(self) -> tuple[float, float] | None:
        """Pixels an inch, if it says so."""
        x, y = self.rational(0x011A), self.rational(0x011B)
        scale = {2: 1.0, 3: 2.54}.get(self.integer(0x0128, 2))
        return None if x is None or y is None or scale is None else (x * scale, y * scale)

    def _unpack(self, code: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + code, self.data, at)
        except struct.error:
            raise ValueError(f"it ends before byte {at + struct.calcsize(code)}") from None

    def _directory(self, at: int, levels: int) -> Directory:
        (count,) = self._unpack("H", at)
        entries: dict[int, Entry] = {}
        broken: set[int] = set()  # what is read once is not read again, or a short block could take hours
        for start in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, values = self._unpack("HHI", start)
            if kind not in _SIZE or tag in entries or tag in broken:
                continue
            length = _SIZE[kind] * values
            place = start + 8 if length <= 4 else self._unpack("I", start + 8)[0]
            if place + length > len(self.data):
                raise ValueError(f"tag {tag} ends after the last byte")
            self._room -= length
            if self._room < 0:
                raise ValueError("its values are more than its bytes")
            below = None
            if tag in SUB_DIRECTORIES:
                if kind not in (4, 13) or values != 1 or levels == 1:
                    continue
                try:
                    below = self._directory(self._unpack("I", place)[0], levels - 1)
                except ValueError:
                    broken.add(tag)
                    self.damaged.append(f"the {SUB_DIRECTORIES[tag]} part of EXIF (damaged)")
                    continue
            entries[tag] = Entry(
                tag, kind, values, self.data[place : place + length], self.order, place, below
            )
        return Directory(entries, at + 2 + 12 * count)


def serialized(
    entries: Iterable[Entry], order: str, base: int, *, staying: Collection[int] = (), link: bytes = bytes(4)
) -> bytes:
    """The bytes of a directory, of all its values and of those below it, to be put at `base` of a block.

    Args:
        entries: what is to be written.
        order: the byte order to write, `<` or `>`.
        base: where the first byte will lie.
        staying: tags whose values, and what these point to, are in the block already.
        link: what points to the next directory.
    """
    ascending = sorted(entries, key=lambda entry: entry.tag)
    table, rest = b"", b""
    end = base + 2 + 12 * len(ascending) + 4
    for entry in ascending:
        at = end + len(rest)
        extra = b""
        if entry.tag in staying:
            value = entry.data if len(entry.data) <= 4 else struct.pack(f"{order}I", entry.at)
        elif entry.below is not None:
            extra = serialized(entry.below.entries.values(), order, at)
            value = struct.pack(f"{order}I", at)
        else:
            data = entry.data if order == entry.order else swapped(entry.data, _UNIT[entry.type])
            value, extra = (data, b"") if len(data) <= 4 else (struct.pack(f"{order}I", at), data)
        table += struct.pack(f"{order}HHI", entry.tag, entry.type, entry.count) + value.ljust(4, b"\0")
        rest += extra + bytes(len(extra) % 2)
    return struct.pack(f"{order}H", len(ascending)) + table + link + rest


def build(entries: Iterable[Entry], order: str = "<") -> bytes:
    """A block with these entries in its first directory."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + serialized(entries, order, 8)


def with_entries(block: TiffBlock, new: Iterable[Entry]) -> bytes:
    """The block with more entries in its first directory.

    What it has stays where it is; its first directory is written again at the end.
    """
    added = {entry.tag: entry for entry in new}
    data = bytes(block.data) + bytes(len(block.data) % 2)
    link = block.data[block.first.next_at : block.first.next_at + 4].ljust(4, b"\0")
    entries = (block.first.entries | added).values()
    staying = block.first.entries.keys() - added.keys()
    directory = serialized(entries, block.order, len(data), staying=staying, link=link)
    return data[:4] + struct.pack(f"{block.order}I", len(data)) + data[8:] + directory


def resolution_entries(resolution: tuple[float, float], order: str) -> list[Entry]:
    """The three tags that say how many pixels an inch has."""
    across, down = (struct.pack(f"{order}II", *_fraction(number)) for number in resolution)
    unit = struct.pack(f"{order}H", 2)
    return [
        Entry(0x011A, 5, 1, across, order),
        Entry(0x011B, 5, 1, down, order),
        Entry(0x0128, 3, 1, unit, order),
    ]


def _fraction(number: float) -> tuple[int, int]:
    """A fraction of two 32-bit numbers, exact to nine digits."""
    below = 1
    while below < 10_000 and number * below != int(number * below):
        below *= 10
    return max(1, min(round(number * below), 0xFFFFFFFF)), below


def swapped(data: bytes, unit: int) -> bytes:
    """The same values in the other byte order."""
    if unit == 1:
        return data
    swapped = bytearray(len(data))
    for i in range(unit):
        swapped[i::unit] = data[unit - 1 - i :: unit]
    return bytes(swapped)
