"""PCD files of the Point Cloud Library, version 0.7: in text, in bytes, and in compressed bytes."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.cloud import Cloud, check_count
from lcrs.clouds.errors import CloudError, library, shown
from lcrs.clouds.naming import cloud_of_columns
from lcrs.clouds.text import lines_of, parse_columns, rows_as_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_pcd", "write_pcd"]

_MAX_HEADER = 1 << 20
_EXPANSION = 100
"""No byte of LZF stands for more: 264 in three."""
_TITLE = ".PCD v0.7 - Point Cloud Data file format"
_NORMALS = {"normal_x": "nx", "normal_y": "ny", "normal_z": "nz"}
_UPRIGHT = ["0", "0", "0", "1", "0", "0", "0"]
_KEYS = {"VERSION", "FIELDS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT", "POINTS", "DATA"}
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class _Header:
    """Fields as (name, NumPy's type without an order, number of values), and what else the header says."""

    fields: list[tuple[str, str, int]]
    points: int
    kind: str
    comments: tuple[str, ...]
    losses: list[str]
    size: int

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Every single value of a point: a field of several becomes several, padding keeps no name."""
        found = []
        for name, kind, count in self.fields:
            found += [(name if count == 1 else f"{name}_{i}", kind) for i in range(count)]
        return [(f"_{i}" if name.startswith("_") else name, kind) for i, (name, kind) in enumerate(found)]


def read_pcd(data: bytes, max_points: int) -> Cloud:
    """The points of a PCD file.

    `rgb` and `rgba`, four bytes in one number, become `red`, `green`, `blue` and `alpha`;
    `normal_x` and so on `nx`; fields of several values one property each.

    Raises:
        CloudError: it is damaged or too large, or compressed and imagecodecs is not installed.
    """
    if b"DATA ascii" in data[:_MAX_HEADER]:
        data = lines_of(data)
    header = _parse(data)
    check_count(header.points, max_points)
    columns = header.columns
    if header.kind == "ascii":
        if header.points * len(columns) * 2 > len(data) - header.size + 1:
            raise CloudError(f"PCD file ends too early: {header.points} points are not in it")
        values = parse_columns(io.BytesIO(data[header.size :]), columns, header.points, "PCD point")
        if (read := len(values[columns[0][0]])) < header.points:
            raise CloudError(f"PCD file ends in point {read} of {header.points}")
    else:
        values = _from_bytes(data, header)
    named = {name: array for name, array in values.items() if not name.startswith("_")}
    return cloud_of_columns(_unpacked(named), comments=header.comments, losses=tuple(header.losses))


def _parse(data: bytes) -> _Header:
    said: dict[str, list[str]] = {}
    comments = []
    at = 0
    while "DATA" not in said:
        end = data.find(b"\n", at, _MAX_HEADER)
        if end < 0:
            raise CloudError("PCD header does not end: it has no line DATA")
        line = data[at:end].decode("utf-8", "surrogateescape").strip()
        at = end + 1
        if line.startswith("#"):
            comments += [line[1:].strip()] if line[1:].strip() != _TITLE else []
        elif words := line.split():
            if words[0] not in _KEYS or words[0] in said:
                raise CloudError(f"PCD header: {shown(line)} is no line of it, or comes twice")
            said[words[0]] = words[1:]
    if missing := [key for key in ("FIELDS", "SIZE", "TYPE", "WIDTH") if key not in said]:
        raise CloudError(f"PCD header has no {missing[0]}")
    names = said["FIELDS"]
    lists = [said["SIZE"], said["TYPE"], said.get("COUNT", ["1"] * len(names))]
    if any(len(words) != len(names) for words in lists):
        raise CloudError(
            f"PCD header: {len(names)} fields, but {[len(words) for words in lists]} sizes, types, counts"
        )
    fields = [_field(*words) for words in zip(names, *lists, strict=True)]
    width, height = (_count(said.get(key, ["1"]), key) for key in ("WIDTH", "HEIGHT"))
    points = _count(said["POINTS"], "POINTS") if "POINTS" in said else width * height
    if points != width * height:
        raise CloudError(f"PCD header: {points} points, but {width} x {height} of them")
    kind = " ".join(said["DATA"])
    if kind not in ("ascii", "binary", "binary_compressed"):
        raise CloudError(f"PCD header: DATA is {shown(kind)}: ascii, binary, binary_compressed are known")
    losses = [f"the order in {height} rows of {width}"] if height > 1 else []
    if said.get("VIEWPOINT", _UPRIGHT) != _UPRIGHT:
        losses.append(f"the viewpoint ({' '.join(said['VIEWPOINT'])[:80]})")
    header = _Header(fields, points, kind, tuple(comments), losses, at)
    _check_names(header)
    return header


def _field(name: str, size: str, kind: str, count: str) -> tuple[str, str, int]:
    code = {"I": "i", "U": "u", "F": "f"}.get(kind, "?") + size
    if code not in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"):
        raise CloudError(
            f"PCD header: field {shown(name)} has type {kind[:9]} of size {size[:9]}: there is none"
        )
    return name, code, _count([count], f"COUNT of {shown(name)}")


def _count(words: list[str], key: str) -> int:
    text = " ".join(words)
    if _NUMBER.fullmatch(text) is None:
        raise CloudError(f"PCD header: {key} is {shown(text)}: 0 to {10**9 - 1}")
    return int(text)


def _check_names(header: _Header) -> None:
    if (values := sum(count for _, _, count in header.fields)) > 1 << 16:
        raise CloudError(f"PCD header: {values} values a point: {1 << 16} are allowed")
    names = [name for name, _ in header.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CloudError(f"PCD header: two fields {shown(twice)}")


def _from_bytes(data: bytes, header: _Header) -> dict[str, NDArray[Any]]:
    columns = header.columns
    row = np.dtype([(f"f{i}", f"<{kind}") for i, (_, kind) in enumerate(columns)])
    if header.kind == "binary":
        whole = (len(data) - header.size) // max(row.itemsize, 1)
        if whole < header.points:
            raise CloudError(f"PCD file ends in point {whole} of {header.points}")
        rows = np.frombuffer(data, row, header.points, header.size)
        return {name: rows[f"f{i}"].astype(kind) for i, (name, kind) in enumerate(columns)}
    body = _decompressed(data, header, row.itemsize)
    found: dict[str, NDArray[Any]] = {}
    at = 0
    for _, kind, count in header.fields:  # field after field, the values of a point beside each other
        values = np.frombuffer(body, f"<{kind}", header.points * count, at).reshape(-1, count)
        at += values.nbytes
        for i in range(count):
            label, _ = columns[len(found)]
            found[label] = values[:, i].astype(kind)
    return found


def _decompressed(data: bytes, header: _Header, row: int) -> bytes:
    if len(data) - header.size < 8:
        raise CloudError("PCD file ends before its points")
    packed, unpacked = struct.unpack_from("<II", data, header.size)
    if unpacked != header.points * row:
        raise CloudError(
            f"PCD file has {unpacked} bytes of points, {header.points} points need {header.points * row}"
        )
    body = data[header.size + 8 : header.size + 8 + packed]
    if len(body) < packed or unpacked > _EXPANSION * (packed + 1):
        raise CloudError(f"PCD file ends too early: {len(body)} of {packed} bytes, {unpacked} when unpacked")
    if not unpacked:
        return b""
    codecs = library("imagecodecs", "PCD in compressed bytes")
    try:
        found = bytes(codecs.lzf_decode(body, out=unpacked))
    except Exception as error:
        raise CloudError(f"PCD file cannot be unpacked: {' '.join(str(error).split())[:120]}") from None
    if len(found) != unpacked:
        raise CloudError(f"PCD file unpacks to {len(found)} bytes, not {unpacked}")
    return found


def _unpacked(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The same with colours as bytes and the names that PLY has."""
    found: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        if name in ("rgb", "rgba") and values.dtype.itemsize == 4:
            packed = values.view(np.uint32)
            parts = {"red": 16, "green": 8, "blue": 0} | ({"alpha": 24} if name == "rgba" else {})
            found |= {part: (packed >> shift & 255).astype(np.uint8) for part, shift in parts.items()}
        else:
            found[_NORMALS.get(name, name)] = values
    return found


def write_pcd(cloud: Cloud, encoding: str) -> tuple[bytes, list[str]]:
    """A PCD file, and what of the cloud it has no place for.

    Args:
        cloud: what to write. Colours of bytes become `rgb` (with an alpha `rgba`), normals
            `normal_x` and so on.
        encoding: `binary`, `ascii` or `binary_compressed`.

    Raises:
        CloudError: a name has no place in the format, or imagecodecs is missing.
    """
    columns = _packed(dict(zip("xyz", cloud.positions.T, strict=True)) | dict(cloud.properties))
    columns = {name: v.astype(np.float32) if v.dtype == np.float16 else v for name, v in columns.items()}
    if odd := [name for name in columns if name.split() != [name] or name.startswith("_")]:
        raise CloudError(f"property {shown(odd[0])}: PCD has no place for it")
    kinds = [values.dtype for values in columns.values()]
    lines = [
        f"# {_TITLE}",
        *(f"# {line}" for text in cloud.comments for line in text.splitlines()),
        "VERSION 0.7",
    ]
    lines.append(" ".join(("FIELDS", *columns)))
    lines.append(" ".join(("SIZE", *(str(kind.itemsize) for kind in kinds))))
    lines.append(" ".join(("TYPE", *(kind.kind.upper() for kind in kinds))))
    lines.append(" ".join(("COUNT", *("1" for _ in kinds))))
    lines += [
        f"WIDTH {len(cloud)}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {len(cloud)}",
        f"DATA {encoding}",
    ]
    head = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    arrays = list(columns.values())
    if encoding == "ascii":
        return head + rows_as_text(arrays), []
    if encoding == "binary":
        rows = np.empty(len(cloud), [(f"f{i}", kind.newbyteorder("<")) for i, kind in enumerate(kinds)])
        for i, values in enumerate(arrays):
            rows[f"f{i}"] = values
        return head + rows.tobytes(), []
    body = b"".join(values.astype(values.dtype.newbyteorder("<")).tobytes() for values in arrays)
    if len(body) >> 32:
        raise CloudError(f"cloud has {len(body)} bytes: PCD can compress {2**32 - 1}")
    packed = bytes(library("imagecodecs", "PCD in compressed bytes").lzf_encode(body)) if body else b""
    return head + struct.pack("<II", len(packed), len(body)) + packed, []


def _packed(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The same with colours of bytes in one number, and the names that PCD has."""
    parts = [name for name in ("blue", "green", "red", "alpha") if name in columns]
    is_packed = parts[:3] == ["blue", "green", "red"] and all(columns[n].dtype == np.uint8 for n in parts)
    names = {theirs: ours for ours, theirs in _NORMALS.items()}
    found: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        if is_packed and name in parts:
            packed = sum(columns[part].astype(np.uint32) << np.uint32(8 * i) for i, part in enumerate(parts))
            found["rgba" if "alpha" in parts else "rgb"] = np.asarray(packed, np.uint32)
        else:
            found[names.get(name, name)] = values
    return found
