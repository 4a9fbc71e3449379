"""Brings a checkpoint up to date: present key names, tables filled, the file's hash in its name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lcrs.zoo.updating import architecture_names, update_checkpoint

__all__ = ["main", "setup_args"]


def setup_args() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m lcrs.utils.update_model", description=__doc__)
    parser.add_argument("filepath", help="the checkpoint")
    parser.add_argument("-n", "--name", help="how the new file's name begins (default: as the old one's)")
    parser.add_argument("-d", "--dir", help="folder of the new file (default: this one)")
    parser.add_argument("--no-update", action="store_true", help="leave tables as they are")
    parser.add_argument(
        "-a",
        "--architecture",
        choices=architecture_names(),
        metavar="NAME",
        help="default: told by the checkpoint's keys",
    )
    return parser


def main(argv: Sequence[str]) -> None:
    """Runs the command; `argv` is what follows its name."""
    arguments = setup_args().parse_args(list(argv))
    update_checkpoint(
        arguments.filepath,
        folder=arguments.dir,
        name=arguments.name,
        architecture=arguments.architecture,
        fill_tables=not arguments.no_update,
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, ValueError) as error:
        sys.exit(f"update_model: error: {error}")
