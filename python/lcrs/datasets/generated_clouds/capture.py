"""What a capture does to the points of a surface: holes, noise, an uneven density, a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcrs.datasets.generated_clouds.solids import Points

__all__ = ["voxelised", "with_holes", "with_noise", "with_uneven_density"]


def with_holes(points: Points, rng: np.random.Generator, count: int, radius: float) -> NDArray[np.bool_]:
    """Which points are left when balls about some of them are taken out."""
    left = np.ones(len(points), bool)
    for centre in points[rng.integers(len(points), size=count)]:
        gone = radius * rng.uniform(0.3, 1)
        left &= np.sum((points - centre) ** 2, axis=1) > gone**2
    return left


def with_uneven_density(
    points: Points, normals: Points, rng: np.random.Generator, strength: float
) -> NDArray[np.bool_]:
    """Which points a few cameras keep.

    Those seen at a grazing angle are dropped, with a probability of up to `strength`.
    """
    seen = np.zeros(len(points), np.float32)
    for _ in range(int(rng.integers(1, 6))):
        view = rng.normal(size=3)
        view = (view / np.linalg.norm(view)).astype(np.float32)
        seen = np.maximum(seen, np.abs(normals @ view))
    return rng.random(len(points)) < 1 - strength * (1 - seen)


def with_noise(
    points: Points, normals: Points, rng: np.random.Generator, along: float, all_ways: float
) -> Points:
    """Points moved by normal noise: `along` the normal, and `all_ways`."""
    moved = points + normals * (along * rng.standard_normal((len(points), 1), dtype=np.float32))
    moved += np.float32(all_ways) * rng.standard_normal(points.shape, dtype=np.float32)
    return moved


def voxelised(points: Points) -> NDArray[np.int32]:
    """Points rounded to whole numbers, moved so that the least are zero, each once, sorted by x, y, z."""
    if not len(points):
        return np.empty((0, 3), np.int32)
    whole = np.round(points).astype(np.int64)
    whole -= whole.min(axis=0)
    _, y, z = (int(extent) + 1 for extent in whole.max(axis=0))
    keys = np.unique((whole[:, 0] * y + whole[:, 1]) * z + whole[:, 2])
    return np.stack([keys // (y * z), keys // z % y, keys % z], axis=1).astype(np.int32)
