"""The parser of the command line: the verbs, and how it says what is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from lcrs.cli import streams

__all__ = ["VERBS", "Parser", "build_parser"]

VERBS = (
    "encode",
    "decode",
    "info",
    "compare",
    "metrics",
    "eval",
    "bench",
    "bd",
    "find",
    "plot",
    "report",
    "doctor",
    "train",
    "export",
    "zoo",
    "convert",
    "completion",
)
"""The verbs, each a module of its name, in the order of the help."""


class Parser(argparse.ArgumentParser):
    """A parser whose help is a result as all others: that it cannot be written is an error."""

    hint = ""
    """What else errors say."""

    def print_help(self, file: object = None) -> None:
        """Writes the help as results are written."""
        streams.write_text(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and where there is help."""
        streams.say_line(f"{self.prog}: error: {message}{self.hint} ({self.prog} --help says more)")
        raise SystemExit(2)


def build_parser(hint: str = "", names: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """The parser of the verbs of these names."""
    parser = Parser(prog="lcrs", description="Learned image compression.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(run=lambda parsed: _without_verb(parser, parsed))
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for module in (import_module(f"lcrs.cli.{name}") for name in names):
        verb = verbs.add_parser(module.NAME, help=module.SUMMARY, description=f"{module.SUMMARY}.")
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
        verb.hint = hint
    return parser


def _without_verb(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    if parsed.version:
        from lcrs import __version__

        streams.write_text(f"lcrs {__version__}\n")
        return 0
    streams.say(parser.format_help())
    return 2
