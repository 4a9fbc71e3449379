"""EXIF blocks: the orientation made neutral, and taken from and put into TIFF files.

Blocks stay as they are but for single values, so that what only their makers understand stays right.
"""

from __future__ import annotations

import re
import struct

from lcrs.pictures.ifd import Entry, TiffBlock, build, resolution_entries, with_entries

__all__ = ["DESCRIPTIVE", "add_to_tiff", "from_tiff", "upright", "upright_xmp", "with_resolution"]

PREFIX = b"Exif\0\0"
_ORIENTATION = 0x0112
_CAMERA = 0x8769
_RESOLUTION = frozenset({0x011A, 0x011B, 0x0128})
DESCRIPTIVE = frozenset(
    {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298, 0xC4A5}
    | set(range(0x9C9B, 0x9CA0))
    | {_CAMERA, 0x8825}
)
"""Tags of a first directory that say something of the photo, not of how a file stores it."""
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>))\s*\d+")


def upright(exif: bytes, size: tuple[int, int], *, turned: bool) -> bytes:
    """The block for a picture whose orientation has been applied.

    Args:
        exif: the block from its TIFF header on.
        size: height and width of the picture as it is now.
        turned: whether applying it changed the picture; then a thumbnail in the block no longer fits, and is
            no longer pointed to.

    Raises:
        ValueError: the block is damaged.
    """
    block = TiffBlock(exif)
    data = bytearray(exif)

    def put(entry: Entry | None, number: int) -> None:
        code = {3: "H", 4: "I"}.get(entry.type) if entry else None
        if entry is not None and code is not None and entry.count == 1 and number < 1 << 8 * len(entry.data):
            struct.pack_into(block.order + code, data, entry.at, number)

    put(block.first.entries.get(_ORIENTATION), 1)
    if turned:
        camera = block.first.entries.get(_CAMERA)
        if camera and camera.below:
            put(camera.below.entries.get(0xA002), size[1])
            put(camera.below.entries.get(0xA003), size[0])
        if block.first.next_at + 4 <= len(data):
            data[block.first.next_at : block.first.next_at + 4] = bytes(4)
    return bytes(data)


def upright_xmp(packet: bytes) -> bytes:
    """The XMP packet of a picture whose orientation has been applied."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", packet)


def from_tiff(block: TiffBlock) -> bytes | None:
    """What a TIFF file says of its photo, as an EXIF block."""
    entries = block.first.entries
    if entries.keys().isdisjoint(DESCRIPTIVE):
        return None
    return build((entries[tag] for tag in entries.keys() & (DESCRIPTIVE | _RESOLUTION)), block.order)


def add_to_tiff(
    tiff: bytes, exif: bytes | None = None, xmp: bytes | None = None, iptc: bytes | None = None
) -> bytes:
    """The TIFF file with what an EXIF block says of the photo, an XMP packet and IPTC records.

    Raises:
        ValueError: the block is damaged.
    """
    file = TiffBlock(tiff)
    new: list[Entry] = []
    if exif is not None:
        entries = TiffBlock(exif).first.entries
        new += [entries[tag] for tag in entries.keys() & DESCRIPTIVE]
    if xmp is not None:
        new.append(Entry(700, 1, len(xmp), xmp, file.order))
    if iptc is not None:
        # By custom a multiple of four bytes, as if they were numbers.
        padded = iptc + bytes(-len(iptc) % 4)
        new.append(Entry(33723, 4, len(padded) // 4, padded, file.order))
    return with_entries(file, new) if new else tiff


def with_resolution(exif: bytes | None, resolution: tuple[float, float]) -> bytes:
    """The block, or a new one, saying how many pixels an inch has, unless it does.

    Raises:
        ValueError: the block is damaged.
    """
    if exif is None:
        return build(resolution_entries(resolution, "<"))
    block = TiffBlock(exif)
    if block.resolution() is not None:
        return exif
    return with_entries(block, resolution_entries(resolution, block.order))
