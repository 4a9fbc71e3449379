"""Compress a picture to an .lcrs file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lcrs.cli.arguments import (
    add_model,
    add_output,
    add_runtime,
    check_output,
    check_runtime,
    naming,
    quality,
)
from lcrs.cli.reading import add_picture_arguments, keep_options, losses_line, read_picture

NAME = "encode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``lcrs encode``."""
    parser.add_argument("input", metavar="IN", type=Path, help="a picture that Pillow can read")
    add_output(parser, "the .lcrs file to write")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "-q", "--quality", metavar="Q", type=quality, help="0 (smallest) to 100 (best); default 50"
    )
    rate.add_argument(
        "--scale", metavar="S", type=float, help="of CompressAI's variable-rate models, in place of a quality"
    )
    add_model(parser, "default: photo, which ships with lcrs")
    add_picture_arguments(parser)
    add_runtime(parser, "latents are")


def run(arguments: argparse.Namespace) -> int:
    """Reads, compresses, writes."""
    check_runtime(arguments.runtime, arguments.device)
    check_output(arguments.input, arguments.output, force=arguments.force)

    from lcrs import codec, coding
    from lcrs.coding.files import write_atomically

    model, rate = codec.load_package(arguments.model or codec.DEFAULT_MODEL), arguments.quality
    if arguments.scale is not None:
        rate = coding.quality_of_scale(model, arguments.scale)
    picture = read_picture(arguments.input, arguments)
    with naming(arguments.input):
        data = codec.compress(
            picture,
            quality=rate,
            model=model,
            runtime=arguments.runtime,
            device=arguments.device,
            **keep_options(arguments),
        )
    write_atomically(arguments.output, data, overwrite=arguments.force)
    header = codec.info(data)
    bpp = 8 * len(data) / (header["width"] * header["height"])
    sys.stderr.write(f"{arguments.output}: {len(data)} bytes, {bpp:.3f} bits a pixel\n")
    if line := losses_line(arguments.input, picture, arguments):
        sys.stderr.write(f"{line}\n")
    return 0
