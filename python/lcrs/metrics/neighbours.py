"""Neighbours of points, and normals from them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nearest_points", "normals_of_points"]

_PAIRS = 1 << 22
"""Distances that are held at a time."""


def nearest_points(
    points: NDArray[Any], queries: NDArray[Any], k: int = 1
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The ``k`` nearest points of each query, nearest first, of equals the lowest index first.

    Args:
        points: (N, 3) float64, finite.
        queries: (M, 3) float64, finite.
        k: at most N.

    Returns:
        Squared distances (M, k) and indexes (M, k) int64.
    """
    if find_spec("scipy") is not None and len(points) > 64:
        tree = import_module("scipy.spatial").cKDTree(points)
        indexes = tree.query(queries, min(k + 1, len(points)))[1].reshape(len(queries), -1).astype(np.int64)
        squares = ((points[indexes] - queries[:, None]) ** 2).sum(axis=2)
        order = np.lexsort((indexes, squares))[:, :k]
        return np.take_along_axis(squares, order, 1), np.take_along_axis(indexes, order, 1)
    distances = np.empty((len(queries), k))
    found = np.empty((len(queries), k), np.int64)
    block = max(1, _PAIRS // len(points))
    for at in range(0, len(queries), block):
        part = slice(at, at + block)
        squares = ((queries[part, None] - points) ** 2).sum(axis=2)
        found[part] = np.argsort(squares, axis=1, kind="stable")[:, :k]
        distances[part] = np.take_along_axis(squares, found[part], 1)
    return distances, found


def normals_of_points(points: NDArray[Any], k: int = 16) -> NDArray[Any]:
    """Directions in which the ``k`` nearest neighbours of each point extend least, (N, 3) of length one.

    Their greatest component is positive. Where all neighbours are in one place it is (0, 0, 1).
    """
    near = nearest_points(points, points, min(k, len(points)))[1]
    offsets = points[near] - points[near].mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(offsets.transpose(0, 2, 1) @ offsets)[1][:, :, 0]
    normals[~offsets.any(axis=(1, 2))] = (0, 0, 1)
    greatest = np.take_along_axis(normals, np.abs(normals).argmax(axis=1)[:, None], 1)
    return np.asarray(np.where(greatest < 0, -normals, normals))
