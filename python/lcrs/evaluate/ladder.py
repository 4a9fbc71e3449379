"""The settings that a codec has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lcrs.evaluate.results import Setting

__all__ = ["Ladder", "checked"]


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
