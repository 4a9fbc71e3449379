"""`lcrs metrics` of two clouds: D1, D2 and Hausdorff distances."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli.arguments import metrics_in, refuse_options
from lcrs.cli.clouds import ONLY_PICTURES, coded_cloud, is_cloud
from lcrs.cli.messages import UsageError, naming
from lcrs.cli.streams import STANDARD

if TYPE_CHECKING:
    from lcrs.clouds import Cloud

__all__ = ["Side", "has_unit", "measure", "sides_of_clouds"]


@dataclass(frozen=True)
class Side:
    """A file that holds a cloud; what is in it, where that had to be read to know."""

    path: Path
    coded: bytes | None

    def cloud(self, arguments: argparse.Namespace) -> Cloud:
        """The cloud; errors have the name of the file."""
        from lcrs import clouds, points

        with naming(self.path):
            if self.coded is None:
                return clouds.read(self.path)
            return points.decompress(self.coded, arguments.model, max_bytes=arguments.max_bytes)


def sides_of_clouds(arguments: argparse.Namespace) -> tuple[Side, Side] | None:
    """The two files to be measured; None if neither holds a cloud.

    Raises:
        UsageError: one does and the other does not.
    """
    paths = (arguments.a, arguments.b)
    if STANDARD in paths:
        return None
    a, b = (_side(path) for path in paths)
    if a is not None and b is not None:
        return a, b
    if a is None and b is None:
        return None
    cloud, other = paths if a is not None else paths[::-1]
    raise UsageError(f"{cloud} is a point cloud, {other} is none: two of a kind can be compared")


def _side(path: Path) -> Side | None:
    if is_cloud(path):
        return Side(path, None)
    coded = coded_cloud(path)
    return None if coded is None else Side(path, coded)


def has_unit(name: str) -> bool:
    """Whether a measure is in the unit of positions, so that no number of decimals suits all clouds."""
    return name.startswith(("mse-d", "hausdorff"))


def measure(
    sides: tuple[Side, Side], arguments: argparse.Namespace
) -> tuple[dict[str, float], dict[str, Any]]:
    """Values by name, and what else is known of the two.

    Raises:
        UsageError: there is no such measure, or an option is for pictures.
        ValueError: the clouds cannot be compared.
    """
    from lcrs.metrics import clouds as metrics

    refuse_options(arguments, ONLY_PICTURES, "pictures")
    names = metrics_in(arguments, metrics.CLOUD_NAMES, metrics.CLOUD_NAMES)
    a, b = (side.cloud(arguments) for side in sides)
    with naming(f"{arguments.a}, {arguments.b}"):
        peak = metrics.peak_of(a.positions) if arguments.peak is None else arguments.peak
        values = metrics.measure_clouds(a.positions, b.positions, names, normals=a.normals, peak=peak)
    details = {
        "num_points": [len(a), len(b)],
        "peak": peak,
        "normals": "of the file" if a.normals is not None else "estimated from 16 neighbours",
    }
    return values, details
