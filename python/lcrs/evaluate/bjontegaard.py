"""BD-rate and BD-PSNR (Bjontegaard, VCEG-M33, 2001), and whether they mean anything.

The numbers are those of the package bjontegaard: integrals of the logarithm of the rate over the decibels
that both curves reach, and of decibels over the rates, by piecewise cubic (PCHIP), Akima or plain cubic
interpolation. What is asked first is whether both curves are over the same pictures and overlap.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lcrs.evaluate.curves import Curve, check_rates, curve_of, digests_of, key_of, over_pictures
from lcrs.evaluate.results import Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["METHODS", "Comparison", "bd_psnr", "bd_rate", "compare", "unit_of"]

Method = Literal["pchip", "akima", "cubic"]
METHODS: tuple[Method, ...] = ("pchip", "akima", "cubic")
_FEWEST = {"pchip": 3, "akima": 3, "cubic": 4}
"""Points of a curve. A line through two says nothing of what is between."""
_PLENTY = 0.75
"""Of the shorter curve's range: a smaller overlap is warned of."""
_GRID = 257


@dataclass
class Comparison:
    """One curve against another."""

    anchor: str
    test: str
    measure: str
    method: Method
    num_pictures: int | None
    """That both are over; None where that is not known."""
    bd_rate: float | None = None
    """In percent of the anchor's rate: below 0 the test needs less. None if it was refused."""
    bd_psnr: float | None = None
    """In decibels: above 0 the test is better."""
    overlap: tuple[float, float] | None = None
    """The decibels that both reach; what `bd_rate` is over."""
    share: float = 0.0
    """The overlap, of the shorter curve's range."""
    refused: str = ""
    """Why there are no numbers."""
    notes: list[str] = field(default_factory=list)
    """What to know of the numbers."""
    interval: tuple[float, float] | None = None
    """95 % of `bd_rate` over draws of pictures."""
    median: float | None = None
    """Of the pictures' own BD-rates."""


def bd_rate(anchor: Curve, test: Curve, method: Method = "pchip") -> float:
    """Mean difference of rates at equal quality, in percent of the anchor's; NaN without an overlap.

    Raises:
        OSError: the package bjontegaard is not installed.
    """
    return float(_delta("bd_rate", anchor, test, method))


def bd_psnr(anchor: Curve, test: Curve, method: Method = "pchip") -> float:
    """Mean difference of quality at equal rates, in decibels; NaN without an overlap; errors as `bd_rate`."""
    return float(_delta("bd_psnr", anchor, test, method))


def compare(
    anchor: Results,
    test: Results,
    *,
    measure: str = "psnr-rgb",
    method: Method = "pchip",
    min_overlap: float = 0.25,
    same_pictures: bool = False,
    common: bool = False,
    num_draws: int = 0,
    seed: int = 0,
) -> Comparison:
    """Compares two results; what makes a number wrong is refused, what makes it weak is noted.

    Args:
        anchor: What rates are percent of.
        test: What is compared.
        measure: Of both; similarities count in decibels.
        method: How curves run between points.
        min_overlap: Of the shorter curve's range; less is refused.
        same_pictures: Whether the caller vouches for pictures of which the files say nothing.
        common: Whether to take the pictures that both have, where they differ.
        num_draws: Of pictures, with replacement, for `Comparison.interval`; 0 for none.
        seed: Of these draws.

    Raises:
        ValueError: one of them does not have the measure, or another kind of rate than the other one.
        OSError: the package bjontegaard is not installed.
    """
    check_rates([anchor, test])
    found = Comparison(anchor.name, test.name, measure, method, None)
    anchor, test = _over_the_same(anchor, test, found, same_pictures=same_pictures, common=common)
    if found.refused:
        return found
    if anchor.meta.get("rate") != test.meta.get("rate") and "estimate" in (
        anchor.meta.get("rate"),
        test.meta.get("rate"),
    ):
        found.notes.append("one rate is estimated, the other that of files")
    ours, theirs = (curve_of(results, measure) for results in (anchor, test))
    found.notes += ours.notes + theirs.notes
    _measure_overlap([ours, theirs], found)
    if found.refused:
        return found
    if found.share < min_overlap:
        found.refused = f"{_overlap_text(found)}: below {100 * min_overlap:.0f} %, so no numbers"
        return found
    if found.share < _PLENTY:
        found.notes.append(_overlap_text(found))
    try:
        found.bd_rate, found.bd_psnr = (f(ours, theirs, method) for f in (bd_rate, bd_psnr))
    except ValueError as error:  # numbers that no codec has
        found.refused = f"{method} finds no curve through the points: {error}"
        return found
    if not np.isfinite(found.bd_psnr):
        found.bd_psnr = None
        found.notes.append("no rate is reached by both: no BD-PSNR")
    found.notes += _crossings(ours, theirs, method, unit_of(measure))
    if anchor.rows and test.rows and anchor.digests:
        _over_draws(anchor, test, found, num_draws, seed)
    elif num_draws:
        found.notes.append("no interval: one of them has no rows of pictures")
    return found


def _over_the_same(
    anchor: Results, test: Results, found: Comparison, *, same_pictures: bool, common: bool
) -> tuple[Results, Results]:
    """Both over the same pictures, or why that cannot be."""
    pair = (anchor, test)
    sets = [results.digests or digests_of(str(results.meta.get("dataset", ""))) for results in pair]
    ours, theirs = sets
    if ours and theirs and ours != theirs:
        shared = ours & theirs
        has_rows = all(results.rows or results.digests == shared for results in pair)
        if common and shared and has_rows:
            found.num_pictures = len(shared)
            found.notes.append(f"over the {len(shared)} pictures that both have")
            return tuple(  # type: ignore[return-value]
                results if results.digests == shared else over_pictures(results, shared) for results in pair
            )
        found.refused = (
            f"the pictures differ: {anchor.name} has {len(ours)}, {test.name} {len(theirs)}, "
            f"{len(shared)} of them the same"
        )
        if shared and has_rows:
            found.refused += " (--common takes those)"
        return anchor, test
    if ours and theirs:
        found.num_pictures = len(ours)
    elif ours or theirs:
        unknown = test if ours else anchor
        if not same_pictures:
            found.refused = (
                f"{unknown.name} does not say what pictures it is over, the other one is over "
                f"{len(ours or theirs)} (--same-pictures vouches for it)"
            )
        else:
            found.notes.append(f"that {unknown.name} is over the same pictures is the caller's word")
    elif not same_pictures:
        names = [results.meta.get("dataset") for results in pair]
        if all(names) and names[0] != names[1]:
            found.refused = f"the pictures differ: {names[0]} and {names[1]}"
        elif not all(names):
            found.notes.append("nothing says that both are over the same pictures")
    return anchor, test


def unit_of(measure: str) -> str:
    """What stands behind its numbers: most are decibels, or become them."""
    return " dB" if measure.startswith(("psnr", "ms-ssim", "ssim")) else ""


def _measure_overlap(curves: list[Curve], found: Comparison) -> None:
    fewest = _FEWEST[found.method]
    for curve in curves:
        if len(curve.rates) < fewest:
            points = "1 point that rises" if len(curve.rates) == 1 else f"{len(curve.rates)} points that rise"
            found.refused = f"{curve.name} has {points}, {found.method} needs {fewest} or more"
            return
    lows, highs = ([curve.qualities[at] for curve in curves] for at in (0, -1))
    low, high = float(max(lows)), float(min(highs))
    if low >= high:
        ranges = " and ".join(f"{c.qualities[0]:.2f} to {c.qualities[-1]:.2f}" for c in curves)
        found.refused = f"the curves do not overlap: {ranges}{unit_of(found.measure)}"
        return
    found.overlap = (low, high)
    found.share = (high - low) / min(top - bottom for bottom, top in zip(lows, highs, strict=True))


def _overlap_text(found: Comparison) -> str:
    assert found.overlap is not None
    low, high = found.overlap
    return (
        f"the overlap {low:.2f} to {high:.2f}{unit_of(found.measure)} is {100 * found.share:.0f} % "
        "of the shorter curve"
    )


def _delta(name: str, anchor: Curve, test: Curve, method: Method, **options: Any) -> Any:
    try:
        package = import_module("bjontegaard")
    except ModuleNotFoundError as error:
        msg = "BD-rate needs bjontegaard: pip install '.[evaluate]' in the sources of lcrs"
        raise OSError(msg) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of was measured before
        return getattr(package, name)(
            anchor.rates,
            anchor.qualities,
            test.rates,
            test.qualities,
            method=method,
            require_matching_points=False,
            min_overlap=0,
            **options,
        )


def _crossings(anchor: Curve, test: Curve, method: Method, unit: str) -> list[str]:
    """Where which one is cheaper changes; and where a curve runs back between its points."""
    _, f_anchor, f_test = _delta("bd_rate", anchor, test, method, interpolators=True)
    low = max(anchor.qualities[0], test.qualities[0])
    high = min(anchor.qualities[-1], test.qualities[-1])
    grid = np.linspace(low, high, _GRID)
    values: list[NDArray[np.float64]] = [np.asarray(f(grid)) for f in (f_anchor, f_test)]
    notes = [
        f"{curve.name} does not rise everywhere between its points by {method}: try another method"
        for curve, value in zip((anchor, test), values, strict=True)
        if np.any(np.diff(value) < -1e-9)
    ]
    difference = values[1] - values[0]
    signs = np.sign(np.where(np.abs(difference) < 1e-6, 0, difference))
    nonzero = np.flatnonzero(signs)
    changes = [(before, after) for before, after in pairwise(nonzero) if signs[before] != signs[after]]
    if changes:
        places = ", ".join(f"{grid[after]:.2f}" for _, after in changes[:5])
        more = ", ..." if len(changes) > 5 else ""
        notes.append(f"the curves cross at {places}{more}{unit}: neither is better everywhere")
    return notes


def _over_draws(anchor: Results, test: Results, found: Comparison, num_draws: int, seed: int) -> None:
    """The median of the pictures' own numbers, and an interval from draws of pictures."""
    digests = sorted(anchor.digests)
    tables = [_tables(results, found.measure, digests) for results in (anchor, test)]
    if any(table is None for table in tables) or len(digests) < 2:
        if num_draws:
            why = "there is one picture" if len(digests) < 2 else f"a row has no finite {found.measure}"
            found.notes.append(f"no interval: {why}")
        return
    keys = [key_of(results, found.measure) for results in (anchor, test)]

    def number(chosen: Sequence[int] | NDArray[np.int64]) -> float:
        curves: list[Curve] = []
        for rates, values in (table for table in tables if table is not None):
            rate, value = rates[chosen].mean(axis=0), values[chosen].mean(axis=0)
            results = {anchor.rate: rate.tolist(), keys[len(curves)]: value.tolist()}
            curves.append(curve_of(Results("", results=results), found.measure))
        if min(len(curve.rates) for curve in curves) < _FEWEST[found.method]:
            return float("nan")
        return bd_rate(curves[0], curves[1], found.method)

    own = [number([at]) for at in range(len(digests))]
    if np.isfinite(own).any():
        found.median = float(np.nanmedian(own))
    if num_draws:
        rng = np.random.default_rng(seed)
        drawn = [number(rng.integers(0, len(digests), len(digests))) for _ in range(num_draws)]
        if np.isfinite(drawn).any():
            low, high = np.nanpercentile(drawn, [2.5, 97.5])
            found.interval = (float(low), float(high))


def _tables(
    results: Results, measure: str, digests: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """(pictures, settings): rates and values of rows; None where they are not all there."""
    key = key_of(results, measure)
    by_key = {(row["digest"], row["setting"]): row for row in results.rows}
    settings = [s for s in results.settings if all((digest, s) in by_key for digest in digests)]
    pairs: list[list[tuple[Any, Any]]] = []
    for digest in digests:
        rows = [by_key[digest, setting] for setting in settings]
        pairs.append([(row[results.rate], row.get(key)) for row in rows])
    if not settings or any(value is None for line in pairs for pair in line for value in pair):
        return None
    array = np.array(pairs, np.float64)
    return array[..., 0], array[..., 1]
