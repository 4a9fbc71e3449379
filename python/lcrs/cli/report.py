"""`lcrs report`: one page of HTML of result files."""

from __future__ import annotations

import argparse
from pathlib import Path

from lcrs.cli import streams
from lcrs.cli.arguments import positive_number, whole_number
from lcrs.cli.bd import add_comparison, load_curves
from lcrs.cli.targets import check_output, deliver

NAME = "report"
SUMMARY = "Make one page of HTML: curves, differences, rows, and pictures side by side"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs report`."""
    parser.add_argument(
        "curves", metavar="CURVE", nargs="+", help="a result file, or a published curve such as kodak:vtm"
    )
    parser.add_argument(
        "-o", "--output", metavar="PAGE", type=streams.location, required=True, help="the .html file to write"
    )
    parser.add_argument("--force", action="store_true", help="replace PAGE if it exists")
    parser.add_argument("--title", metavar="TEXT", default="Evaluation", help="above the page")
    group = parser.add_argument_group("pictures, of results that were made with --save")
    group.add_argument("--originals", metavar="FOLDER", type=Path, help="where the pictures are")
    group.add_argument("--bpp", metavar="B", type=positive_number, default=0.25, help="rate (default: 0.25)")
    group.add_argument(
        "--num-pictures", metavar="N", type=whole_number(0, 1000), default=4, help="default: 4"
    )
    add_comparison(parser.add_argument_group("differences"), has_metric=False)


def run(arguments: argparse.Namespace) -> int:
    """Writes the page."""
    from lcrs.evaluate.report import Sight, page, sights

    check_output(streams.STANDARD, arguments.output, force=arguments.force)
    curves = load_curves(arguments.curves)
    seen: list[Sight] = []
    if arguments.originals is not None:
        seen, lacking = sights(
            curves, arguments.originals, bpp=arguments.bpp, num_pictures=arguments.num_pictures
        )
        for text in lacking:
            streams.say_line(f"lcrs report: warning: {text}")
    elif any(curve.meta.get("saved") for curve in curves):
        streams.say_line("lcrs report: no pictures: --originals FOLDER shows those that --save kept")
    text = page(
        curves,
        title=arguments.title,
        method=arguments.method,
        min_overlap=arguments.min_overlap,
        same_pictures=arguments.same_pictures,
        common=arguments.common,
        seen=seen,
        bpp=arguments.bpp,
    )
    deliver(arguments.output, text.encode(), force=arguments.force)
    return 0
