"""The numbers of `data.options`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lcrs.train.config import ConfigError

__all__ = ["options_of"]


def options_of(defaults: Mapping[str, int], given: Mapping[str, Any]) -> dict[str, int]:
    """Options by name: those that are given, and of the others the defaults.

    Raises:
        ConfigError: an option is unknown, or no positive whole number.
    """
    for name, value in given.items():
        if name not in defaults:
            raise ConfigError(f"data.options has no {name!r}: there are {', '.join(defaults)}")
        if not isinstance(value, int) or value < 1:
            raise ConfigError(f"data.options.{name} is {value!r}, must be a whole number from 1")
    return {**defaults, **given}
