"""Say what an .lcrs file holds, without decoding it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from lcrs.cli.arguments import add_model, naming

NAME = "info"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``lcrs info``."""
    parser.add_argument("input", metavar="IN", type=Path, help="an .lcrs file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model(parser, "default: the one that the file names; it is not needed")


def run(arguments: argparse.Namespace) -> int:
    """Reads and prints."""
    data = arguments.input.read_bytes()

    from lcrs import codec

    model = None if arguments.model is None else codec.load_package(arguments.model)
    with naming(arguments.input):
        fields = codec.info(data, model)
    if arguments.json:
        sys.stdout.write(json.dumps(fields) + "\n")
    else:
        width = max(map(len, fields))
        sys.stdout.writelines(f"{key:<{width}}  {_text(value)}\n" for key, value in fields.items())
    return 0


def _text(value: object) -> str:
    """A value for people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case [int() | float(), *_]:
            return " ".join(str(float(part) if isinstance(part, float) else part) for part in value)
        case list():
            return ", ".join(f"{section['num_bytes']} bytes {section['kind']}" for section in value)
        case _:
            return str(value)
