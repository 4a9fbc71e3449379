"""Points on the surface of a solid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcrs.datasets.generated_clouds.solids import Field, Points

__all__ = ["sample_surface", "surface_cells"]

_STEEPEST = 1.25  # a field's slope, at most, about


def surface_cells(
    field: Field, bits: int, low: Points, high: Points, reach: float = 0.5
) -> NDArray[np.int32]:
    """Cells of a grid of 2**bits a side over the unit cube that come as close as `reach` to the surface.

    The cells are halved from coarse to fine, and those halves kept that the surface may touch.

    Args:
        field: The solid.
        bits: Cells a side, as a power of two.
        low: Least corner of the box looked at, in the unit cube.
        high: Its greatest corner.
        reach: In cells of the grid asked for, besides the cell itself.

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
        cells = cells[distance <= _STEEPEST * (0.87 * size + reach * 0.5**bits)]
    return cells


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
    size = np.float32(0.5**bits)
    centre = (cells.astype(np.float32) + np.float32(0.5)) * size
    distance = field(centre) / size
    step = np.float32(0.5) * size
    moved = [field(centre + step * np.eye(3, dtype=np.float32)[k]) / size for k in range(3)]
    slope = (np.stack(moved, axis=1) - distance[:, None]) * 2  # per cell
    steep = np.maximum(np.linalg.norm(slope, axis=1), np.float32(1e-3))
    normal, distance = slope / steep[:, None], distance / steep
    near = np.abs(distance) < 1.4
    cells, normal, distance = cells[near], normal[near], distance[near]
    chosen = np.repeat(np.arange(len(cells)), rng.poisson(density, len(cells)))
    offset = rng.random((len(chosen), 3), dtype=np.float32) - np.float32(0.5)
    away = distance[chosen] + np.sum(normal[chosen] * offset, axis=1)
    shell = np.abs(away) < 0.5
    chosen, offset, away = chosen[shell], offset[shell], away[shell]
    on_surface = cells[chosen] + np.float32(0.5) + offset - away[:, None] * normal[chosen]
    return on_surface.astype(np.float32), normal[chosen]
