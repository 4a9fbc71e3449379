"""What is wrong with the file of a point cloud, or with a cloud for a file."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lcrs.errors import LcrsError

__all__ = ["CloudError", "cut", "library", "shown"]

_LETTERS = 40
"""Of a name, in a line of error."""


class CloudError(LcrsError):
    """A file of points that is damaged or too large, or a cloud that a format cannot hold: one line."""


def cut(name: str) -> str:
    """A name as part of a sentence."""
    return name[:_LETTERS]


def shown(text: object) -> str:
    """A name, or some text of a file, in quotes, as a line of error can show it."""
    whole = repr(text)
    return whole if len(whole) <= _LETTERS + 2 else repr(str(text)[: _LETTERS - 3] + "...")


def library(name: str, kind: str) -> Any:
    """A package that files of one kind need, and others do not.

    Raises:
        CloudError: it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise CloudError(f"{kind} needs {name}: pip install '.[points]' in the sources of lcrs") from error
