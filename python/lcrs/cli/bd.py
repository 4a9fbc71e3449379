"""`lcrs bd`: BD-rate and BD-PSNR of curves against an anchor, over the same pictures or not at all."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from lcrs.cli import streams
from lcrs.cli.arguments import whole_number
from lcrs.cli.messages import UsageError, naming, printable

if TYPE_CHECKING:
    from lcrs.evaluate.bjontegaard import Comparison
    from lcrs.evaluate.results import Results

NAME = "bd"
SUMMARY = "Compare rate-distortion curves: BD-rate, BD-PSNR, and what is wrong with them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs bd`."""
    parser.add_argument(
        "curves",
        metavar="CURVE",
        nargs="+",
        help="a result file, ours or CompressAI's, or a published curve such as kodak:vtm",
    )
    parser.add_argument(
        "--anchor",
        metavar="CURVE",
        action="append",
        help="what rates are percent of (default: the first CURVE)",
    )
    add_comparison(parser)
    parser.add_argument("--json", action="store_true", help="print JSON: a list of objects, one a comparison")


def add_comparison(parser: argparse._ActionsContainer, *, has_metric: bool = True) -> None:
    """How curves are compared; also for `lcrs report`, which takes all that there is."""
    if has_metric:
        parser.add_argument(
            "--metric", metavar="NAME", help="default: psnr-rgb, of results of point clouds psnr-d1"
        )
        parser.add_argument(
            "--bootstrap",
            metavar="N",
            type=whole_number(0, 100_000),
            default=0,
            help="draw pictures N times for an interval of 95 %%",
        )
    parser.add_argument(
        "--method", choices=("pchip", "akima", "cubic"), default="pchip", help="default: pchip"
    )
    parser.add_argument(
        "--min-overlap", metavar="SHARE", type=_share, default=0.25, help="less is refused (default: 0.25)"
    )
    parser.add_argument(
        "--same-pictures", action="store_true", help="take your word for pictures that files do not name"
    )
    parser.add_argument("--common", action="store_true", help="take the pictures that both have")


def run(arguments: argparse.Namespace) -> int:
    """Compares and prints; 1 if something was refused."""
    compared = comparisons(arguments)
    if arguments.json:
        streams.write_text(json.dumps([asdict(comparison) for comparison in compared]) + "\n")
    else:
        streams.write_text(_text(compared))
    for comparison in compared:
        pair = f"{comparison.test} against {comparison.anchor}"
        if comparison.refused:
            streams.say_line(f"lcrs bd: error: {pair}: {comparison.refused}")
        for note in comparison.notes:
            streams.say_line(f"lcrs bd: warning: {pair}: {note}")
    return 1 if any(comparison.refused for comparison in compared) else 0


def comparisons(arguments: argparse.Namespace) -> list[Comparison]:
    """Every curve against every anchor.

    Raises:
        UsageError: there is nothing to compare.
    """
    from lcrs.evaluate.bjontegaard import compare

    num_anchors = len(arguments.anchor or [0])
    found = load_curves([*(arguments.anchor or []), *arguments.curves])
    anchors, tests = found[:num_anchors], found[num_anchors:]
    if not tests:
        msg = "one curve alone is compared with nothing: name another one, or an --anchor"
        raise UsageError(msg)
    return [
        compare(
            anchor,
            test,
            measure=arguments.metric or anchor.usual_measure,
            method=arguments.method,
            min_overlap=arguments.min_overlap,
            same_pictures=arguments.same_pictures,
            common=arguments.common,
            num_draws=arguments.bootstrap,
        )
        for anchor in anchors
        for test in tests
    ]


def load_curves(texts: Sequence[str]) -> list[Results]:
    """Result files and published curves, which have different names after this."""
    from lcrs.evaluate.curves import load, told_apart

    curves = []
    for text in texts:
        with naming(text):
            curves.append(load(text))
    return told_apart(curves)


def _text(compared: list[Comparison]) -> str:
    """A table for people."""
    from lcrs.evaluate.bjontegaard import unit_of

    first = compared[0]
    unit = unit_of(first.measure).replace(" ", ", ")
    what = "BD-PSNR" if first.measure.startswith("psnr") else "BD"
    lines = [["curve", "against", "BD-rate, %", f"{what}{unit}", f"over{unit}", "pictures"]]
    has_median = any(comparison.median is not None for comparison in compared)
    lines[0] += ["median, %"] if has_median else []
    lines[0] += ["95 % of draws"] if any(comparison.interval for comparison in compared) else []
    for found in compared:
        over = "-" if found.overlap is None else f"{found.overlap[0]:.2f} to {found.overlap[1]:.2f}"
        line = [
            _short(found.test),
            _short(found.anchor),
            "refused" if found.bd_rate is None else f"{found.bd_rate:+.2f}",
            "-" if found.bd_psnr is None else f"{found.bd_psnr:+.3f}",
            over,
            "?" if found.num_pictures is None else str(found.num_pictures),
        ]
        line += [] if not has_median else ["-" if found.median is None else f"{found.median:+.2f}"]
        if len(lines[0]) > len(line):
            low, high = found.interval or (None, None)
            line.append("-" if low is None or high is None else f"{low:+.2f} to {high:+.2f}")
        lines.append(line)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ("  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
    return f"{first.measure}, {first.method}\n" + "".join(f"{row}\n" for row in rows)


def _short(name: str) -> str:
    """As much of a curve's name as a table has room for."""
    text = printable(name)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        msg = f"'{text}' is not a number from 0 to 1"
        raise argparse.ArgumentTypeError(msg)
    return value
