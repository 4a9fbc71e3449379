"""The settings that a codec has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lcrs.evaluate.results import Setting

__all__ = ["Ladder", "checked"]


class Ladder(Protocol):
    """Settings between two bounds, in steps, of which one end is the best."""

    @property
    def least(self) -> float:
        """The lowest setting."""

    @property
    def most(self) -> float:
        """The highest setting."""

    @property
    def step(self) -> float:
        """Between settings; 0 where any number is one."""

    @property
    def is_ascending(self) -> bool:
        """Whether higher settings are better."""


def checked(ladder: Ladder, setting: Setting, what: str) -> float:
    """The setting as a number.

    Raises:
        ValueError: it is none of the ladder's.
    """
    is_number = isinstance(setting, int | float) and ladder.least <= setting <= ladder.most
    if not is_number or (ladder.step and float(setting) % ladder.step):  # type: ignore[arg-type]
        whole = "a whole number " if ladder.step == 1 else ""
        msg = f"setting is {setting!r} ({what}), must be {whole}from {ladder.least:g} to {ladder.most:g}"
        raise ValueError(msg)
    return float(setting)  # type: ignore[arg-type]
