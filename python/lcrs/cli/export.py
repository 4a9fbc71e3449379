"""`lcrs export`: the package of a run, and its transforms as ONNX."""

from __future__ import annotations

import argparse
from pathlib import Path

from lcrs.cli import streams
from lcrs.cli.arguments import add_output, require_torch

NAME = "export"
SUMMARY = "Turn a training run into a package, checked against torch (needs torch)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs export`."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="the folder of a run, or its model.pt")
    parser.add_argument(
        "--name", metavar="NAME", help="what .lcrs files call the model (default: from OUT's name)"
    )
    parser.add_argument(
        "--picture", metavar="FILE", type=Path, help="a picture to compare on (default: a made one)"
    )
    parser.add_argument(
        "--onnx", metavar="FOLDER", type=Path, help="write g_a, h_a, h_s and g_s as ONNX files too"
    )
    add_output(parser, "the .lcrm package to write")


def run(arguments: argparse.Namespace) -> int:
    """Does it, and says what was compared."""
    require_torch("lcrs export")
    from lcrs.train.data.pictures import read_picture
    from lcrs.train.export import export_run

    picture = None if arguments.picture is None else read_picture(arguments.picture)
    found = export_run(
        arguments.run_folder,
        arguments.output,
        name=arguments.name,
        picture=picture,
        onnx=arguments.onnx,
        overwrite=arguments.force,
    )
    for entry in found:
        at = "" if entry.quality is None else f"quality {entry.quality:g}: "
        own = (
            "no coding of its own in torch"
            if entry.torch_bits is None
            else f"{entry.torch_bits:.0f} in torch, pixels of which differ by {entry.torch_step:g} at most"
        )
        streams.say_line(
            f"{at}{entry.native_bits:.0f} bits in a file, {entry.estimated_bits:.0f} estimated, {own}; the "
            f"forward pass differs by {entry.forward_rms:.3f} of 255 in the mean"
        )
    streams.say_line(f"{arguments.output}: {arguments.output.stat().st_size} bytes")
    return 0
