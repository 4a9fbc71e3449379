"""Points on the surface of a solid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcrs.datasets.generated_clouds.solids import Field, Points

__all__ = ["sample_surface", "surface_cells"]

_STEEPEST = 1.25  # a field's slope, at most, about


def surface_cells(
    field: Field, bits: int, low: Points, high: Points, thickness: float | None = None
) -> NDArray[np.int32]:
    """Cells of a grid of 2**bits a side over the unit cube that the surface may touch.

    The cells are halved from coarse to fine, and those halves kept that the surface may come near to.

    Args:
        field: The solid.
        bits: Cells a side, as a power of two.
        low: Least corner of the box looked at, in the unit cube.
        high: Its greatest corner.
        thickness: If given, only cells whose middle is within half of it, in cells, of the surface.

    Returns:
        (N, 3), in no order to rely on.
    """
    start = min(bits, 4)
    axis = np.arange(1 << start, dtype=np.int32)
    cells = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    halves = (
        np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int32)
    )
    for level in range(start, bits + 1):
        if level > start:
            cells = (cells[:, None] * 2 + halves).reshape(-1, 3)
        size = np.float32(0.5**level)
        corner = cells.astype(np.float32) * size
        cells = cells[((corner + size >= low) & (corner <= high)).all(axis=1)]
        distance = np.abs(field((cells.astype(np.float32) + np.float32(0.5)) * size))
        cells = cells[distance <= _STEEPEST * (0.87 * size + 0.5 * 0.5**bits)]
    if thickness is None:
        return cells
    distance, _ = distance_and_normal(field, cells, bits)
    return cells[np.abs(distance) <= thickness / 2]


def distance_and_normal(
    field: Field, cells: NDArray[np.int32], bits: int
) -> tuple[NDArray[np.float32], Points]:
    """Signed distance, in cells, of the cells' middles to the surface, and the normal; to first order."""
    size = np.float32(0.5**bits)
    middle = (cells.astype(np.float32) + np.float32(0.5)) * size
    here = field(middle) / size
    step = np.float32(0.5) * size
    moved = [field(middle + step * np.eye(3, dtype=np.float32)[k]) / size for k in range(3)]
    slope = (np.stack(moved, axis=1) - here[:, None]) * 2
    steep = np.maximum(np.linalg.norm(slope, axis=1), np.float32(1e-3))
    return np.asarray(here / steep, np.float32), np.asarray(slope / steep[:, None], np.float32)


def sample_surface(
    field: Field, rng: np.random.Generator, bits: int, density: float, low: Points, high: Points
) -> tuple[Points, Points]:
    """Points evenly and randomly spread over a surface.

    Points are drawn in a shell about the surface, from cells of a grid, and moved onto it along its normal.

    Args:
        field: The solid.
        rng: What is random.
        bits: The grid has 2**bits cells a side over the unit cube.
        density: Points per area of a cell's face.
        low: Least corner of the box looked at, in the unit cube.
        high: Its greatest corner.

    Returns:
        Positions in cells, and unit normals, (N, 3) each.
    """
    cells = surface_cells(field, bits, low, high)
    distance, normal = distance_and_normal(field, cells, bits)
    near = np.abs(distance) < 1.4
    cells, normal, distance = cells[near], normal[near], distance[near]
    chosen = np.repeat(np.arange(len(cells)), rng.poisson(density, len(cells)))
    offset = rng.random((len(chosen), 3), dtype=np.float32) - np.float32(0.5)
    away = distance[chosen] + np.sum(normal[chosen] * offset, axis=1)
    shell = np.abs(away) < 0.5
    chosen, offset, away = chosen[shell], offset[shell], away[shell]
    on_surface = cells[chosen] + np.float32(0.5) + offset - away[:, None] * normal[chosen]
    return on_surface.astype(np.float32), normal[chosen]
