"""Scans as KITTI has them: x, y, z and a reflectance for each point, floats of 32 bits, and nothing else."""

from __future__ import annotations

import numpy as np

from lcrs.clouds.cloud import Cloud, check_count
from lcrs.clouds.errors import CloudError
from lcrs.clouds.naming import as_float32

__all__ = ["read_bin", "write_bin"]

_ROW = 16


def read_bin(data: bytes, max_points: int) -> Cloud:
    """A `velodyne/*.bin`; the reflectance is the property `intensity`.

    Raises:
        CloudError: its bytes are no whole number of points.
    """
    if len(data) % _ROW:
        raise CloudError(f"a scan has {_ROW} bytes a point, these are {len(data)}")
    check_count(len(data) // _ROW, max_points)
    rows = np.frombuffer(data, "<f4").reshape(-1, 4).astype(np.float32)
    return Cloud(rows[:, :3], {"intensity": rows[:, 3]})


def write_bin(cloud: Cloud) -> tuple[bytes, list[str]]:
    """A scan, and what of the cloud it has no place for. Points without an intensity get 0."""
    losses = [f"property {name}" for name in cloud.properties if name != "intensity"]
    losses += ["comments"] if cloud.comments else []
    rows = np.zeros((len(cloud), 4), "<f4")
    rows[:, :3] = as_float32("positions", cloud.positions, losses)
    if "intensity" in cloud.properties:
        rows[:, 3] = as_float32("intensities", cloud.properties["intensity"], losses)
    return rows.tobytes(), losses
