"""A container around the payload of a lossless picture, written from the specification."""

from __future__ import annotations

from reader.container import MAGIC, crc32c


def leb128(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def lossless_file(
    width: int,
    height: int,
    fields: bytes,
    payload: bytes,
    *,
    name: bytes = b"lossless",
    numerics: int = 1,
    digests: bytes = bytes(16),
    section: tuple[int, int, int] = (0, 2, 16),
) -> bytes:
    """A file of one section; ``fields`` are as they stand in the header."""
    entry = bytes(section) + leb128(len(payload)) + crc32c(payload).to_bytes(4, "little")
    base = bytes([numerics]) + digests + bytes([len(name)]) + name + leb128(width) + leb128(height)
    body = base + b"\1" + entry + fields
    header = MAGIC + b"\1" + leb128(len(body)) + body
    return header + crc32c(header).to_bytes(4, "little") + payload


def band_field(rows: int) -> bytes:
    """The field that says that a picture is lossless, in bands of so many rows."""
    value = leb128(rows)
    return bytes([9, len(value)]) + value
