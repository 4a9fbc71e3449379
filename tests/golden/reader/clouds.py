"""Point clouds: from the sections of a file to points."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reader import arithmetic
from reader.arithmetic import F32, F64
from reader.container import Container, Cursor, parse
from reader.graph import Graphs
from reader.package import Package
from reader.streams import Native, Table, open_stream
from reader.wrong import need

Place = tuple[int, int, int]
AROUND = [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]


@dataclass
class Points:
    """What a file of a point cloud holds."""

    positions: np.ndarray
    attributes: dict[str, np.ndarray]
    rows: list[int]
    """The rows that the octree's symbols were coded by, in the order of the stream."""


def decode_cloud(data: bytes, package: Package) -> Points:
    """Decodes a file that was made with a package."""
    container = parse(data)
    cloud = container.cloud
    need(container.portable and cloud is not None, "the file is not portable, or no point cloud")
    wanted = container.entropy_digest.hex()
    need(package.digests["entropy"][:16] == wanted, f"the file needs another model (entropy digest {wanted})")
    sections = {section.id: section for section in container.latents}
    leaves, rows = _leaves(container, package, sections)
    counts = [0] * len(leaves)
    if cloud.num_points > cloud.num_leaves:
        need(sections[1].kind == 1, "counts")
        counts = read_run(Cursor(sections.pop(1).data), len(leaves), 32)
    voxels = [leaf for leaf, count in zip(leaves, counts, strict=True) for _ in range(count + 1)]
    need(len(voxels) == cloud.num_points, f"{len(voxels)} points")
    if cloud.low_bits:
        low = Bits(sections.pop(2).data)
        voxels = [tuple(v << cloud.low_bits | low.take(cloud.low_bits) for v in voxel) for voxel in voxels]
        low.finish()
    attributes, columns = {}, []
    for i, (name, kind) in enumerate(cloud.attributes):
        values, column = read_column(sections.pop(3 + i).data, kind, voxels, columns)
        attributes[name] = values
        columns.append(column)
    need(not sections, f"sections {list(sections)}")
    return Points(_positions(cloud, voxels), attributes, rows)


def _leaves(
    container: Container, package: Package, sections: dict[int, Any]
) -> tuple[list[Place], list[int]]:
    cloud = container.cloud
    if cloud.depth == 0:
        return [(0, 0, 0)][: cloud.num_leaves], []
    section = sections.pop(0)
    tree = Tree(package, cloud.depth, section)
    leaves = tree.read()
    need(len(leaves) == cloud.num_leaves, f"{len(leaves)} leaves")
    return leaves, tree.rows


def code(place: Place) -> list[int]:
    """What Morton order is the order of."""
    return [
        4 * (place[0] >> b & 1) + 2 * (place[1] >> b & 1) + (place[2] >> b & 1) for b in range(31, -1, -1)
    ]


def child(node: Place, octant: int) -> Place:
    return 2 * node[0] + (octant >> 2), 2 * node[1] + (octant >> 1 & 1), 2 * node[2] + (octant & 1)


def moved(place: Place, by: Place) -> Place:
    return place[0] + by[0], place[1] + by[1], place[2] + by[2]


class Tree:
    """The octree of a file, level by level."""

    def __init__(self, package: Package, depth: int, section: Any):
        self.codec, self.depth = package.description["codec"], depth
        self.graphs = Graphs(package.description["graphs"], package.tensors, None)
        self.table = Table.read(self.codec["table"], package.tensors)
        self.ones = [row[2] - row[1] for row in self.table.rows]
        told = depth if "growth_below" in self.codec["scalars"] else 0
        self.told, self.stream = list(section.data[:told]), open_stream(section.kind, section.data[told:])
        self.levels: list[list[Place]] = [[(0, 0, 0)]]
        self.rows: list[int] = []
        adaptation = self.codec.get("adaptation")
        buckets = -(-len(self.ones) // adaptation["rows"]) if adaptation else 0
        self.buckets = [[[0, 0, 0] for _ in range(buckets)] for _ in range(8)]
        self.shifts = [[0] * buckets for _ in range(8)]

    def read(self) -> list[Place]:
        for level in range(self.depth):
            nodes = self.levels[-1]
            features = self._trunk(level)
            known: dict[int, set[Place]] = {}
            for stage, octant in enumerate(self.codec["order"]):
                known[octant] = self._stage(stage, octant, nodes, features, known)
            below = sorted((place for places in known.values() for place in places), key=code)
            if self.told:
                told = (64 * len(below) + len(nodes)) // (2 * len(nodes))
                need(self.told[level] == min(max(told, 8), 255), f"byte {self.told[level]} of level {level}")
            self.levels.append(below)
        self.stream.finish()
        return self.levels[-1]

    def _trunk(self, level: int) -> np.ndarray:
        nodes = self.levels[level]
        columns = [self._windows(level, nodes, self.codec["window"])]
        for step, reach in enumerate(self.codec["ancestors"], 1):
            ancestors = [tuple(v >> step for v in node) for node in nodes]
            octants = np.zeros((8, len(nodes)), F32)
            if level >= step:
                for i, node in enumerate(nodes):
                    x, y, z = (v >> (step - 1) & 1 for v in node)
                    octants[4 * x + 2 * y + z, i] = 1
            columns += [octants, self._windows(level - step, ancestors, reach)]
        scalars = [self._scalar(name, level) for name in self.codec["scalars"]]
        columns.append(np.repeat(np.array(scalars, F32)[:, None], len(nodes), axis=1).reshape(-1, len(nodes)))
        return self.graphs.only(self.codec["trunk"], np.concatenate(columns)[:, None, :])

    def _windows(self, level: int, nodes: list[Place], reach: int) -> np.ndarray:
        side = range(-reach, reach + 1)
        offsets = [(x, y, z) for x in side for y in side for z in side if (x, y, z) != (0, 0, 0)]
        there = set(self.levels[level]) if level >= 0 else set()
        flags = [[float(moved(node, by) in there) for node in nodes] for by in offsets]
        return np.array(flags, F32).reshape(len(offsets), len(nodes))

    def _scalar(self, name: str, level: int) -> np.float32:
        def growth(at: int) -> np.float32:
            if at < 1:
                return F32(0)
            return F32(len(self.levels[at])) / F32(len(self.levels[at - 1])) / F32(8)

        match name:
            case "levels_below":
                return F32(min(self.depth - 1 - level, 15)) / F32(16)
            case "growth_below":
                return F32(self.told[level]) / F32(256)
            case "growth":
                return growth(level)
            case "growth_above":
                return growth(level - 1)
            case _:
                need(name == "node_bits", f"number {name} of a level")
                return F32(len(self.levels[level]).bit_length()) / F32(32)

    def _stage(
        self, stage: int, octant: int, nodes: list[Place], features: np.ndarray, known: dict[int, set[Place]]
    ) -> set[Place]:
        seen = []
        for then, there in known.items():
            for by in AROUND:
                distance = np.subtract(child(by, then), child((0, 0, 0), octant))
                if np.abs(distance).max() <= self.codec["known"]:
                    seen.append([float(child(moved(node, by), then) in there) for node in nodes])
        inputs = [features] + ([np.array(seen, F32)[:, None, :]] if seen else [])
        logits = self.graphs.only(self.codec["heads"][stage], *inputs)[0, 0]
        need(bool(np.isfinite(logits).all()), "a logit is not finite")
        last, middle = len(self.ones) - 1, (len(self.ones) - 1) // 2
        steps = np.rint(logits * F32(self.codec["resolution"])).astype(F64)
        rows = np.clip(steps + middle, 0, last).astype(int).tolist()
        found, block = set(), []
        limit = self.codec["adaptation"]["block"] if self.codec.get("adaptation") else 0
        for node, row in zip(nodes, rows, strict=True):
            place = child(node, octant)
            if stage == 7 and not any(child(node, other) in there for other, there in known.items()):
                found.add(place)
                continue
            index = row
            if limit:
                shift = self.shifts[stage][row // self.codec["adaptation"]["rows"]]
                index = min(max(row + shift, 0), last)
            symbol = self.stream.pull(index, self.table)
            need(symbol in (0, 1), f"child {symbol}")
            self.rows.append(index)
            block.append((row, symbol))
            if symbol:
                found.add(place)
            if len(block) == limit:
                self._learn(stage, block)
                block = []
        if block and limit:
            self._learn(stage, block)
        return found

    def _learn(self, stage: int, block: list[tuple[int, int]]) -> None:
        adaptation = self.codec["adaptation"]
        for row, symbol in block:
            bucket = self.buckets[stage][row // adaptation["rows"]]
            bucket[:] = bucket[0] + 1, bucket[1] + symbol, bucket[2] + self.ones[row]
        for i, (n, o, e) in enumerate(self.buckets[stage]):
            k, expected = F64(adaptation["strength"]), F64(e) / F64(65536)
            ones = _ln((F64(o) + k) / (expected + k))
            zeros = _ln((max(F64(n) - F64(o), F64(0)) + k) / (max(F64(n) - expected, F64(0)) + k))
            self.shifts[stage][i] = int(np.rint((ones - zeros) * F64(self.codec["resolution"])))
            if n > adaptation["limit"]:
                self.buckets[stage][i][:] = n // 2, o // 2, e // 2


def _ln(x: np.float64) -> np.float64:
    return arithmetic.ln(np.array([x]))[0]


class Bits:
    """Bits, the lowest of a byte first."""

    def __init__(self, data: bytes):
        self.left, self.count = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, number: int) -> int:
        need(number <= self.count, "bits end early")
        value = self.left & ((1 << number) - 1)
        self.left, self.count = self.left >> number, self.count - number
        return value

    def finish(self) -> None:
        need(self.left == 0 and self.count < 8, "bits are left")


class Counts:
    """Tables that follow what was coded."""

    def __init__(self, sizes: Iterable[int]):
        self.rows = [[1] * size for size in sizes]
        self.build()

    def build(self) -> None:
        rows = []
        for counts in self.rows:
            if sum(counts) > 1 << 14:
                counts[:] = [-(-count // 2) for count in counts]
            shares = [1 + (65535 - len(counts)) * count // sum(counts) for count in counts]
            shares[counts.index(max(counts))] += 65535 - sum(shares)
            rows.append([0, *np.cumsum(shares).tolist(), 65536])
        self.table = Table(rows, [0] * len(rows), 16)


def read_run(head: Cursor, count: int, bits: int) -> list[int]:
    """Whole numbers of at most so many bits."""
    stream = Native(head.take(head.varint()))
    low = Bits(head.take(head.left()))
    classes = Counts([bits + 1] * (bits + 1))
    tops = Counts([1 << min(2, max(c - 1, 0)) for c in range(bits + 1)])
    numbers, before, left, block = [], [0, 0], 32, 32
    for _ in range(count):
        row = (sum(before) + 1) // 2
        size = stream.pull(row, classes.table)
        need(0 <= size <= bits, f"class {size}")
        classes.rows[row][size] += 24
        number = int(size > 0)
        if size > 1:
            top = stream.pull(size, tops.table)
            need(0 <= top < 1 << min(2, size - 1), f"top {top}")
            tops.rows[size][top] += 24
            number = 1 << min(2, size - 1) | top
        below = max(size - 3, 0)
        numbers.append(number << below | low.take(below))
        before = [size, before[0]]
        left -= 1
        if left == 0:
            left = block = min(2 * block, 4096)
            classes.build()
            tops.build()
    stream.finish()
    low.finish()
    return numbers


@dataclass
class Column:
    bits: int
    numbers: list[int]
    is_listed: bool


def read_column(
    data: bytes, kind: str, voxels: list[Place], before: list[Column]
) -> tuple[np.ndarray, Column]:
    """The values of an attribute."""
    head = Cursor(data)
    flags, dtype = head.byte(), np.dtype(f"<{kind}")
    width = 8 * dtype.itemsize
    need(flags < 16 and flags & 3 < 3, f"first byte {flags} of an attribute")
    predict: Callable[[list[int], int], int] = [_nothing, _previous, _near(voxels)][flags & 3]
    column = Column(width, [], bool(flags & 4))
    other = before[head.byte()] if flags & 8 else None
    values = []
    if column.is_listed:
        size = head.varint()
        need(1 <= size <= 4096, f"list of {size}")
        for i in range(size):
            more = head.varint()
            need(more > 0 or i == 0, "a value twice in a list")
            values.append((values[-1] if values else 0) + more)
        need(values[-1] < 1 << width, "a value of a list")
        column.bits = max(1, (size - 1).bit_length())
    if other is not None:
        need(not (other.is_listed or column.is_listed) and other.bits == column.bits, "a reference")
    for i, folded in enumerate(read_run(head, len(voxels), column.bits)):
        difference = -(folded >> 1) - 1 if folded & 1 else folded >> 1
        off = other.numbers[i] - predict(other.numbers, i) if other else 0
        column.numbers.append((predict(column.numbers, i) + off + difference) % (1 << column.bits))
    codes = [values[number] for number in column.numbers] if column.is_listed else column.numbers
    sign = 1 << (width - 1)
    if dtype.kind == "i":
        codes = [c ^ sign for c in codes]
    if dtype.kind == "f":
        codes = [c ^ sign if c & sign else ~c & (2 * sign - 1) for c in codes]
    return np.array(codes, f"<u{dtype.itemsize}").view(dtype), column


def _nothing(_numbers: list[int], _i: int) -> int:
    return 0


def _previous(numbers: list[int], i: int) -> int:
    return numbers[i - 1] if i else 0


def _near(voxels: list[Place]) -> Callable[[list[int], int], int]:
    def mean(numbers: list[int], i: int) -> int:
        points = range(max(i - 16, 0), i)
        away = {j: sum(abs(a - b) for a, b in zip(voxels[i], voxels[j], strict=True)) for j in points}
        nearest = [j for j in points if away[j] == min(away.values())]
        return sum(numbers[j] for j in nearest) // len(nearest) if nearest else 0

    return mean


def _positions(cloud: Any, voxels: list[Place]) -> np.ndarray:
    dtype = np.dtype(f"<{cloud.type}")
    out = np.zeros((len(voxels), 3), dtype)
    for i, voxel in enumerate(voxels):
        for axis, v in enumerate(voxel):
            if cloud.rational is not None:
                numerator, denominator = cloud.rational
                whole = (cloud.origin[axis] + v) * numerator
                if dtype.kind == "f":
                    out[i, axis] = F64(whole) / F64(denominator)
                else:
                    out[i, axis] = min(max(whole, np.iinfo(dtype).min), np.iinfo(dtype).max)
            elif isinstance(cloud.origin[axis], int):
                out[i, axis] = F64(cloud.origin[axis] + v) * F64(cloud.step)
            else:
                out[i, axis] = F64(cloud.origin[axis]) + F64(v) * F64(cloud.step)
    return out
