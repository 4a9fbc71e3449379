"""Files that Pillow cannot write: deep components in PNG, TIFF, SGI; layers in PSD."""

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


def _psd_plane(plane: np.ndarray, kind: int) -> bytes:
    """A channel, each kind in another way: as it is, as runs, deflated, deflated after differences."""
    rows = [row.tobytes() for row in plane]
    if kind == 0:
        return bytes(2) + plane.tobytes()
    if kind == 1:  # PackBits of literals
        return struct.pack(f">H{len(rows)}H", 1, *(1 + len(row) for row in rows)) + b"".join(
            bytes([len(row) - 1]) + row for row in rows
        )
    if kind == 2:
        return b"\0\2" + zlib.compress(plane.tobytes())
    return b"\0\3" + zlib.compress(np.diff(plane, axis=1, prepend=np.uint8(0)).tobytes())


def psd(merged: np.ndarray, *layers: tuple[int, int, np.ndarray]) -> bytes:
    """Colours (H, W, 3) of uint8, with layers: top, left, and RGB or RGBA of any size, from below."""
    height, width, _ = merged.shape
    records = planes = b""
    for top, left, pixels in layers:
        rows, columns, channels = pixels.shape
        records += struct.pack(">4iH", top, left, top + rows, left + columns, channels)
        for number in (-1, 0, 1, 2)[4 - channels :]:
            plane = _psd_plane(pixels[..., number], number)
            records += struct.pack(">hI", number, len(plane))
            planes += plane
        records += b"8BIMnorm" + bytes([255, 0, 0, 0]) + struct.pack(">III", 12, 0, 0) + b"\x01a\0\0"
    info = struct.pack(">h", len(layers)) + records + planes
    info += bytes(len(info) % 2)
    both = struct.pack(">I", len(info)) + info + bytes(4)
    head = b"8BPS" + struct.pack(">H6xHIIHHII", 1, 3, height, width, 8, 3, 0, 0)
    body = bytes(2) + b"".join(merged[..., i].tobytes() for i in range(3))
    return head + struct.pack(">I", len(both)) + both + body
