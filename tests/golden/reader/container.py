"""The `.lcrs` container: header, fields, sections."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

from reader.samples import RGB8, Samples, array, picture
from reader.wrong import WrongFile, need

MAGIC = bytes.fromhex("8C4C4353")
VERSION = 1
ANCILLARY = 0x80
METADATA = {0x81: "icc", 0x82: "exif", 0x83: "xmp", 0x84: "iptc"}


@dataclass
class Section:
    kind: int
    precision: int
    data: bytes
    id: int = 0


@dataclass
class Cloud:
    """What a file says of a point cloud."""

    type: str
    lossless: bool
    num_points: int
    num_leaves: int
    depth: int
    low_bits: int
    origin: tuple[float, ...]
    rational: tuple[int, int] | None
    step: float
    attributes: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Container:
    entropy_digest: bytes
    synthesis_digest: bytes
    model: str
    width: int
    height: int
    portable: bool
    latents: list[Section] = field(default_factory=list)
    metadata: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, tuple[float, ...]] = field(default_factory=dict)
    quality: float | None = None
    crop: tuple[int, int] = (0, 0)
    decoded: tuple[int, int] | None = None
    samples: Samples | None = None
    axes: int | None = None
    cloud: Cloud | None = None
    lossless_rows: int | None = None


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Cursor:
    """Takes parts off the front of some bytes."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, length: int) -> bytes:
        need(
            self.at + length <= len(self.data),
            f"{length} bytes are needed, {len(self.data) - self.at} are left",
        )
        self.at += length
        return self.data[self.at - length : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self, bound: int = 1 << 64) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                need(byte or not shift, "a number is not in its shortest form")
                need(value < bound, f"number {value} is not below {bound}")
                return value
        raise WrongFile("a number is longer than 10 bytes")

    def left(self) -> int:
        return len(self.data) - self.at


def parse(data: bytes) -> Container:
    """The parts of a file, each checked against its checksum."""
    file = Cursor(data)
    need(file.take(4) == MAGIC, "not an lcrs file")
    version = file.byte()
    need(version == VERSION, f"format version {version}")
    length = file.varint()
    need(length <= 65_535, f"header of {length} bytes")
    body = Cursor(file.take(length))
    covered = data[: file.at]
    need(crc32c(covered) == struct.unpack("<I", file.take(4))[0], "checksum of the header")
    container, entries = _read_base(body)
    _read_fields(body, container)
    for section, kind, precision, length, checksum in entries:
        payload = file.take(length)
        need(crc32c(payload) == checksum, f"checksum of section {section}")
        if section < ANCILLARY:
            in_order = container.cloud is not None or section == len(container.latents)
            need(in_order, f"latent {section} is out of order")
            container.latents.append(Section(kind, precision, payload, section))
        elif section in METADATA:
            container.metadata[METADATA[section]] = payload
    need(file.left() == 0, f"{file.left()} bytes after the last payload")
    return container


def _read_base(body: Cursor) -> tuple[Container, list[tuple[int, int, int, int, int]]]:
    numerics = body.byte()
    need(numerics & 0x7F == 1, f"numerics {numerics & 0x7F}")
    entropy_digest, synthesis_digest = body.take(8), body.take(8)
    model = body.take(body.byte()).decode("ascii")
    legal = all(c.isascii() and (c.isalnum() or c in "._-") for c in model)
    need(1 <= len(model) <= 64 and legal and model[0] != ".", f"model name {model!r}")
    width, height = body.varint(1 << 32), body.varint(1 << 32)
    need(width and height, f"picture of {width} x {height}")
    entries, last = [], -1
    for _ in range(body.byte()):
        section, kind, precision = body.take(3)
        length = body.varint()
        (checksum,) = struct.unpack("<I", body.take(4))
        need(section > last, f"section {section} after {last}")
        if section < ANCILLARY:
            need(
                kind != 255 and 1 <= precision <= 16, f"latent {section}: kind {kind}, precision {precision}"
            )
        elif section in METADATA:
            need((kind, precision) == (255, 0), f"metadata of kind {kind}, precision {precision}")
        entries.append((section, kind, precision, length, checksum))
        last = section
    return Container(entropy_digest, synthesis_digest, model, width, height, numerics < 0x80), entries


def _read_fields(body: Cursor, container: Container) -> None:
    last = -1
    while body.left():
        tag = body.byte()
        need(tag > last, f"field {tag} after {last}")
        is_of_picture = tag < 7 or tag in (9, 0x81, 0x82, 0x83, 0x84, 0x86)
        need(not (container.cloud and is_of_picture), f"field {tag} of a point cloud")
        need(tag != 7 or last < 0, "a point cloud with fields of a picture")
        last = tag
        value = Cursor(body.take(body.varint()))
        if tag == 1:
            (container.quality,) = struct.unpack("<f", value.take(4))
            need(0 <= container.quality <= 100, f"quality {container.quality}")
        elif tag == 2:
            container.crop = value.varint(1 << 32), value.varint(1 << 32)
        elif tag == 3:
            bits, color = value.byte(), value.byte()
            need(color < 2, f"colour {color}")
            container.samples = picture(3 if color == 0 else 1, bits)
        elif tag == 4:
            tiles = value.varint(1 << 32), value.varint(1 << 32)
            need(tiles == (1, 1), f"tile grid {tiles}")
        elif tag == 5:
            container.decoded = value.varint(1 << 32), value.varint(1 << 32)
        elif tag == 6:
            need(container.samples is None, "samples of a picture and of an array")
            container.samples = array(value.byte(), value.varint(1 << 32))
        elif tag == 7:
            need((container.width, container.height) == (1, 1), "size of a point cloud")
            container.cloud = _read_cloud(value)
        elif tag == 8:
            need(container.cloud is not None, "attributes of no point cloud")
            container.cloud.attributes = _read_attributes(value)
        elif tag == 9:
            container.lossless_rows = value.varint(1 << 32)
        elif tag == 0x81:
            resolution = struct.unpack("<2f", value.take(8))
            need(all(0 < number < math.inf for number in resolution), f"resolution {resolution}")
            container.notes["resolution"] = resolution
        elif tag == 0x82:
            container.notes["cicp"] = tuple(value.take(4))
            need(container.notes["cicp"][3] <= 1, f"code points {container.notes['cicp']}")
        elif tag == 0x83:
            container.notes["gamma"] = struct.unpack("<I", value.take(4))
            need(container.notes["gamma"] != (0,), "gamma 0")
        elif tag == 0x84:
            container.notes["chromaticities"] = struct.unpack("<8I", value.take(32))
        elif tag == 0x86:
            container.axes = value.byte()
            need(container.axes in (2, 3), f"{container.axes} axes")
        else:
            need(tag & ANCILLARY, f"critical field {tag}")
            continue
        need(value.left() == 0, f"field {tag} has {value.left()} bytes too many")
    container.samples = container.samples or RGB8
    if container.axes is None:
        container.axes = 2 if container.samples.channels == 1 else 3
    need(container.axes == 3 or container.samples.channels == 1, "several channels without an axis")
    right, bottom = container.crop[0] + container.width, container.crop[1] + container.height
    need(max(right, bottom) < 1 << 32, "the visible part ends beyond 2^32")
    if container.decoded:
        need(container.decoded[0] >= right and container.decoded[1] >= bottom, "decoded size is too small")
    if container.lossless_rows is not None:
        _check_lossless(container)


def _check_lossless(container: Container) -> None:
    rows = container.lossless_rows
    need(1 <= rows <= container.height, f"bands of {rows} rows")
    need(rows == container.height or rows * container.width >= 1 << 16, f"bands of {rows} rows")
    need(container.model == "lossless", f"a lossless picture of model {container.model}")
    need(container.entropy_digest == container.synthesis_digest == bytes(8), "digests of a lossless picture")
    need(container.portable, "a lossless picture that is not portable")
    of_model = container.quality is not None or container.decoded or container.crop != (0, 0)
    need(not of_model, "a lossless picture with quality, crop or decoded size")
    need(container.samples.bits is not None, "a lossless array")


TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def _read_cloud(value: Cursor) -> Cloud:
    kind, lossless = value.byte(), value.byte()
    need(kind < len(TYPES) and lossless < 2, f"type {kind}, lossless {lossless}")
    points, leaves, depth, low_bits, grid = value.varint(), value.varint(), *value.take(3)
    need((points == 0) == (leaves == 0) and leaves <= min(points, 8**depth), f"{leaves} leaves")
    need(depth + low_bits <= (32 if points else 0), f"{depth} and {low_bits} bits")
    is_float = TYPES[kind][0] == "f"
    if grid == 0:
        origin, rational = struct.unpack("<3q", value.take(24)), (value.varint(), value.varint())
        need(all(1 <= part <= 1 << 53 for part in rational), f"step {rational}")
        need(is_float or rational[1] == 1, f"step {rational} of whole numbers")
        return Cloud(TYPES[kind], lossless == 1, points, leaves, depth, low_bits, origin, rational, 0.0)
    need(grid in (1, 2) and is_float, f"grid {grid}")
    *origin, step = struct.unpack("<4d" if grid == 1 else "<3qd", value.take(32))
    need(all(map(math.isfinite, (*origin, step))) and step > 0, f"step {step}")
    return Cloud(TYPES[kind], lossless == 1, points, leaves, depth, low_bits, tuple(origin), None, step)


def _read_attributes(value: Cursor) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    while value.left():
        kind, length = value.take(2)
        name = value.take(length).decode("utf-8")
        need(kind < len(TYPES) and length > 0, f"attribute {name!r} of type {kind}")
        need(name not in ("x", "y", "z", *(other for other, _ in found)), f"attribute {name!r}")
        need(not any(c.isspace() or not c.isprintable() for c in name), f"attribute {name!r}")
        found.append((name, TYPES[kind]))
    need(len(found) <= 125, f"{len(found)} attributes")
    return found
