"""`lcrs metrics` of two clouds: D1, D2 and Hausdorff distances."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli.clouds import is_cloud
from lcrs.cli.messages import UsageError, naming
from lcrs.cli.streams import STANDARD

if TYPE_CHECKING:
    from lcrs.clouds import Cloud

__all__ = ["are_clouds", "measure", "metric_names"]


def are_clouds(arguments: argparse.Namespace) -> bool:
    """Whether the two files to be measured hold clouds.

    Raises:
        UsageError: one does and the other does not.
    """
    paths = (arguments.a, arguments.b)
    if STANDARD in paths:
        return False
    kinds = [is_cloud(path) or _is_coded_cloud(path) for path in paths]
    if any(kinds) and not all(kinds):
        cloud, other = paths if kinds[0] else paths[::-1]
        raise UsageError(f"{cloud} is a point cloud, {other} is none: two of a kind can be compared")
    return all(kinds)


def _is_coded_cloud(path: Path) -> bool:
    """Whether an .lcrs file holds points."""
    from lcrs import coding
    from lcrs.errors import LcrsError

    if not _is_stream(path):
        return False
    try:
        return "num_points" in coding.info(path.read_bytes())
    except LcrsError:
        return False  # whoever decodes it says what is wrong


def _is_stream(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x8cLCS"


def _read(path: Path, arguments: argparse.Namespace) -> Cloud:
    from lcrs import clouds, points

    with naming(path):
        if _is_stream(path):
            return points.decompress(path.read_bytes(), arguments.model, max_bytes=arguments.max_bytes)
        return clouds.read(path)


def metric_names(arguments: argparse.Namespace) -> list[str]:
    """What `--metrics` asks for of clouds, all by default.

    Raises:
        UsageError: there is no such measure.
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
        UsageError: there is no such measure.
        ValueError: the clouds cannot be compared.
    """
    from lcrs.metrics import clouds as metrics

    names = metric_names(arguments)
    a, b = (_read(path, arguments) for path in (arguments.a, arguments.b))
    with naming(f"{arguments.a}, {arguments.b}"):
        peak = metrics.peak_of(a.positions) if arguments.peak is None else arguments.peak
        values = metrics.measure_clouds(a.positions, b.positions, names, normals=a.normals, peak=peak)
    details = {
        "num_points": [len(a), len(b)],
        "peak": peak,
        "normals": "of the file" if a.normals is not None else "estimated from 16 neighbours",
    }
    return values, details
