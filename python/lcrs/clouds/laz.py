"""What a LAZ file says of its chunks, before anything is allocated for them.

The layout is that of LASzip (Isenburg, "LASzip: lossless compression of LiDAR data", PE&RS 2013): a record
lists the items of a point and the points of a chunk; chunks follow, then a table of their sizes; in chunks of
layers each layer has its size in front.
"""

from __future__ import annotations

import io
import struct
from typing import Any

from lcrs.clouds.errors import CloudError, library

__all__ = ["check_chunks"]

_CHUNKED, _LAYERED = 2, 3
_VARIABLE = 0xFFFF_FFFF
_LAYERS = {10: 9, 11: 1, 12: 2, 13: 1}
"""Layers of the items point, RGB, RGB with NIR and wave packet of layered files; bytes have one each."""
_BYTES = 14
_ALLOCATED = 1 << 20
"""Points of a chunk that may be allocated whole; in files, 50,000 are usual."""


def check_chunks(data: bytes, header: Any) -> bool:
    """Raises unless the sizes of chunks and layers are those of the file.

    Args:
        data: the file.
        header: laspy's header of it.

    Returns:
        Whether chunks are so small that they may be decoded side by side, each in memory of its own.

    Raises:
        CloudError: a size is none of this file, or lazrs is not installed.
    """
    lazrs = library("lazrs", "LAZ")
    record = bytes(header.vlrs[header.vlrs.index("LasZipVlr")].record_data)
    if len(record) < 34:
        raise CloudError(f"LAZ file has a LASzip record of {len(record)} bytes, 34 are the least")
    kind, size, num_items = *struct.unpack_from("<H", record), *struct.unpack_from("<I16xH", record, 12)
    if len(record) < 34 + 6 * num_items:
        raise CloudError(f"LAZ file has {num_items} items in a record of {len(record)} bytes")
    items = [struct.unpack_from("<HHH", record, 34 + 6 * i) for i in range(num_items)]
    if (point := sum(item[1] for item in items)) != header.point_format.size:
        raise CloudError(f"LAZ file has items of {point} bytes, points of {header.point_format.size}")
    if kind not in (_CHUNKED, _LAYERED):
        return False
    sizes = _table(data, header, size, lazrs, record)
    if kind == _LAYERED:
        _check_layers(data, header.offset_to_point_data + 8, sizes, point, items)
    return bool(size <= _ALLOCATED or size == _VARIABLE)


def _table(data: bytes, header: Any, size: int, lazrs: Any, record: bytes) -> list[int]:
    """The bytes of each chunk, which together are those between the header and the table."""
    start, points = header.offset_to_point_data + 8, header.point_count
    if start > len(data):
        raise CloudError(f"LAZ file ends before its points, at byte {len(data)}")
    (at,) = struct.unpack_from("<q", data, start - 8)
    if at == -1:  # a writer that could not go back
        (at,) = struct.unpack_from("<q", data, len(data) - 8)
    if not start <= at <= len(data) - 8:
        raise CloudError(f"LAZ file of {len(data)} bytes has its table of chunks at byte {at}")
    (chunks,) = struct.unpack_from("<I", data, at + 4)
    wanted = {-(-points // size)} if 0 < size < _VARIABLE else range(points + 1)
    # The first point of each chunk is there as it is.
    if chunks not in wanted or chunks * header.point_format.size > at - start:
        many = f"chunks of {size}" if size < _VARIABLE else "chunks"
        raise CloudError(f"LAZ file has {chunks} {many} points in {at - start} bytes for {points} points")
    stream = io.BytesIO(data)
    stream.seek(at)
    table = lazrs.read_chunk_table_only(stream, lazrs.LazVlr(record)) if chunks else []
    counted, total = sum(count for count, _ in table), sum(number for _, number in table)
    if total != at - start or (size == _VARIABLE and counted != points):
        raise CloudError(f"LAZ file has chunks of {total} bytes, there are {at - start}, {points} points")
    return [number for _, number in table]


def _check_layers(data: bytes, at: int, sizes: list[int], point: int, items: list[Any]) -> None:
    """Raises if the layers of a chunk are longer than it is."""
    layers = sum(size if kind == _BYTES else _LAYERS.get(kind, 0) for kind, size, _ in items)
    head = point + 4 + 4 * layers
    for number, size in enumerate(sizes):
        found = sum(struct.unpack_from(f"<{layers}I", data, at + point + 4)) if size >= head else 0
        if head + found > size:
            raise CloudError(f"LAZ file has {head + found} bytes of layers in chunk {number} of {size}")
        at += size
