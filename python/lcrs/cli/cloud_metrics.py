"""``lcrs metrics`` of two clouds: D1, D2 and Hausdorff distances."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli.messages import UsageError, naming

if TYPE_CHECKING:
    from lcrs.clouds import Cloud

__all__ = ["CLOUD_ENDINGS", "are_clouds", "is_cloud_name", "measure", "metric_names", "read_cloud"]

CLOUD_ENDINGS = frozenset(
    {".ply", ".pcd", ".xyz", ".txt", ".npy", ".bin", ".las", ".laz", ".obj", ".off", ".stl"}
)


def is_cloud_name(path: Path) -> bool:
    """Whether a file's ending is one of point clouds."""
    return path.suffix.lower() in CLOUD_ENDINGS


def are_clouds(arguments: argparse.Namespace) -> bool:
    """Whether the two files to be measured hold clouds, by their names.

    Raises:
        UsageError: if one does and the other does not.
    """
    kinds = [is_cloud_name(path) for path in (arguments.a, arguments.b)]
    if any(kinds) and not all(kinds):
        cloud, other = (arguments.a, arguments.b) if kinds[0] else (arguments.b, arguments.a)
        raise UsageError(f"{cloud} is a point cloud, {other} is none: two of a kind can be compared")
    return all(kinds)


def read_cloud(path: Path, max_points: int | None = None) -> Cloud:
    """The cloud of a file; errors have its name."""
    from lcrs import clouds

    with naming(path):
        return clouds.read(path, max_points=max_points)


def metric_names(arguments: argparse.Namespace) -> list[str]:
    """What ``--metrics`` asks for of clouds, all by default.

    Raises:
        UsageError: if there is no such measure.
    """
    from lcrs.metrics.clouds import CLOUD_NAMES

    if arguments.metrics is None:
        return list(CLOUD_NAMES)
    names = [name.strip() for name in arguments.metrics.split(",") if name.strip()]
    if not names or any(name not in CLOUD_NAMES for name in names):
        raise UsageError(f"--metrics {arguments.metrics}: of clouds there are {', '.join(CLOUD_NAMES)}")
    return names


def measure(arguments: argparse.Namespace) -> tuple[dict[str, float], dict[str, Any]]:
    """Values by name, and what else is known of the two.

    Raises:
        UsageError: if there is no such measure.
        ValueError: if the clouds cannot be compared.
    """
    from lcrs.metrics import clouds as metrics

    names = metric_names(arguments)
    a, b = (read_cloud(path) for path in (arguments.a, arguments.b))
    with naming(f"{arguments.a}, {arguments.b}"):
        peak = metrics.peak_of(a.positions) if arguments.peak is None else arguments.peak
        values = metrics.measure_clouds(a.positions, b.positions, names, normals=a.normals, peak=peak)
    details = {
        "num_points": [len(a), len(b)],
        "peak": peak,
        "normals": "of the file" if a.normals is not None else "estimated from 16 neighbours",
    }
    return values, details
