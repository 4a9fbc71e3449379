"""What happens where a result can be had by machine-dependent arithmetic only."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Literal, get_args

__all__ = ["PortabilityMode", "portability", "portability_mode"]

PortabilityMode = Literal["require", "warn", "allow"]
_VARIABLE = "LCRS_PORTABILITY"
# The mode that was chosen, and who by: an object, equal to itself only.
_chosen: tuple[PortabilityMode | None, object] = (None, None)


class portability:
    """Chooses what happens where a part of a model has no exact form and would have to run in torch.

    Strings of such a model decode only where torch computes the same sums. Decoding verifies "lcrs" strings;
    "ans" strings have no place for a checksum. Called, it sets the mode for the process; as a context
    manager, for the time of the block, in all threads, as often as it is entered. Without it, the environment
    variable `LCRS_PORTABILITY` counts, and then "warn".

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
        self._mode = _checked(mode, "mode")
        self._token = object()
        self._befores = [_chosen]
        self._is_entered = False
        _chosen = (self._mode, self._token)

    def __enter__(self) -> None:
        """Sets the mode, where it is not the one that this call has just set."""
        global _chosen
        is_set, self._is_entered = _chosen[1] is self._token and not self._is_entered, True
        if not is_set:
            self._befores.append(_chosen)
            _chosen = (self._mode, self._token)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restores the mode that was."""
        global _chosen
        _chosen = self._befores.pop()


def portability_mode() -> PortabilityMode:
    """The mode that `portability` set, or `LCRS_PORTABILITY`, or "warn".

    Raises:
        ValueError: the environment variable is something else.
    """
    mode = _chosen[0]
    return mode if mode is not None else _checked(os.environ.get(_VARIABLE) or "warn", _VARIABLE)


def _checked(mode: str, name: str) -> PortabilityMode:
    for known in get_args(PortabilityMode):
        if mode == known:
            checked: PortabilityMode = known
            return checked
    raise ValueError(f"{name} is {mode!r}, must be 'require', 'warn' or 'allow'")
