"""Restore a picture from an .lcrs file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lcrs.cli.arguments import add_model, add_output, add_runtime, check_output, check_runtime, naming

NAME = "decode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``lcrs decode``."""
    parser.add_argument("input", metavar="IN", type=Path, help="an .lcrs file")
    add_output(parser, "the picture to write: .png, .tif, .webp, .bmp, .ppm (all lossless), .jpg, .avif")
    add_model(parser, "default: the one that the file names")
    add_runtime(parser, "pixels are")


def run(arguments: argparse.Namespace) -> int:
    """Reads, decompresses, writes."""
    from lcrs.cli.writing import encode_picture, format_of

    check_runtime(arguments.runtime, arguments.device)
    name = format_of(arguments.output)
    check_output(arguments.input, arguments.output, force=arguments.force)
    data = arguments.input.read_bytes()

    from lcrs import codec
    from lcrs.coding.files import write_atomically

    model = None if arguments.model is None else codec.load_package(arguments.model)
    with naming(arguments.input):
        picture = codec.decompress_picture(data, model, runtime=arguments.runtime, device=arguments.device)
    with naming(arguments.output):
        written, lost = encode_picture(picture, name)
    write_atomically(arguments.output, written, overwrite=arguments.force)
    if lost:
        sys.stderr.write(f"{arguments.output}: no place in {name} for {', '.join(lost)}\n")
    return 0
