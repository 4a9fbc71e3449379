"""The command line: one verb a file, results on stdout, everything for people on stderr.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lcrs.cli.arguments import UsageError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        arguments: what follows the program's name; ``sys.argv`` without it.
    """
    parser = build_parser()
    parsed = parser.parse_args(arguments)
    if parsed.version:
        from lcrs import __version__

        sys.stdout.write(f"lcrs {__version__}\n")
        return 0
    if parsed.run is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        return int(parsed.run(parsed))
    except UsageError as error:
        sys.stderr.write(f"lcrs {parsed.verb}: error: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except (OSError, ValueError, MemoryError) as error:
        sys.stderr.write(f"lcrs {parsed.verb}: error: {_message(error)}\n")
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    from lcrs.cli import convert, decode, encode, info, zoo

    parser = argparse.ArgumentParser(prog="lcrs", description="Learned image compression.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(run=None)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for module in (encode, decode, info, zoo, convert):
        summary = (module.__doc__ or "").splitlines()[0]
        verb = verbs.add_parser(module.NAME, help=summary, description=summary)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


def _message(error: BaseException) -> str:
    """One line for people."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    text = error.for_command_line() if hasattr(error, "for_command_line") else str(error)
    return " ".join(text.split()) or type(error).__name__
