"""`lcrs train`: recipes, and runs by them."""

from __future__ import annotations

import argparse

from lcrs.cli.arguments import require_torch

NAME = "train"
SUMMARY = "Train a model by a recipe, or list and show recipes (needs torch)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs train`."""
    from lcrs.train import command

    command.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Does what the words say."""
    from lcrs.train import command

    if command.words_of(arguments)[:1] not in ([], ["list"], ["show"]):
        require_torch("lcrs train")
    return command.run(arguments)
