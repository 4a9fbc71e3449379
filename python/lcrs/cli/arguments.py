"""Arguments that several verbs share, and their checks."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lcrs.cli.messages import UsageError
from lcrs.cli.streams import location

_MOST = (1 << 62) - 1
"""Where there is no other bound: what the native functions take."""


def add_output(parser: argparse._ActionsContainer, what: str) -> None:
    """`-o OUT` and `--force`, for verbs that write one file."""
    parser.add_argument("-o", "--output", metavar="OUT", type=location, required=True, help=what)
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")


def add_model(parser: argparse._ActionsContainer, when_absent: str) -> None:
    """`--model NAME|FILE`."""
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        type=_model,
        help=f"a model's name, or an .lcrm file ({when_absent})",
    )


def add_runtime(parser: argparse._ActionsContainer, what: str) -> None:
    """`--runtime` and `--device`."""
    parser.add_argument(
        "--runtime",
        choices=("native", "torch"),
        default="native",
        help=f"what runs the networks of pictures; torch: fast on a GPU, {what} equal up to rounding",
    )
    parser.add_argument("--device", metavar="DEVICE", help="of the runtime torch: cuda, cpu; default cpu")


def add_frame(parser: argparse._ActionsContainer) -> None:
    """`--frame N`."""
    what = "frame, page or layer of a file with several, from 0"
    parser.add_argument("--frame", metavar="N", type=whole_number(0), help=what)


def add_jobs(parser: argparse._ActionsContainer, reason: str = "") -> None:
    """`--jobs`; `reason` follows the default in its help."""
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=whole_number(0, 1024),
        default=1,
        help=f"processes; 0: one a processor; default 1{reason}",
    )


def add_limits(parser: argparse._ActionsContainer) -> None:
    """`--max-pixels` and `--max-bytes`, which `limits` reads."""
    parser.add_argument(
        "--max-pixels", metavar="N", type=whole_number(1), help="refuse larger pictures (default: 2^28)"
    )
    parser.add_argument(
        "--max-bytes",
        metavar="N",
        type=whole_number(1),
        help="memory that coding may hold at a time, beside the model (default: 2^31)",
    )


def limits(arguments: argparse.Namespace) -> dict[str, Any]:
    """What functions are told of the limits; None is their default."""
    return {"max_pixels": arguments.max_pixels, "max_bytes": arguments.max_bytes}


def refuse_options(arguments: argparse.Namespace, names: Iterable[str], noun: str) -> None:
    """Options that only one kind of input has are not passed over by another one.

    Args:
        arguments: of the command line.
        names: of the options, as `arguments` has them; those that the verb lacks count as not given.
        noun: what they are for, "pictures" or "point clouds".

    Raises:
        UsageError: one is given.
    """
    others = {"pictures": "point clouds", "point clouds": "pictures"}
    for name in names:
        value = getattr(arguments, name, None)
        if value is None or value is False or value == [] or (name, value) == ("runtime", "native"):
            continue
        option = f"--{name.strip('_').replace('_', '-')}" + (f" {value}" if name == "runtime" else "")
        raise UsageError(f"{option} is for {noun}, not for {others[noun]}")


def metrics_in(arguments: argparse.Namespace, known: Sequence[str], default: Sequence[str]) -> list[str]:
    """What `--metrics` asks for.

    Args:
        arguments: of the command line.
        known: names of all measures there are.
        default: what is measured where nothing is asked for.

    Raises:
        UsageError: it names none, or one that there is not.
    """
    if arguments.metrics is None:
        return list(default)
    names = [name.strip() for name in arguments.metrics.split(",") if name.strip()]
    if not names or not set(names) <= set(known):
        raise UsageError(f"--metrics {arguments.metrics}: there are {', '.join(known)}")
    return list(dict.fromkeys(names))


def check_runtime(runtime: str, device: str | None) -> None:
    """Refuses, before any work is done, a runtime that is not here.

    Raises:
        UsageError: there is a device for the native runtime.
        OSError: torch is needed and not installed.
        ValueError: torch has no such device here.
    """
    if runtime == "torch":
        require_torch("--runtime torch")
        from lcrs.codec.torch_runtime import check_device

        check_device(device or "cpu")
    elif device is not None:
        msg = f"--device {device} is for --runtime torch"
        raise UsageError(msg)


def require_torch(who: str) -> None:
    """Raises `OSError`, with the command that helps, if torch is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        msg = f"{who} needs torch: pip install '.[torch]' in the sources of lcrs"
        raise OSError(msg)


def quality(text: str) -> float:
    """A quality from 0 to 100, as argparse wants it."""
    value = _float(text)
    if not 0 <= value <= 100:
        msg = f"'{text}' is not a number from 0 to 100"
        raise argparse.ArgumentTypeError(msg)
    return value


def color(text: str) -> str:
    """A colour that Pillow knows, as argparse wants it."""
    from lcrs.pictures.errors import PictureError
    from lcrs.pictures.picture import color_of

    try:
        color_of(text)
    except PictureError as error:
        raise argparse.ArgumentTypeError(error.problem) from None
    return text


def positive_number(text: str) -> float:
    """A finite number above 0, as argparse wants it."""
    value = _float(text)
    if not 0 < value < math.inf:
        msg = f"'{text}' is not a number above 0"
        raise argparse.ArgumentTypeError(msg)
    return value


def whole_number(least: int, most: int = _MOST) -> Callable[[str], int]:
    """What makes a whole number within bounds of a text, as argparse wants it."""

    def parse(text: str) -> int:
        is_number = text.isascii() and text.isdecimal() and len(text) < 20
        if not is_number or not least <= int(text) <= most:
            bounds = f"from {least} on" if most == _MOST else f"from {least} to {most}"
            msg = f"'{text}' is not a whole number {bounds}"
            raise argparse.ArgumentTypeError(msg)
        return int(text)

    return parse


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _model(text: str) -> str:
    if not text.strip():
        msg = "is empty, a model's name or an .lcrm file is needed"
        raise argparse.ArgumentTypeError(msg)
    return text
