"""`lcrs info`: what .lcrs files hold."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lcrs.cli import streams
from lcrs.cli.arguments import add_limits, add_model, limits
from lcrs.cli.jobs import Kind, Plan, find_sources
from lcrs.cli.messages import naming, one_line, printable, valid

NAME = "info"
SUMMARY = "Say what .lcrs files hold, without decoding them"

JSON_HELP = "print one JSON object a line and file; bytes of a name that are no UTF-8 are \\xNN there"
_KIND = Kind(frozenset({".lcrs"}), str, "the .lcrs files")
# What a lossless picture has none of.
_OF_MODELS = frozenset({"model", "quality", "entropy_digest", "synthesis_digest"})
# The columns of a table, and on which side each is even.
_COLUMNS = (
    ("bytes", ">"),
    ("size", ">"),
    ("bits/pixel", ">"),
    ("quality", ">"),
    ("model", "<"),
    ("file", "<"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs info`."""
    parser.add_argument(
        "inputs",
        metavar="IN",
        nargs="+",
        help="an .lcrs file, a pattern, - for standard input, or with -r a folder",
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="take what is in folders")
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    add_model(parser, "default: the one that the file names; it is not needed")
    add_limits(parser)


def run(arguments: argparse.Namespace) -> int:
    """Reads and prints."""
    from lcrs.packages import load_any_package

    model = None if arguments.model is None else load_any_package(arguments.model)
    found = Plan()
    sources = [
        path for path, _ in find_sources(arguments.inputs, _KIND, recursive=arguments.recursive, found=found)
    ]
    is_table = len(sources) > 1 or arguments.recursive
    rows = []
    for path in sources:
        try:
            fields = {"file": valid(str(path))} | _fields(path, model, limits(arguments))
        except (OSError, ValueError) as error:
            found.failures.append(one_line(error))
            continue
        if arguments.json:
            streams.write_json(fields)
        elif is_table:
            rows.append(_row(fields))
        else:
            has_model = "num_points" in fields or not fields["lossless"]
            fields = {
                key: fields[key] for key in fields if key != "file" and (has_model or key not in _OF_MODELS)
            }
            width = max(map(len, fields))
            streams.write_text("".join(f"{key:<{width}}  {_text(value)}\n" for key, value in fields.items()))
    if rows:
        streams.write_text(_table(rows))
    streams.flush()
    if not sources and not found.failures:
        others = f", files of other kinds: {found.num_others}" if found.num_others else ""
        streams.say_line(f"lcrs info: no .lcrs files{others}")
    for failure in found.failures:
        streams.say_line(f"lcrs info: error: {failure}")
    return 1 if found.failures else 0


def _fields(path: Path, model: Any, within: dict[str, Any]) -> dict[str, Any]:
    from lcrs import codec
    from lcrs.cli.reading import read_stream

    data = read_stream(path, within)
    with naming(streams.title(path)):
        return codec.info(data, model, **within)


def _row(fields: dict[str, Any]) -> list[str]:
    if "num_points" in fields:
        return [
            str(fields["num_bytes"]),
            f"{fields['num_points']} points",
            "-" if fields["bits_per_point"] is None else f"{fields['bits_per_point']:.3f}/point",
            "lossless" if fields["lossless"] else f"{fields['voxel']:g}",
            printable(fields["model"]),
            printable(fields["file"]),
        ]
    width, height, quality = fields["width"], fields["height"], fields["quality"]
    return [
        str(fields["num_bytes"]),
        f"{width}x{height}",
        f"{8 * fields['num_bytes'] / (width * height):.3f}",
        "lossless" if fields["lossless"] else "fixed" if quality is None else f"{quality:g}",
        "-" if fields["lossless"] else printable(fields["model"]),
        printable(fields["file"]),
    ]


def _table(rows: list[list[str]]) -> str:
    lines = [[name for name, _ in _COLUMNS], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [side for _, side in _COLUMNS]
    texts = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True))
        for line in lines
    )
    return "".join(f"{text.rstrip()}\n" for text in texts)


def _part(part: dict[str, Any]) -> str:
    """A part of a point cloud, in words."""
    name = part["part"] if part["attribute"] is None else f"attribute {part['attribute']}"
    bits = "" if part["bits_per_point"] is None else f", {part['bits_per_point']:.3f} bits a point"
    return printable(f"{name} {part['num_bytes']} bytes{bits}")


def _text(value: Any) -> str:
    """A value for people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case [int() | float(), *_]:
            return " ".join(str(float(part) if isinstance(part, float) else part) for part in value)
        case [{"part": _}, *_]:
            return ", ".join(_part(part) for part in value)
        case [{"dtype": _}, *_]:
            return ", ".join(printable(f"{one['name']} {one['dtype']}") for one in value)
        case dict():
            return "; ".join(f"{key} {_text(part)}" for key, part in value.items())
        case list():
            return ", ".join(f"{section['num_bytes']} bytes {section['kind']}" for section in value)
        case _:
            return printable(str(value))
