"""Scans of a scene: a spinning lidar, depth cameras."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcrs.datasets.generated_clouds.scenes import Scene
from lcrs.datasets.generated_clouds.solids import Points

__all__ = ["depth_cameras", "spinning_lidar"]


def _beams(rng: np.random.Generator) -> NDArray[np.float64]:
    """Elevations of a lidar's beams, in degrees: two blocks of 32, as sensors have, or evenly spread."""
    if rng.random() < 0.6:
        beams = np.concatenate([np.linspace(2, -8.33, 32), np.linspace(-8.83, -24.33, 32)])
    else:
        count = int(rng.choice([16, 32, 64, 64, 128]))
        beams = np.linspace(rng.uniform(2, 22), -rng.uniform(15, 25), count)
    return np.asarray(beams + rng.normal(size=len(beams)) * 0.04)


def spinning_lidar(scene: Scene, rng: np.random.Generator, share: float = 1.0) -> Points:
    """One turn of a lidar on a car, of 16 to 128 beams, with range noise and dropouts.

    Args:
        scene: What is around.
        rng: What is random.
        share: Of the turn.

    Returns:
        Positions in metres, (N, 3), in order of beams and angles.
    """
    elevation = np.deg2rad(_beams(rng))
    step = np.deg2rad(rng.choice([0.0864, 0.1728, 0.1728, 0.2, 0.35]))
    turns = np.arange(-np.pi, np.pi * (2 * share - 1), step)
    noise, bias = rng.uniform(0.003, 0.025), rng.normal(size=len(elevation)) * rng.uniform(0, 0.015)
    angles = turns[:, None] + rng.normal(size=len(elevation)) * rng.uniform(0, 2) * step  # (angles, beams)
    angles = angles + rng.normal(size=angles.shape) * step * 0.02
    up = np.broadcast_to(elevation, angles.shape)
    rays = np.stack([np.cos(angles) * np.cos(up), np.sin(angles) * np.cos(up), np.sin(up)], axis=-1)
    rays = rays.reshape(-1, 3).astype(np.float32)
    driven = (
        rng.uniform(0, 1.5) * (turns + np.pi) / (2 * np.pi) if rng.random() < 0.6 else np.zeros(len(turns))
    )
    height = rng.uniform(1.5, 2.2)
    origin = np.zeros((len(turns), len(elevation), 3), np.float32)
    origin[..., 0], origin[..., 1], origin[..., 2] = (
        driven[:, None],
        rng.uniform(-1, 1) * scene.half_street * 0.4,
        height,
    )
    start = origin.reshape(-1, 3)
    true = scene.cast(start, rays, rng)
    seen = (
        (true > 0.9)
        & (true < rng.uniform(60, 120))
        & (rng.random(len(true)) > rng.uniform(0, 0.1) + 0.002 * true)
    )
    if rng.random() < 0.3:  # no points behind
        seen &= rays[:, 0] > -0.5
    error = np.tile(bias, len(turns)) + rng.normal(size=len(true)) * noise * (0.6 + true * 0.01)
    measured = np.asarray(true + error)
    if rng.random() < 0.7:
        measured = np.round(measured / 0.002) * 0.002
    where = rays[seen] * measured[seen, None]
    corrected = start[seen] if rng.random() < 0.5 else np.zeros(3, np.float32)
    return np.asarray(where + corrected, np.float32)


def depth_cameras(scene: Scene, rng: np.random.Generator, share: float = 1.0) -> Points:
    """What depth cameras in the middle of a room see; noise grows with the square of the depth.

    Args:
        scene: What is around.
        rng: What is random.
        share: Of the pixels that a camera has, as a coarser one.

    Returns:
        Positions in metres, (N, 3).
    """
    seen: list[Points] = []
    wide = max(8, int(rng.choice([160, 240, 320]) * np.sqrt(share)))
    noise, quantum = rng.uniform(0.0005, 0.004), rng.choice([0, 0.001, 0.002])
    for _ in range(int(rng.integers(1, 5))):
        u, v = np.meshgrid(
            np.linspace(-0.6, 0.6, wide), np.linspace(-0.45, 0.45, wide * 3 // 4), indexing="ij"
        )
        turn, tilt = rng.uniform(-np.pi, np.pi), rng.uniform(-0.6, 0.3)
        forward = np.array([np.cos(turn) * np.cos(tilt), np.sin(turn) * np.cos(tilt), np.sin(tilt)])
        right = np.array([np.sin(turn), -np.cos(turn), 0])
        up = np.cross(right, forward)
        rays = forward + u[..., None] * right + v[..., None] * up
        slant = np.linalg.norm(rays, axis=-1, keepdims=True)
        rays = (rays / slant).reshape(-1, 3).astype(np.float32)
        origin = np.array([*rng.uniform(-0.5, 0.5, 2), rng.uniform(1, 1.8)], np.float32)
        true = scene.cast(origin, rays, rng)
        depth = true / slant.reshape(-1)
        depth = depth + rng.normal(size=len(depth)) * noise * depth**2
        if quantum:
            depth = (
                np.round(depth**-1 / quantum) ** -1.0 * (1 / quantum)
                if rng.random() < 0.5
                else np.round(depth / quantum) * quantum
            )
        good = (true > 0.3) & (true < 8) & (rng.random(len(true)) > 0.01) & np.isfinite(depth)
        seen.append((origin + rays[good] * (depth * slant.reshape(-1))[good, None]).astype(np.float32))
    return np.concatenate(seen)
