"""Standard input, output and error, also where they are closed, full, or a pipe that nobody reads."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from lcrs.cli.messages import printable

STANDARD = Path("-")
"""What stands for standard input or output on the command line."""

NO_URL = "is a URL, which is not fetched: download it first"

_NAMES = ("standard input", "standard output", "standard error")


def location(text: str) -> Path:
    """A file's name on the command line: `-` is `STANDARD`, `./-` the file of that name.

    Raises:
        argparse.ArgumentTypeError: if it is a URL.
    """
    if is_url(text):
        raise argparse.ArgumentTypeError(f"{text}: {NO_URL}")
    return Path.cwd() / text if text != "-" and Path(text) == STANDARD else Path(text)


def is_url(text: str) -> bool:
    """Whether a name is an address, which `Path` would make a file's name of another spelling."""
    return "://" in text and not os.path.lexists(text)


def title(path: Path) -> str:
    """What an input is called in messages."""
    return _NAMES[0] if path == STANDARD else str(path)


def prepare() -> None:
    """Makes the streams safe to use: no file that is opened later becomes one of them, and a name that the
    terminal cannot show is no error.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDONLY)  # the lowest that is free; to write there stays an error
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write_text(text: str) -> None:
    """Results for standard output.

    Raises:
        OSError: it is closed or full.
    """
    with _naming(stream := standard_output()):
        stream.write(text)


def write_json(fields: dict[str, Any]) -> None:
    """A line of JSON; errors as in `write_text`."""
    write_text(json.dumps(fields) + "\n")


def write_bytes(data: bytes) -> None:
    """A file for standard output; errors as in `write_text`."""
    with _naming(stream := standard_output()):
        stream.buffer.write(data)
        stream.buffer.flush()


def flush() -> None:
    """Ends what `write_text` began; errors as there."""
    if sys.stdout is not None:
        with _naming(sys.stdout):
            sys.stdout.flush()


def say(text: str) -> None:
    """Words for people, on standard error; where nobody can read them they are lost."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _abandon(sys.stderr)


def say_line(text: str) -> None:
    """One line for people, whatever the names in it are made of."""
    say(f"{printable(text)}\n")


def standard_input() -> BinaryIO:
    """The bytes of standard input.

    Raises:
        OSError: it is closed.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "is closed", _NAMES[0])
    return sys.stdin.buffer


def standard_output() -> TextIO:
    """Where results go.

    Raises:
        OSError: it is closed.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "is closed", _NAMES[1])
    return sys.stdout


def refuse_terminal(descriptor: int) -> None:
    """Raises `OSError` if what is written to `descriptor` is shown to people."""
    if os.isatty(descriptor):
        msg = "the output would go to a terminal: -o FILE writes a file, --force writes there all the same"
        raise OSError(msg)


def _abandon(stream: TextIO) -> None:
    """Lets what is left in a stream that failed vanish, or the interpreter would fail on it at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def _naming(stream: TextIO) -> Iterator[None]:
    """What the system refuses is told with the stream's name."""
    try:
        yield
    except OSError as error:
        _abandon(stream)
        if isinstance(error, BrokenPipeError):
            raise
        raise OSError(error.errno, error.strerror, _NAMES[1]) from error
