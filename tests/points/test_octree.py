"""Octrees from Python: their arrays are those of the definition."""

from __future__ import annotations

import numpy as np
import pytest

from lcrs.coding import Octree

SCALARS = ("levels_below", "growth_below", "growth", "growth_above", "node_bits")


def cloud(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, side, (count, 3), dtype=np.uint32)


def morton_nodes(points: np.ndarray, shift: int) -> list[tuple[int, int, int]]:
    def code(node: tuple[int, int, int]) -> list[tuple[int, int, int]]:
        return [tuple(v >> bit & 1 for v in node) for bit in range(31, -1, -1)]

    return sorted({tuple(int(v) >> shift for v in point) for point in points}, key=code)


def test_levels_are_those_of_the_definition() -> None:
    points = cloud(200, 13)
    tree = Octree(points)
    assert tree.depth == 4
    assert repr(tree) == "Octree(depth=4)"
    for level in (3, 0, 2, 1):  # up and down
        nodes = morton_nodes(points, 4 - level)
        below = set(morton_nodes(points, 3 - level))
        index = {node: i for i, node in enumerate(nodes)}
        assert tree.num_nodes(level) == len(nodes)
        for i, (x, y, z) in enumerate(nodes):
            bits = [(2 * x + (o >> 2), 2 * y + (o >> 1 & 1), 2 * z + (o & 1)) in below for o in range(8)]
            assert tree.occupancy(level)[i] == sum(bit << o for o, bit in enumerate(bits))
            around = [(x + a, y + b, z + c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]
            assert tree.neighbours(level)[i].tolist() == [index.get(node, -1) for node in around]
        if level:
            parents = morton_nodes(points, 5 - level)
            assert [parents[p] for p in tree.parents(level)] == [tuple(v >> 1 for v in n) for n in nodes]
            assert tree.octants(level).tolist() == [4 * (x & 1) + 2 * (y & 1) + (z & 1) for x, y, z in nodes]


def test_features_have_the_announced_sizes_and_are_flags() -> None:
    tree = Octree(cloud(300, 16), 5)
    order = [0, 7, 3, 4, 1, 6, 2, 5]
    features = tree.trunk_features(3, reach=2, ancestors=[1, 0], scalars=SCALARS)
    assert features.shape == (tree.num_nodes(3), 124 + 8 + 26 + 8 + 5)
    assert features.dtype == np.float32
    assert set(np.unique(features[:, :-5])) == {0.0, 1.0}
    assert np.all(features[:, 124:132].sum(axis=1) == 1)
    assert np.all(features[:, 158:166].sum(axis=1) == 1)
    assert features[0, -5] == 1 / 16
    children = np.unpackbits(tree.occupancy(3)).sum()
    assert features[0, -4] == np.floor(32 * children / tree.num_nodes(3) + 0.5) / 256
    assert features[0, -3] == tree.num_nodes(3) / tree.num_nodes(2) / 8
    sizes = [tree.head_features(3, stage, order=order, reach=2).shape[1] for stage in range(8)]
    assert sizes[0] == 0
    assert sizes[-1] == 3 * 18 + 3 * 12 + 8
    known = tree.head_features(3, 1, order=order, reach=1)
    slots = tree.neighbours(3)[:, [13]]  # octants 0 and 7 of one node touch, and of three others
    there = np.where(slots < 0, 0, tree.occupancy(3)[slots] & 1)
    assert known.shape[1] == 8
    assert np.any(np.all(known == there, axis=0))


def test_what_is_no_octree_is_refused() -> None:
    with pytest.raises(ValueError, match="no positions"):
        Octree(np.zeros((0, 3), np.uint32))
    with pytest.raises(ValueError, match="dtype int64, uint32"):
        Octree(np.zeros((1, 3), np.int64))
    with pytest.raises(ValueError, match="4 bits an axis in an octree of depth 2"):
        Octree(np.full((1, 3), 9, np.uint32), 2)
    with pytest.raises(ValueError, match=r"depth is 33 \(0 to 32\)"):
        Octree(cloud(3, 3), 33)
    tree = Octree(np.full((2, 3), 2**32 - 1, np.uint32))
    assert (tree.depth, tree.num_nodes(31)) == (32, 1)
    with pytest.raises(ValueError, match="level 32 of an octree of depth 32"):
        tree.occupancy(32)
    with pytest.raises(ValueError, match=r"reach 3, legal are 0\.\.=2"):
        tree.trunk_features(0, reach=3, ancestors=[], scalars=[])
    with pytest.raises(ValueError, match='no number of a level is "size": levels_below, growth'):
        tree.trunk_features(0, reach=1, ancestors=[], scalars=["size"])
    with pytest.raises(ValueError, match=r"stage is 8 \(0 to 7\)"):
        tree.head_features(0, 8, order=range(8), reach=1)
    with pytest.raises(ValueError, match="order of octants"):
        tree.head_features(0, 1, order=[0] * 8, reach=1)
