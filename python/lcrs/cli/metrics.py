"""``lcrs metrics``: every measure of one picture against another."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from lcrs.cli import compare, streams
from lcrs.cli.messages import UsageError, printable

NAME = "metrics"
SUMMARY = "Measure a picture against its original: PSNR, planes, SSIM, MS-SSIM, and networks where installed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``lcrs metrics``: those of compare, but for its map."""
    compare.add_inputs(parser)
    parser.add_argument("--metrics", metavar="LIST", help="with commas between (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Reads both, measures, prints."""
    from lcrs import metrics

    names = list(metrics.NAMES)
    if arguments.metrics is not None:
        names = [name.strip() for name in arguments.metrics.split(",") if name.strip()]
        if not names or any(name not in metrics.NAMES for name in names):
            raise UsageError(f"--metrics {arguments.metrics}: there are {', '.join(metrics.NAMES)}")
    a, b = compare.read_both(arguments)
    values, missing = metrics.measure(*compare.alike(a, b), names)
    fields: dict[str, Any] = {
        "values": {name: value if math.isfinite(value) else None for name, value in values.items()},
        "missing": missing | {name: "nothing differs" for name, v in values.items() if math.isinf(v)},
    }
    streams.write_text(json.dumps(fields) + "\n" if arguments.json else _text(values, missing))
    return 0


def _text(values: dict[str, float], missing: dict[str, str]) -> str:
    lines = [f"{name:<16}{value:.6f}" for name, value in values.items()]
    lines += [f"{name:<16}not measured: {printable(why)}" for name, why in missing.items()]
    return "".join(f"{line}\n" for line in lines)
