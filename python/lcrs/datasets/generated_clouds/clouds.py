"""Clouds of every kind, each from a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcrs.datasets.generated_clouds.capture import voxelised, with_holes, with_noise, with_uneven_density
from lcrs.datasets.generated_clouds.scanners import depth_cameras, spinning_lidar
from lcrs.datasets.generated_clouds.scenes import random_room, random_street
from lcrs.datasets.generated_clouds.solids import Field, Points, random_field
from lcrs.datasets.generated_clouds.surfaces import sample_surface, surface_cells

__all__ = ["KINDS", "generated_scan", "generated_shape", "generated_voxels"]

KINDS = ("sampled", "captured", "solid", "sparse", "lidar", "cameras")
"""What a cloud of whole numbers is like: surfaces sampled evenly; with noise, holes and an uneven density;
without any gap; with few points; scans by a spinning lidar; by depth cameras."""


_SCAN_POINTS = 120_000
"""About what a scan has."""

_COARSE_BITS = 5
"""Of the grid by which the area of a surface is estimated."""


def _generator(seed: int, kind: str) -> np.random.Generator:
    return np.random.default_rng([seed, *kind.encode()])


def _part_of_cube(
    field: Field, rng: np.random.Generator, bits: int, density: float, max_points: int
) -> tuple[Points, Points]:
    """Corners of a part of the unit cube small enough for about `max_points` points of the surface."""
    low, high = np.zeros(3, np.float32), np.ones(3, np.float32)
    coarse = surface_cells(field, _COARSE_BITS, low, high)
    expected = len(coarse) * 0.35 * 4.0 ** (bits - _COARSE_BITS) * density
    if expected > max_points:
        centre = (coarse[int(rng.integers(len(coarse)))] + 0.5) / (1 << _COARSE_BITS)
        half = 0.5 * float(np.sqrt(max_points / expected))
        low, high = (centre - half).astype(np.float32), (centre + half).astype(np.float32)
    return low, high


def _part_of_surface(
    field: Field, rng: np.random.Generator, bits: int, density: float, max_points: int
) -> tuple[Points, Points]:
    """About `max_points` points of the surface, at most, and normals."""
    low, high = _part_of_cube(field, rng, bits, density, max_points)
    points, normals = sample_surface(field, rng, bits, density, low, high)
    inside = ((points >= low * 2.0**bits) & (points <= high * 2.0**bits)).all(axis=1)
    return points[inside], normals[inside]


def generated_shape(seed: int, num_points: int = 2048, with_normals: bool = False) -> NDArray[np.float32]:
    """The surface of a random solid, by points spread evenly over it.

    Args:
        seed: Which one; the same seed, the same points.
        num_points: How many.
        with_normals: Unit normals stand beside the positions.

    Returns:
        (num_points, 3), or (num_points, 6): within the unit sphere, the mean at zero.
    """
    rng = _generator(seed, "shape")
    while True:
        points, normals = sample_surface(
            random_field(rng), rng, 6, 4.0, np.zeros(3, np.float32), np.ones(3, np.float32)
        )
        if len(points):
            break
    chosen = rng.choice(len(points), num_points, replace=len(points) < num_points)
    points, normals = points[chosen], normals[chosen]
    points = points - points.mean(axis=0)
    points /= max(float(np.linalg.norm(points, axis=1).max()), 1e-9)
    return np.concatenate([points, normals], axis=1) if with_normals else points


def generated_scan(seed: int, kind: str = "lidar") -> NDArray[np.float32]:
    """A scan of a random street or room.

    Args:
        seed: Which one; the same seed, the same points.
        kind: "lidar", a spinning one in a street, or "cameras", depth cameras in a room.

    Returns:
        Positions in metres, (N, 3).

    Raises:
        ValueError: Another kind.
    """
    if kind not in ("lidar", "cameras"):
        raise ValueError(f'kind is {kind!r}; it must be "lidar" or "cameras"')
    rng = _generator(seed, kind)
    if kind == "lidar":
        return spinning_lidar(random_street(rng), rng)
    return depth_cameras(random_room(rng), rng)


def _surface_voxels(rng: np.random.Generator, kind: str, max_points: int) -> NDArray[np.int32]:
    """A cloud of a random solid's surface."""
    upright, axes = (
        random_field(rng),
        rng.permutation(3),
    )  # somebody standing may stand along any axis of a file

    def field(p: Points) -> NDArray[np.float32]:
        return upright(p[:, axes])

    bits = int(rng.integers(7, 12))
    if kind == "solid":  # without a gap: random points would need to be many
        low, high = _part_of_cube(field, rng, bits, 1.0, max_points)
        cells = surface_cells(field, bits, low, high, thickness=float(rng.uniform(0.9, 1.8)))
        return voxelised(cells.astype(np.float32))
    if kind == "sparse":
        density = float(np.exp(rng.uniform(np.log(0.001), np.log(0.5))))
        scale = 1.0  # few points need few cells
        while density < 0.5 and bits > 5:
            bits, density, scale = bits - 1, density * 4, scale * 2
        points, normals = _part_of_surface(field, rng, bits, density, max_points)
        points *= np.float32(scale)
        return voxelised(with_noise(points, normals, rng, float(rng.choice([0, 0.3, 1])), 0))
    density = float(np.exp(rng.uniform(np.log(0.7), np.log(14)))) if rng.random() < 0.6 else 6.0
    points, normals = _part_of_surface(field, rng, bits, density, int(max_points * max(1.0, density / 1.5)))
    if kind == "captured" and len(points):
        left = with_uneven_density(points, normals, rng, float(rng.uniform(0, 0.9)))
        if rng.random() < 0.6:
            left &= with_holes(points, rng, int(rng.integers(1, 40)), float(rng.uniform(2, 25)))
        points, normals = points[left], normals[left]
        along = float(rng.choice([0.1, 0.3, 0.6, 1.2])) * rng.random()
        points = with_noise(points, normals, rng, along, float(rng.choice([0, 0, 0.2, 0.5])))
    return voxelised(points)


def generated_voxels(seed: int, kind: str | None = None, max_points: int = 120_000) -> NDArray[np.int32]:
    """A voxelised cloud, as whole numbers.

    Args:
        seed: Which one; the same seed, the same points.
        kind: One of `KINDS`; drawn by default.
        max_points: About the most points there are: of a larger surface a part is taken; with fewer than
            120,000, scans are of a part of the turn, or coarser.

    Returns:
        Positions, (N, 3), the least zero, each once, sorted by x, y, z. Never empty.

    Raises:
        ValueError: An unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    rng = _generator(seed, kind or "any")
    drawn = kind or str(rng.choice(KINDS))
    while True:
        share = min(1.0, max_points / _SCAN_POINTS)
        if drawn == "lidar":
            metres = spinning_lidar(random_street(rng), rng, share)
            voxels = voxelised(metres / np.float32(rng.choice([0.01, 0.02, 0.02, 0.03, 0.05])))
        elif drawn == "cameras":
            metres = depth_cameras(random_room(rng), rng, share)
            voxels = voxelised(metres / np.float32(rng.choice([0.005, 0.01, 0.02])))
        else:
            voxels = _surface_voxels(rng, drawn, max_points)
        if len(voxels):
            return voxels
