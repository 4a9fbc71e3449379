"""The command line: one verb a file, results on stdout, everything for people on stderr.

Exit codes: 0 done, 1 failed (of many files: some), 2 wrong usage, 128 + N ended by signal N.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from lcrs.cli import streams
from lcrs.cli.messages import UsageError, one_line, printable
from lcrs.cli.parser import VERBS, Parser, build_parser
from lcrs.cli.stopping import end_by_signal, exit_code

__all__ = ["VERBS", "build_parser", "main"]

_BROKEN_PIPE = 128 + 13
_DEBUG = "LCRS_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        arguments: what follows the program's name; `sys.argv` without it.
    """
    streams.prepare()
    verb = "lcrs"
    try:
        parsed = _parse(arguments)
        verb = f"lcrs {parsed.verb}" if parsed.verb else verb
        code = _run(parsed, verb)
        streams.flush()
    except BrokenPipeError:
        code = _BROKEN_PIPE  # nobody reads on: as it should be in a pipe to `head`
    except KeyboardInterrupt as error:
        code = exit_code(error)
    except OSError as error:
        code = _fail(verb, error, 1)
    if arguments is None:
        end_by_signal(code)
    return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        hint = _hint(given)
        # A verb that is named at once is the only one to be imported.
        verbs = given[:1] if given and given[0] in VERBS else VERBS
        parsed, unknown = build_parser(hint, verbs).parse_known_args(given)
        if unknown:
            # The verb's help is what says which there are.
            verb = Parser(prog=f"lcrs {parsed.verb}" if parsed.verb else "lcrs")
            verb.hint = hint
            verb.error(f"unrecognized arguments: {' '.join(unknown)}")
        parsed.command_line = given
        return parsed
    except SystemExit:
        streams.flush()  # help that has no place to go is a failure like all others
        raise


def _hint(arguments: Sequence[str]) -> str:
    """What helps who names a file that looks like an option."""
    for text in arguments:
        if text == "--":
            break
        if len(text) > 1 and text.startswith("-") and os.path.isfile(text):  # noqa: PTH113 (no path yet)
            return f"; the file of that name is ./{text}"
    return ""


def _run(parsed: argparse.Namespace, verb: str) -> int:
    """Does what the verb says; what goes wrong becomes one line."""
    told: set[str] = set()

    def tell(message: Warning | str, *_: object, **__: object) -> None:
        if (text := printable(str(message))) not in told:
            told.add(text)
            streams.say_line(f"{verb}: warning: {text}")

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = tell
            return int(parsed.run(parsed))
    except UsageError as error:
        return _fail(verb, error, 2)
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        return _fail(verb, error, 1)


def _fail(verb: str, error: BaseException, code: int) -> int:
    streams.say_line(f"{verb}: error: {one_line(error)}")
    return code
