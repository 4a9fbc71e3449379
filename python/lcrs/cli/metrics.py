"""`lcrs metrics`: every measure of one picture, or point cloud, against another."""

from __future__ import annotations

import argparse
import math
from typing import Any

from lcrs.cli import cloud_metrics, compare, streams
from lcrs.cli.arguments import metrics_in, positive_number, refuse_options
from lcrs.cli.messages import printable

NAME = "metrics"
SUMMARY = "Measure a picture (PSNR, SSIM, MS-SSIM and more) or a point cloud (D1, D2) against its original"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs metrics`: those of compare, but for its map."""
    compare.add_inputs(parser)
    parser.add_argument("--metrics", metavar="LIST", help="with commas between (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--peak",
        metavar="P",
        type=positive_number,
        help="of point clouds: what PSNR is relative to, such as 1023 on a grid of 10 bits (default: the "
        "last coordinate of the grid of whole numbers, or the widest gap between neighbours)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Reads both, measures, prints."""
    if sides := cloud_metrics.sides_of_clouds(arguments):
        values, details = cloud_metrics.measure(sides, arguments)
        return _show(arguments, values, {}, details)
    refuse_options(arguments, ["peak"], "point clouds")
    from lcrs import metrics

    names = metrics_in(arguments, metrics.NAMES, metrics.NAMES)
    a, b = compare.read_both(arguments)
    values, missing = metrics.measure(*compare.alike(a, b), names)
    return _show(arguments, values, missing, {})


def _show(
    arguments: argparse.Namespace, values: dict[str, float], missing: dict[str, str], details: dict[str, Any]
) -> int:
    if arguments.json:
        fields: dict[str, Any] = {
            "values": {name: value if math.isfinite(value) else None for name, value in values.items()},
            "missing": missing | {name: "nothing differs" for name, v in values.items() if math.isinf(v)},
        }
        streams.write_json(fields | details)
    else:
        streams.write_text(_text(values, missing, details))
    return 0


def _text(values: dict[str, float], missing: dict[str, str], details: dict[str, Any]) -> str:
    lines = [
        f"{name:<16}{value:{'.8g' if cloud_metrics.has_unit(name) else '.6f'}}"
        for name, value in values.items()
    ]
    lines += [f"{name:<16}not measured: {printable(why)}" for name, why in missing.items()]
    if details:
        points = " and ".join(str(count) for count in details["num_points"])
        lines.append(f"{points} points, peak {details['peak']:g}, normals {details['normals']}")
    return "".join(f"{line}\n" for line in lines)
