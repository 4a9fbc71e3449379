"""`lcrs convert`: .lcrs files from those of CompressAI's codec.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from lcrs.cli import streams
from lcrs.cli.arguments import add_output, positive_number, quality, require_torch
from lcrs.cli.messages import naming
from lcrs.cli.targets import check_output, deliver

NAME = "convert"
SUMMARY = "Turn a file of CompressAI's codec.py into an .lcrs file, symbol by symbol"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs convert`."""
    parser.add_argument("input", metavar="IN", type=Path, help="a file that examples/codec.py wrote")
    parser.add_argument(
        "--model",
        metavar="FILE",
        type=Path,
        help="the checkpoint that it was made with (needs torch), or its .lcrm package "
        "(default: the published weights that IN names)",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="what OUT calls a checkpoint's model, as for lcrs zoo import"
    )
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "-q",
        "--quality",
        metavar="Q",
        type=quality,
        help="of a variable-rate model, which IN does not say: 100 * s / 7 (default: of s = 1, codec.py's)",
    )
    rate.add_argument("--scale", metavar="S", type=positive_number, help="the same as the model's inputscale")
    add_output(parser, "the .lcrs file to write; the package of the same checkpoint decodes it")


def run(arguments: argparse.Namespace) -> int:
    """Reads, decodes, codes, writes."""
    check_output(arguments.input, arguments.output, force=arguments.force)
    data = arguments.input.read_bytes()
    if arguments.model is None or arguments.model.suffix != ".lcrm":
        require_torch("lcrs convert with a checkpoint")

    from lcrs.zoo.convert import convert

    rate = {"quality": arguments.quality, "scale": arguments.scale}
    with naming(arguments.input):
        converted = convert(data, arguments.model, arguments.name, **rate)
    deliver(arguments.output, converted, force=arguments.force)
    streams.say_line(f"{arguments.output}: {len(converted)} bytes, {arguments.input} has {len(data)}")
    return 0
