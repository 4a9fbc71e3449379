"""Draws curves of result files of video, with CompressAI's arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lcrs.utils.drawing import draw_files, plot_arguments

__all__ = ["main", "setup_args"]


def setup_args() -> argparse.ArgumentParser:
    """The command's arguments."""
    return plot_arguments("python -m lcrs.utils.video.plot", "psnr-rgb")


def main(argv: Sequence[str]) -> None:
    """Runs the command; `argv` is what follows its name.

    Raises:
        ValueError: the drawing would go nowhere.
    """
    arguments = setup_args().parse_args(list(argv))
    if not arguments.show and not arguments.output:
        raise ValueError("select output file destination or --show")
    draw_files(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
