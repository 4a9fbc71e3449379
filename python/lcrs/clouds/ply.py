"""PLY files: the points of one, in text or in bytes of either order, whatever their properties.

Read and written by NumPy alone, so that the format most clouds come in needs no further package. The format
is Greg Turk's (https://paulbourke.net/dataformats/ply/).
"""

from __future__ import annotations

import io
import struct
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.cloud import Cloud, check_count
from lcrs.clouds.errors import CloudError, cut, shown
from lcrs.clouds.ply_header import ORDERS, TYPES, Element, Header, parse_header
from lcrs.clouds.text import lines_of, parse_columns, rows_as_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_ply", "write_ply"]

_AXES = ("x", "y", "z")
_LEAST_TEXT = 2
"""Bytes that a number needs in a text: a digit, and what ends it."""


def read_ply(data: bytes, max_points: int) -> Cloud:
    """The element `vertex` of a PLY file.

    Raises:
        CloudError: the file is damaged, has no points, or more than are allowed.
    """
    header = parse_header(data)
    before: list[Element] = []
    for element in header.elements:
        if element.name == "vertex":
            break
        before.append(element)
    else:
        raise CloudError("PLY file has no element 'vertex'")
    _check_axes(element)
    check_count(element.count, max_points)
    columns = _read_text(data, header, before, element) if not header.order else None
    if columns is None:
        columns = _read_bytes(memoryview(data), header, before, element)
    losses = [
        f"{'faces' if other.name == 'face' else f'the element {cut(other.name)}'} ({other.count})"
        for other in header.elements
        if other is not element and other.count
    ]
    losses += [f"the list {cut(prop.name)} of every point" for prop in element.properties if prop.count_type]
    axes = [columns.pop(axis) for axis in _AXES]
    return Cloud(np.stack(axes, axis=1), columns, header.comments, tuple(losses))


def _check_axes(vertex: Element) -> None:
    plain = {prop.name for prop in vertex.properties if prop.count_type is None}
    if missing := [axis for axis in _AXES if axis not in plain]:
        raise CloudError(f"PLY points have no {', '.join(missing)}: {', '.join(_AXES)} are needed")


def _read_bytes(
    data: memoryview, header: Header, before: list[Element], vertex: Element
) -> dict[str, NDArray[Any]]:
    at = header.size
    for element in before:
        at = _after(data, at, element, header.order)
    if vertex.has_lists:
        return _rows_with_lists(data, at, vertex, header.order)
    row = vertex.row(header.order)
    _require(data, at, vertex, row.itemsize)
    rows = np.frombuffer(data, row, vertex.count, at)
    return {
        prop.name: rows[f"f{i}"].astype(row[i].newbyteorder("=")) for i, prop in enumerate(vertex.properties)
    }


def _require(data: memoryview, at: int, element: Element, size: int) -> None:
    """Raises unless all rows of an element are there."""
    whole = (len(data) - at) // size if size else element.count
    if whole < element.count:
        raise CloudError(f"PLY file ends in {cut(element.name)} {whole} of {element.count}")


def _after(data: memoryview, at: int, element: Element, order: str) -> int:
    """Where the element that begins at `at` ends."""
    if not element.has_lists:
        size = element.row(order).itemsize
        _require(data, at, element, size)
        return at + size * element.count
    return _walk(data, at, element, order)[1]


def _walk(data: memoryview, at: int, element: Element, order: str) -> tuple[array[int], int]:
    """Where in each row the plain values before each list begin, and those after the last; where rows end."""
    lists, plain = [], 0
    for prop in element.properties:
        size = np.dtype(prop.type).itemsize
        if prop.count_type is None:
            plain += size
        else:
            count = struct.Struct(order + np.dtype(prop.count_type).char)
            lists.append((prop.name, plain, count.unpack_from, count.size, size))
            plain = 0
    places, end = array("q"), len(data)
    for number in range(element.count):
        try:
            for name, before, unpack, head, size in lists:
                places.append(at)
                at += before
                (length,) = unpack(data, at)
                if length < 0:
                    where = f"PLY {cut(element.name)} {number}"
                    raise CloudError(f"{where}: list {shown(name)} has {length} values")
                at += head + length * size
        except struct.error:
            at = end + 1
        places.append(at)
        at += plain
        if at > end:
            raise CloudError(f"PLY file ends in {cut(element.name)} {number} of {element.count}")
    return places, at


def _rows_with_lists(data: memoryview, at: int, vertex: Element, order: str) -> dict[str, NDArray[Any]]:
    found, _ = _walk(data, at, vertex, order)
    places = np.array(found, np.int64).reshape(vertex.count, -1)
    octets = np.frombuffer(data, np.uint8)
    columns, stretch, offset = {}, 0, 0
    for prop in vertex.properties:
        if prop.count_type is not None:
            stretch, offset = stretch + 1, 0
            continue
        kind = np.dtype(order + prop.type)
        rows = octets[places[:, stretch, None] + np.arange(offset, offset + kind.itemsize)]
        columns[prop.name] = rows.view(kind)[:, 0].astype(prop.type)
        offset += kind.itemsize
    return columns


def _read_text(
    data: bytes, header: Header, before: list[Element], vertex: Element
) -> dict[str, NDArray[Any]]:
    plain = [i for i, prop in enumerate(vertex.properties) if prop.count_type is None]
    left = len(data) - header.size + 1  # the last number may end with the file
    if vertex.count * len(vertex.properties) * _LEAST_TEXT > left:
        raise CloudError(f"PLY file ends too early: {vertex.count} points do not fit into {left - 1} bytes")
    lines = io.BytesIO(lines_of(data))
    lines.seek(header.size)
    for element in before:
        for number in range(element.count):
            while not (line := lines.readline()).strip():
                if not line:
                    raise CloudError(f"PLY file ends in {cut(element.name)} {number} of {element.count}")
    if vertex.has_lists:
        lines = _without_lists(lines, vertex)
    named = [(vertex.properties[i].name, vertex.properties[i].type) for i in plain]
    if not named:
        return {}
    columns = parse_columns(lines, named, vertex.count, "PLY vertex")
    if (read := len(columns[named[0][0]])) < vertex.count:
        raise CloudError(f"PLY file ends in vertex {read} of {vertex.count}")
    return columns


def _without_lists(lines: io.BytesIO, vertex: Element) -> io.BytesIO:
    """The rows of the points, their lists left out."""
    kept = io.BytesIO()
    number = 0
    for line in lines:
        if number == vertex.count:
            break
        words = line.split()
        if not words:
            continue
        plain, at = [], 0
        for prop in vertex.properties:
            word = words[at : at + 1]
            at += 1
            if prop.count_type is None:
                plain += word
            elif word and word[0].isdigit() and len(word[0]) < 19:
                at += int(word[0])
            else:
                at = len(words) + 1
        if at != len(words):
            raise CloudError(f"PLY vertex {number} has {len(words)} words, which its lists do not fit")
        kept.write(b" ".join(plain) + b"\n")
        number += 1
    kept.seek(0)
    return kept


def write_ply(cloud: Cloud, encoding: str) -> tuple[bytes, list[str]]:
    """A PLY file, and what of the cloud it has no place for.

    Args:
        cloud: what to write.
        encoding: `ascii`, `binary_little_endian` or `binary_big_endian`.

    Raises:
        CloudError: a name or a number has no place in the format.
    """
    columns = dict(zip(_AXES, _writable("positions", cloud.positions).T, strict=True))
    columns |= {name: _writable(name, values) for name, values in cloud.properties.items()}
    names = {kind: name for name, kind in reversed(TYPES.items())}
    lines = ["ply", f"format {encoding} 1.0"]
    lines += [f"comment {line}".rstrip("\r") for text in cloud.comments for line in text.splitlines() or [""]]
    lines.append(f"element vertex {len(cloud)}")
    for name, values in columns.items():
        if not name or name.split() != [name] or not valid_text(name):
            raise CloudError(f"property {shown(name)} is no word: PLY has no place for it")
        lines.append(f"property {names[values.dtype.str[1:]]} {name}")
    head = "".join(f"{line}\n" for line in [*lines, "end_header"]).encode("utf-8", "surrogateescape")
    if encoding == "ascii":
        return head + rows_as_text(list(columns.values())), []
    order = ORDERS[encoding]
    rows = np.empty(
        len(cloud), [(f"f{i}", order + values.dtype.str[1:]) for i, values in enumerate(columns.values())]
    )
    for i, values in enumerate(columns.values()):
        rows[f"f{i}"] = values
    return head + rows.tobytes(), []


def valid_text(text: str) -> bool:
    """Whether text can be encoded; bytes that came from a file and are no UTF-8 can."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _writable(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Numbers in one of the format's types: those of 64 bits, which it lacks, in one that holds them."""
    if values.dtype == np.float16:
        return values.astype(np.float32)
    if values.dtype.kind == "f" or values.dtype.itemsize < 8:
        return values
    least, most = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for kind in (np.int32, np.uint32):
        if np.iinfo(kind).min <= least and most <= np.iinfo(kind).max:
            return values.astype(kind)
    if max(-least, most) > 1 << 53:
        raise CloudError(f"{cut(name)} has whole numbers beyond 2^53, which PLY has no type for")
    return values.astype(np.float64)
