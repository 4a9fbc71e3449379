"""`lcrs doctor`: what is wrong with a file, and what to do."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from lcrs.cli import streams
from lcrs.cli.arguments import add_limits, add_model, limits
from lcrs.cli.messages import UsageError, naming, one_line, printable
from lcrs.cli.own_model import add_import, any_model_of, check_import

NAME = "doctor"
SUMMARY = "Tell a damaged file from a wrong model, a foreign file or a newer format, and what to do"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs doctor`."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=streams.location, help="any file")
    parser.add_argument(
        "--original",
        metavar="PICTURE",
        type=streams.location,
        help="what FILE was made of: tells a weak model from a stream that went wrong",
    )
    add_model(parser, "default: the one that FILE names")
    add_import(parser)
    add_limits(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line and file")


def run(arguments: argparse.Namespace) -> int:
    """Looks, prints; 1 if a file is not well."""
    from lcrs.evaluate.diagnosis import diagnose

    check_import(arguments)
    model, original = any_model_of(arguments), None
    if arguments.original is not None:
        from lcrs.evaluate.protocol import read_picture

        with naming(arguments.original):
            original = read_picture(arguments.original).pixels
    code = 0
    if streams.STANDARD in arguments.files:
        raise UsageError("- is standard input: doctor looks at files")
    for path in arguments.files:
        try:
            found = diagnose(path, model=model, original=original, **limits(arguments))
        except OSError as error:
            streams.say_line(f"lcrs doctor: error: {one_line(error)}")
            code = 1
            continue
        code = code if found.is_well else 1
        if arguments.json:
            streams.write_text(json.dumps({"file": str(path)} | asdict(found)) + "\n")
            continue
        streams.write_text(
            f"{printable(str(path))}: {found.verdict}\n  {one_line(ValueError(found.words))}\n"
            f"  what to do: {printable(found.advice)}\n"
        )
    return code
