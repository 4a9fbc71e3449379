"""The settings that a codec has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lcrs.evaluate.results import Setting

__all__ = ["Ladder", "checked", "is_legal", "legal"]


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Settings between two bounds, in steps, of which one end is the best.

    Attributes:
        least: The lowest setting.
        most: The highest setting.
        step: Between settings; 0 where any number is one.
        is_ascending: Whether higher settings are better.
    """

    least: float = 0
    most: float = 100
    step: float = 1
    is_ascending: bool = True


def legal(ladder: Ladder) -> str:
    """The settings of a ladder in words."""
    whole = "a whole number " if ladder.step == 1 else ""
    return f"{whole}from {ladder.least:g} to {ladder.most:g}"


def is_legal(ladder: Ladder, setting: float) -> bool:
    """Whether a setting is one of the ladder's."""
    return ladder.least <= setting <= ladder.most and not (ladder.step and float(setting) % ladder.step)


def checked(ladder: Ladder, setting: Setting, what: str) -> float:
    """The setting as a number.

    Raises:
        ValueError: it is none of the ladder's.
    """
    if not isinstance(setting, int | float) or not is_legal(ladder, setting):
        msg = f"setting is {setting!r} ({what}), must be {legal(ladder)}"
        raise ValueError(msg)
    return float(setting)
