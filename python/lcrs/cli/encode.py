"""Compress a picture to an .lcrs file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lcrs.cli.arguments import add_model, add_output, add_runtime, check_output, check_runtime, quality

NAME = "encode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``lcrs encode``, in groups: each group has its own reader below."""
    parser.add_argument("input", metavar="IN", type=Path, help="a picture that Pillow can read")
    add_output(parser, "the .lcrs file to write")
    _add_rate(parser.add_argument_group("size and quality"))
    _add_picture(parser.add_argument_group("what is taken from the picture"))
    model = parser.add_argument_group("model")
    add_model(model, "default: photo, which ships with lcrs")
    add_runtime(model, "latents are")


def _add_rate(group: argparse._ArgumentGroup) -> None:
    """How large the file gets; read by `_rate_options`. One of them at most."""
    rate = group.add_mutually_exclusive_group()
    rate.add_argument(
        "-q", "--quality", metavar="Q", type=quality, help="0 (smallest) to 100 (best); default 50"
    )
    rate.add_argument(
        "--scale", metavar="S", type=float, help="of CompressAI's variable-rate models, in place of a quality"
    )


def _add_picture(group: argparse._ArgumentGroup) -> None:
    """What becomes of pixels and metadata; read by `_picture_options`."""
    group.add_argument(
        "--background", metavar="COLOR", help="flatten transparency on this colour: white, #102030"
    )
    group.add_argument("--to-8bit", action="store_true", help="round 16-bit components to 8 bits")
    group.add_argument("--keep-exif", action="store_true", help="keep camera data, place and time included")


def _rate_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `lcrs.compress` is told of the model and the rate."""
    from lcrs import codec, coding

    model, rate = arguments.model or codec.DEFAULT_MODEL, arguments.quality
    if arguments.scale is not None:
        model = codec.load_package(model)
        rate = coding.quality_of_scale(model, arguments.scale)
    return {"model": model, "quality": rate, "runtime": arguments.runtime, "device": arguments.device}


def _picture_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `lcrs.compress` is told of the picture."""
    return {
        "background": arguments.background,
        "to_8bit": arguments.to_8bit,
        "keep_exif": arguments.keep_exif,
    }


def run(arguments: argparse.Namespace) -> int:
    """Reads, compresses, writes."""
    check_runtime(arguments.runtime, arguments.device)
    check_output(arguments.input, arguments.output, force=arguments.force)

    from lcrs import codec
    from lcrs.cli.reading import open_picture
    from lcrs.coding.files import write_atomically

    with open_picture(arguments.input) as image:
        data = codec.compress(image, **_rate_options(arguments), **_picture_options(arguments))
    write_atomically(arguments.output, data, overwrite=arguments.force)
    header = codec.info(data)
    bpp = 8 * len(data) / (header["width"] * header["height"])
    sys.stderr.write(f"{arguments.output}: {len(data)} bytes, {bpp:.3f} bits a pixel\n")
    return 0
