"""Files of deep components that Pillow cannot write: PNG, TIFF, SGI."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels: np.ndarray, *chunks: bytes, filters: bool = True) -> bytes:
    """(H, W, C) of uint8 or uint16, each row with another filter."""
    height, width, channels = pixels.shape
    big = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = np.frombuffer(big.tobytes(), np.uint8).reshape(height, -1)
    step = rows.shape[1] // width
    left, above = np.zeros_like(rows), np.zeros_like(rows)
    left[:, step:], above[1:] = rows[:, :-step], rows[:-1]
    filtered = [rows, rows - left, rows - above, rows - ((left.astype(int) + above) // 2).astype(np.uint8)]
    lines = (bytes([y % 4 * filters]) + filtered[y % 4 * filters][y].tobytes() for y in range(height))
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBB", width, height, 8 * pixels.dtype.itemsize, kind) + bytes(3)
    body = chunk(b"IDAT", zlib.compress(b"".join(lines)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + body + chunk(b"IEND", b"")


def tiff(
    pixels: np.ndarray, order: str = "<", *, deflate: bool = False, planar: bool = False, **tags: int
) -> bytes:
    """(H, W, C) of uint8, uint16 or float32 in one strip, or one for each plane."""
    height, width, channels = pixels.shape
    data = pixels.astype(pixels.dtype.newbyteorder(order))
    strips = [data[..., i].tobytes() for i in range(channels)] if planar else [data.tobytes()]
    if deflate:
        strips = [zlib.compress(strip) for strip in strips]
    offsets = np.cumsum([8, *map(len, strips)]).tolist()
    kind = 3 if pixels.dtype.kind == "f" else 1
    entries = {
        256: [width], 257: [height], 258: [8 * pixels.dtype.itemsize] * channels, 259: [8 if deflate else 1],
        262: [tags.get("photometric", 1 if channels < 3 else 2)], 273: offsets[:-1], 277: [channels],
        278: [height], 279: [len(strip) for strip in strips], 284: [2 if planar else 1],
        339: [kind] * channels,
    }  # fmt: skip
    if "extra" in tags:
        entries[338] = [tags["extra"]]
    entries |= {int(name[1:]): [value] for name, value in tags.items() if name[1:].isdecimal()}
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    start = 8 + len(body)
    table, rest, end = b"", b"", start + 2 + 12 * len(entries) + 4
    for tag, values in sorted(entries.items()):
        wide = tag in (256, 257, 273, 278, 279)
        packed = struct.pack(f"{order}{len(values)}{'I' if wide else 'H'}", *values)
        if len(packed) > 4:
            place = struct.pack(f"{order}I", end + len(rest))
            rest += packed + bytes(len(packed) % 2)
        else:
            place = packed.ljust(4, b"\0")
        table += struct.pack(f"{order}HHI", tag, 4 if wide else 3, len(values)) + place
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + body + struct.pack(f"{order}H", len(entries)) + table + bytes(4) + rest


def sgi(pixels: np.ndarray, *, runs: bool) -> bytes:
    """(H, W, C) of uint16, plain or run by run."""
    height, width, channels = pixels.shape
    head = struct.pack(
        ">hBBHHHHii", 474, runs, 2, 3 if channels > 1 else 2, width, height, channels, 0, 65535
    )
    head = head.ljust(512, b"\0")
    planes = pixels[::-1].transpose(2, 0, 1)
    if not runs:
        return head + planes.astype(">u2").tobytes()
    rows = []
    for row in planes.reshape(-1, width):
        words, at = [], 0
        while at < width:
            same = 1
            while at + same < width and row[at + same] == row[at] and same < 127:
                same += 1
            count = min(5, width - at)
            words += [same, row[at]] if same > 1 else [0x80 | count, *row[at : at + count]]
            at += same if same > 1 else count
        rows.append(np.array([*words, 0], ">u2").tobytes())
    starts = np.cumsum([512 + 8 * len(rows), *map(len, rows)])[:-1]
    tables = np.concatenate([starts, [len(row) for row in rows]]).astype(">u4")
    return head + tables.tobytes() + b"".join(rows)
