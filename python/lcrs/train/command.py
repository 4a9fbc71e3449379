"""What `lcrs train` and `python -m lcrs.train` do with their words."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["NAME", "SUMMARY", "add_arguments", "run", "words_of"]

NAME = "train"
SUMMARY = "Train a model by a recipe, or list and show recipes"

_LIST = """\
lcrs train RECIPE data.train=FOLDER trains; lcrs train show RECIPE prints the whole configuration, every
line of which can be set as KEY=VALUE; a recipe of your own is a .toml file in place of a name.
"""


class CommandError(ValueError):
    """The words make no command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs train`."""
    parser.add_argument(
        "words",
        metavar="RECIPE | list | show RECIPE",
        nargs="*",
        help="a recipe's name or .toml file, then KEY=VALUE settings, such as data.train=photos minutes=30; "
        "the same command again goes on where it stopped",
    )
    # Words may stand behind it, which argparse would not take for those before.
    parser.add_argument(
        "--restart",
        action="extend",
        nargs="*",
        metavar="KEY=VALUE",
        help="begin anew, forgetting the run in its folder",
    )


def words_of(arguments: argparse.Namespace) -> list[str]:
    """All words of the command, wherever --restart stood between them."""
    return [*arguments.words, *(arguments.restart or [])]


def run(arguments: argparse.Namespace) -> int:
    """Does what the words say; returns the exit code.

    Raises:
        ConfigError: a recipe, a key or a value is wrong.
        ModuleNotFoundError: what training needs is not installed.
    """
    words = words_of(arguments)
    if not words:
        raise CommandError("a recipe is missing: lcrs train list says which there are")
    first, *rest = words
    if first == "list":
        return _list(rest)
    if first == "show":
        return _show(rest)
    from lcrs.train.recipes import load_recipe

    config = load_recipe(first, rest)
    from lcrs.train.loop import run as train

    result = train(config, restart=arguments.restart is not None)
    return 128 + result.signal if result.signal else 0


def main(words: Sequence[str] | None = None) -> int:
    """`python -m lcrs.train`."""
    parser = argparse.ArgumentParser(prog="python -m lcrs.train", description=f"{SUMMARY}.")
    add_arguments(parser)
    try:
        return run(parser.parse_args(words))
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"lcrs train: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before there is anything to save, or a second time
        return 128 + signal.SIGINT


def _list(rest: Sequence[str]) -> int:
    if rest:
        raise CommandError(f"list takes nothing more, got {' '.join(rest)}")
    from lcrs.train.recipes import load_recipe, recipe_names

    names = recipe_names()
    width = max(map(len, names)) + 2
    lines = [f"{name:<{width}}{load_recipe(name, on_cuda=False).summary}" for name in names]
    sys.stdout.write("\n".join(lines) + "\n\n" + _LIST)
    return 0


def _show(rest: Sequence[str]) -> int:
    if not rest:
        raise CommandError("show needs a recipe: lcrs train list says which there are")
    from lcrs.train.recipes import load_recipe, shown

    sys.stdout.write(shown(load_recipe(rest[0], rest[1:]), Path(rest[0]).stem))
    return 0
