"""Directions that are spread evenly over the sphere: the vertices of a subdivided icosahedron."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["icosahedron2sphere"]


def icosahedron2sphere(level: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The icosahedron, its triangles divided into four `level` times, its vertices on the unit sphere.

    Xiao et al., "Image-based street-side city modeling", SIGGRAPH Asia 2009. A level's vertices are sorted
    by x, y and z as they were before they were moved to the sphere: trained weights know them by their
    numbers.

    Args:
        level: Number of subdivisions; there are 12, 42, 162, ... vertices.

    Returns:
        Vertices (V, 3), and triangles as indexes of them (T, 3).
    """
    short = 2 / (1 + np.sqrt(5))
    corners = [(0.0, s * short, t) for s in (-1, 1) for t in (-1.0, 1.0)]
    rounds = [np.roll(corner, shift) for corner in corners for shift in range(3)]
    vertices = _on_sphere(np.unique(np.array(rounds), axis=0))
    near = np.linalg.norm(vertices[:, None] - vertices[None], axis=-1) < 1.1  # an edge is 1.05 long
    triples = combinations(range(len(vertices)), 3)
    triangles = np.array([t for t in triples if all(near[i, j] for i, j in combinations(t, 2))])
    for _ in range(level):
        a, b, c = (vertices[triangles[:, i]] for i in range(3))
        points = np.concatenate([vertices, (a + b) / 2, (b + c) / 2, (c + a) / 2])
        unique, number = np.unique(points, axis=0, return_inverse=True)
        old, ab, bc, ca = np.split(number.ravel(), np.cumsum([len(vertices), len(triangles), len(triangles)]))
        a, b, c = (old[triangles[:, i]] for i in range(3))
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(part, 1) for part in parts])
        vertices = _on_sphere(unique)
    return vertices, triangles.astype(np.int64)


def _on_sphere(points: NDArray[np.float64]) -> NDArray[Any]:
    moved: NDArray[Any] = points / np.linalg.norm(points, axis=1, keepdims=True)
    return moved
