"""Kernels of point clouds: neighbours, balls, samples, voxels, Morton order and normals.

Arrays are float64 or float32, one cloud (N, 3) or a batch (B, N, 3). Of equals the lowest index is
taken; results depend neither on
threads nor on the instruction set.
"""

from lcrs._lcrs import (
    ball_points,
    farthest_points,
    morton_codes,
    morton_order,
    nearest_points,
    normals_of_points,
    voxelize_points,
)

__all__ = [
    "ball_points",
    "farthest_points",
    "morton_codes",
    "morton_order",
    "nearest_points",
    "normals_of_points",
    "voxelize_points",
]
