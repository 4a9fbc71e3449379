"""`lcrs plot`: drawings of result files."""

from __future__ import annotations

import argparse
from pathlib import Path

from lcrs.cli import streams
from lcrs.cli.bd import load_curves
from lcrs.cli.messages import UsageError
from lcrs.cli.targets import check_output

NAME = "plot"
SUMMARY = "Draw rate-distortion curves, times or complexity: PNG, SVG, PDF"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs plot`."""
    parser.add_argument(
        "curves", metavar="CURVE", nargs="+", help="a result file, or a published curve such as kodak:vtm"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=streams.location,
        required=True,
        help="a .png, .svg or .pdf file",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    parser.add_argument(
        "--kind",
        choices=("rd", "rate-time", "rate-complexity"),
        default="rd",
        help="rd: quality over rate (default); rate-complexity: BD-rate against the first curve",
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="default: psnr-rgb, of results of point clouds psnr-d1"
    )
    parser.add_argument("--title", metavar="TEXT", default="", help="above the drawing")
    parser.add_argument("--axes", metavar="X", type=float, nargs=4, help="limits: xmin xmax ymin ymax")
    parser.add_argument(
        "--figsize", metavar="IN", type=float, nargs=2, default=(9.0, 6.0), help="default: 9 6"
    )


def run(arguments: argparse.Namespace) -> int:
    """Draws."""
    import io

    from lcrs.cli.targets import deliver
    from lcrs.evaluate.plotting import draw

    ending = arguments.output.suffix.lower()
    if ending not in (".png", ".svg", ".pdf"):
        raise UsageError(f"-o {arguments.output} ends in none of .png, .svg, .pdf")
    check_output(Path(streams.STANDARD), arguments.output, force=arguments.force)
    curves = load_curves(arguments.curves)
    figure, lacking = draw(
        curves,
        kind=arguments.kind,
        measure=arguments.metric,
        title=arguments.title,
        axes=arguments.axes,
        figsize=tuple(arguments.figsize),
    )
    for text in lacking:
        streams.say_line(f"lcrs plot: warning: {text}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending[1:], dpi=200)
    deliver(arguments.output, buffer.getvalue(), force=arguments.force)
    return 0
