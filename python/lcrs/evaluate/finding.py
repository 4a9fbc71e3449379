"""The setting of a codec whose result comes nearest to a target, by bisection on the real coder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lcrs import metrics
from lcrs.evaluate.protocol import Codec, Given, measured

if TYPE_CHECKING:
    from lcrs.evaluate.results import Setting

__all__ = ["TOLERANCES", "Found", "find"]

TOLERANCES = {"bpp": 1e-3, "num_bytes": 1e-3}
"""Of the target, within which the search ends; of measures it is 0.005 dB, or 1e-5 of similarities."""
_MOST_TRIALS = 24


@dataclass
class Found:
    """What a search ended with."""

    setting: Setting
    value: float
    """Of what was asked for: the mean over pictures."""
    is_reached: bool
    """The codec has values on both sides of the target, of which this is the nearest, or one that is equal to
    it within the tolerance. Of bytes fewer are enough."""
    trials: dict[Setting, float] = field(default_factory=dict)
    """The value of every setting that was tried."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Of the pictures at the setting."""
    files: list[bytes] = field(default_factory=list)
    """Of the pictures at the setting."""


def find(codec: Codec, pictures: Sequence[Given], what: str, target: float) -> Found:
    """Searches the setting at which the mean over pictures comes nearest to a target.

    Args:
        codec: With settings between two bounds (`lcrs.evaluate.ladder.Ladder`), or few, which are all tried.
        pictures: One or more; all get the same setting.
        what: `bpp`, `num_bytes`, or one of `lcrs.metrics.NAMES`. Of bytes there are never more than asked
            for, unless no setting gives less.
        target: How much of it.

    Raises:
        ValueError: the target is no number above 0, or a picture has no such measure.
        Exception: whatever the codec ends in.
    """
    if not (math.isfinite(target) and target > 0):
        msg = f"the target {what} is {target}, must be a number above 0"
        raise ValueError(msg)
    names = [what] if what in metrics.NAMES else []
    at_most = what == "num_bytes"
    trials: dict[Setting, float] = {}
    kept: dict[Setting, tuple[list[dict[str, Any]], list[bytes]]] = {}

    def value_of(setting: Setting) -> float:
        if setting in trials:
            return trials[setting]
        rows, files = [], []
        for given in pictures:
            row, _, data = measured(codec, given, setting, names)
            if what not in row:
                why = row.get("missing", {}).get(what, "there is no such number")
                msg = f"{given.name} has no {what}: {why}"
                raise ValueError(msg)
            rows.append(row)
            files.append(data)
        trials[setting] = math.fsum(row[what] for row in rows) / len(rows)
        kept[setting] = (rows, files)
        best = _nearest(trials, target, at_most=at_most)
        for other in [s for s in kept if s != best]:  # files of others are not wanted any more
            del kept[other]
        return trials[setting]

    tolerance = tolerance_of(what, target)
    _search(codec, value_of, target, tolerance, at_most=at_most)
    chosen = _nearest(trials, target, at_most=at_most)
    rows, files = kept[chosen]
    is_near = abs(trials[chosen] - target) <= tolerance
    is_between = min(trials.values()) <= target and (at_most or target <= max(trials.values()))
    return Found(chosen, trials[chosen], is_near or is_between, dict(trials), rows, files)


def tolerance_of(what: str, target: float) -> float:
    """How near to a target is near enough to end."""
    if what in TOLERANCES:
        return TOLERANCES[what] * target
    return 1e-5 if what in ("ms-ssim-rgb", "ssim-rgb", "lpips", "dists") else 0.005


def _search(
    codec: Codec, value_of: Callable[[Setting], float], target: float, tolerance: float, *, at_most: bool
) -> None:
    """Tries settings until no better one can be."""
    bounded: Any = codec
    if getattr(codec, "most", None) is None:
        for setting in codec.settings:
            value_of(setting)
        return
    step, is_ascending = float(bounded.step), bool(bounded.is_ascending)
    worst, finest = (bounded.least, bounded.most) if is_ascending else (bounded.most, bounded.least)
    below, above = float(worst), float(finest)
    for _ in range(_MOST_TRIALS):
        middle = (below + above) / 2
        if step:
            middle = round(middle / step) * step
            if middle in (below, above):
                break
        elif abs(above - below) < 1e-4 * (bounded.most - bounded.least):
            break
        value = value_of(_setting(middle))
        if at_most and value > target:
            above = middle
        elif abs(value - target) <= tolerance:
            return
        elif value < target:
            below = middle
        else:
            above = middle
    for end in (below, above):
        value_of(_setting(end))


def _setting(number: float) -> Setting:
    return int(number) if float(number).is_integer() else number


def _nearest(trials: dict[Setting, float], target: float, *, at_most: bool) -> Setting:
    allowed = {setting: value for setting, value in trials.items() if value <= target} if at_most else {}
    if at_most and not allowed:
        return min(trials, key=lambda setting: trials[setting])
    return min(allowed or trials, key=lambda setting: abs(trials[setting] - target))
