"""Arguments that several verbs share, and their checks."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lcrs.errors import LcrsError


class UsageError(Exception):
    """The command line asks for something that does not exist."""


def add_output(parser: argparse.ArgumentParser, what: str) -> None:
    """``-o OUT`` and ``--force``."""
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help=what)
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")


def add_model(parser: argparse.ArgumentParser, when_absent: str) -> None:
    """``--model NAME|FILE``."""
    parser.add_argument(
        "--model", metavar="NAME|FILE", help=f"a model's name, or an .lcrm file ({when_absent})"
    )


def add_runtime(parser: argparse.ArgumentParser, what: str) -> None:
    """``--runtime`` and ``--device``."""
    parser.add_argument(
        "--runtime",
        choices=("native", "torch"),
        default="native",
        help=f"what runs the networks of pictures; torch: fast on a GPU, {what} equal up to rounding",
    )
    parser.add_argument("--device", metavar="DEVICE", help="of the runtime torch: cuda, cpu; default cpu")


def check_runtime(runtime: str, device: str | None) -> None:
    """Refuses, before any work is done, a runtime that is not here.

    Raises:
        UsageError: if there is a device for the native runtime.
        OSError: if torch is needed and not installed.
    """
    if runtime == "torch":
        require_torch("--runtime torch")
    elif device is not None:
        msg = f"--device {device} is for --runtime torch"
        raise UsageError(msg)


def check_output(source: Path, target: Path, *, force: bool) -> None:
    """Refuses, before any work is done, to write where something is.

    Raises:
        OSError: if ``target`` exists and may not be replaced, its folder is missing, or it is the input
            itself.
    """
    from lcrs.coding.files import refuse_existing

    if not force:
        try:
            refuse_existing(target)
        except FileExistsError as error:
            msg = f"{error}; --force replaces it"
            raise FileExistsError(msg) from None
    if target.is_dir():
        raise IsADirectoryError(21, "is a folder, a file is needed", str(target))
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(target.parent))
    if target.exists() and source.exists() and target.samefile(source):
        raise FileExistsError(17, "is the input itself", str(target))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What is wrong with a file is said with its name."""
    try:
        yield
    except LcrsError as error:
        raise type(error)(f"{path}: {error}") from error
    except ValueError as error:
        if not hasattr(error, "for_command_line"):
            raise
        raise ValueError(f"{path}: {error.for_command_line()}") from error


def require_torch(who: str) -> None:
    """Raises `OSError`, with the command that helps, if torch is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        msg = f"{who} needs torch: pip install 'lcrs[torch]'"
        raise OSError(msg)


def quality(text: str) -> float:
    """A quality from 0 to 100, as argparse wants it."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 100:
        msg = f"'{text}' is not a number from 0 to 100"
        raise argparse.ArgumentTypeError(msg)
    return value
