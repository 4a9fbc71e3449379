"""The one error of the reader."""

from __future__ import annotations


class WrongFile(ValueError):
    """The bytes are not what the specification says."""


def need(condition: object, message: str) -> None:
    """Raises `WrongFile` unless ``condition`` holds."""
    if not condition:
        raise WrongFile(message)
