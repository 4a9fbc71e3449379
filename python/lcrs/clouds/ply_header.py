"""The header of a PLY file: elements with their properties, before a byte of them is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from lcrs.clouds.errors import CloudError, shown

__all__ = ["ORDERS", "TYPES", "Element", "Header", "Property", "parse_header"]

TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
    "int64": "i8",
    "uint64": "u8",  # not in the format, but written by some
}  # fmt: skip
"""NumPy's types, without an order, by the names that headers have for them."""
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}

_MAX_BYTES = 1 << 20
_NUMBER = re.compile(r"[0-9]{1,18}")
_END = re.compile(rb"(?:^|[\r\n])end_header[ \t]*(\r\n|\n|\r)")


@dataclass(frozen=True)
class Property:
    """One value, or a list of values with their number before it, of each row of an element."""

    name: str
    type: str
    count_type: str | None = None


@dataclass(frozen=True)
class Element:
    """Rows of the same properties."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def has_lists(self) -> bool:
        """Whether rows may differ in length."""
        return any(prop.count_type is not None for prop in self.properties)

    def row(self, order: str) -> np.dtype[np.void]:
        """A row in bytes, where no property is a list. Names may be odd: fields have numbers instead."""
        return np.dtype([(f"f{i}", order + prop.type) for i, prop in enumerate(self.properties)])


@dataclass(frozen=True)
class Header:
    """What a PLY file says of itself; `size` bytes long."""

    order: str
    elements: tuple[Element, ...]
    comments: tuple[str, ...]
    size: int


def parse_header(data: bytes | memoryview) -> Header:
    """Reads the header.

    Raises:
        CloudError: naming the line that is wrong.
    """
    head = bytes(data[:_MAX_BYTES])
    if re.match(rb"ply[ \t]*[\r\n]", head) is None:
        raise CloudError("cloud is no PLY file: it does not begin with 'ply'")
    end = _END.search(head)
    if end is None:
        raise CloudError(f"PLY header has no end_header in {len(head)} bytes")
    text = head[: end.start()].decode("utf-8", "surrogateescape")
    size = end.end()
    if re.match(rb"ply[ \t]*\r(?!\n)", head) and end[1] == b"\r\n":
        size -= 1  # lines end in \r alone: what follows is the first byte of the points
    order: str | None = None
    comments: list[str] = []
    elements: list[tuple[str, int, list[Property]]] = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text)[1:], 2):
        words = line.split()
        where = f"PLY header, line {number}"
        match words:
            case []:
                continue
            case ["comment" | "obj_info", *_]:
                comments.append(line.strip().removeprefix(words[0])[1:])
            case ["format", kind, version]:
                if order is not None:
                    raise CloudError(f"{where}: a second format")
                if kind not in ORDERS or version != "1.0":
                    names = ", ".join(ORDERS)
                    raise CloudError(f"{where}: format {shown(f'{kind} {version}')}: {names}, 1.0 are known")
                order = ORDERS[kind]
            case ["element", name, count]:
                if _NUMBER.fullmatch(count) is None:
                    raise CloudError(f"{where}: {shown(name)} has {shown(count)} rows: 0 to 10^18 - 1")
                if any(name == other for other, _, _ in elements):
                    raise CloudError(f"{where}: a second element {shown(name)}")
                elements.append((name, int(count), []))
            case ["property", *rest]:
                if not elements:
                    raise CloudError(f"{where}: a property before any element")
                name, _, properties = elements[-1]
                prop = _property(rest, where)
                if any(prop.name == other.name for other in properties):
                    raise CloudError(f"{where}: {shown(name)} has two properties {shown(prop.name)}")
                properties.append(prop)
            case _:
                raise CloudError(f"{where}: {shown(line.strip())} is no line of a header")
    if order is None:
        raise CloudError("PLY header does not say its format")
    found = tuple(Element(name, count, tuple(properties)) for name, count, properties in elements)
    return Header(order, found, tuple(comments), size)


def _property(words: list[str], where: str) -> Property:
    match words:
        case ["list", count_type, kind, name]:
            if TYPES.get(count_type, "f")[0] == "f":
                raise CloudError(f"{where}: a list is counted in {shown(count_type)}: an integer is needed")
            counted: str | None = TYPES[count_type]
        case [kind, name]:
            counted = None
        case _:
            raise CloudError(f"{where}: property {shown(' '.join(words))}: a type and a name are needed")
    if kind not in TYPES:
        raise CloudError(f"{where}: {shown(name)} has type {shown(kind)}: there are {', '.join(TYPES)}")
    return Property(name, TYPES[kind], counted)
