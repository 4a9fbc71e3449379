"""What happens where a result can be had by machine-dependent arithmetic only."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Literal, get_args

__all__ = ["PortabilityMode", "portability", "portability_mode"]

PortabilityMode = Literal["require", "warn", "allow"]
_VARIABLE = "LCRS_PORTABILITY"
_chosen: PortabilityMode | None = None


class portability:
    """Chooses what happens where a part of a model has no exact form and would have to run in torch.

    Strings of such a model decode only where torch computes the same sums; decoding verifies them. Called, it
    sets the mode for the process; as a context manager, for the time of the block, in all threads. Without
    it, the environment variable ``LCRS_PORTABILITY`` counts, and then "warn".

    Args:
        mode: "require" raises `lcrs.NotPortableError`; "warn" issues a `lcrs.NotPortableWarning`, once for
            each part; "allow" says nothing.

    Raises:
        ValueError: there is no such mode.

    Example:
        >>> import lcrs
        >>> with lcrs.portability("require"):
        ...     pass  # here nothing is coded that would not decode everywhere
    """

    def __init__(self, mode: PortabilityMode) -> None:
        global _chosen
        self._before = _chosen
        _chosen = _checked(mode, "mode")

    def __enter__(self) -> None:
        """The mode is set already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restores the mode that was."""
        global _chosen
        _chosen = self._before


def portability_mode() -> PortabilityMode:
    """The mode that `portability` set, or ``LCRS_PORTABILITY``, or "warn".

    Raises:
        ValueError: the environment variable is something else.
    """
    return _chosen if _chosen is not None else _checked(os.environ.get(_VARIABLE) or "warn", _VARIABLE)


def _checked(mode: str, name: str) -> PortabilityMode:
    for known in get_args(PortabilityMode):
        if mode == known:
            checked: PortabilityMode = known
            return checked
    raise ValueError(f"{name} is {mode!r}, must be 'require', 'warn' or 'allow'")
