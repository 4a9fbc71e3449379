"""Curves out of results: points in the order of rates, what is odd about them, and the published ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.evaluate.results import Results, means, read_results, results_of
from lcrs.metrics import decibels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Curve",
    "curve_of",
    "load",
    "measure_in_decibels",
    "over_pictures",
    "published",
    "published_names",
]

_DATA = Path(__file__).parent / "data" / "curves"
_SIMILARITIES = ("ms-ssim-rgb", "ssim-rgb", "ms-ssim", "ssim")
"""Measures that are drawn and compared in decibels, ``-10 log10(1 - x)``."""


@dataclass
class Curve:
    """Points of one codec and measure, each at a higher rate and better than the one before."""

    name: str
    rates: NDArray[np.float64]
    """(N,): bits a pixel, or kilobits a second."""
    qualities: NDArray[np.float64]
    """(N,): decibels, or what the measure has."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""


def load(text: str | Path) -> Results:
    """A result file, or a published curve by its name: ``kodak:vtm``.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is no result file, or there is no such curve.
    """
    dataset, colon, name = str(text).partition(":")
    if colon and not Path(text).exists() and (_DATA / f"{dataset}.json").is_file():
        found = published(dataset)
        if name not in found:
            msg = f"there is no published curve {text}: there are {', '.join(published_names())}"
            raise ValueError(msg)
        return found[name]
    return read_results(text)


@lru_cache
def published(dataset: str = "kodak") -> dict[str, Results]:
    """The published curves of a set of pictures that come with lcrs, with their source."""
    content = _content(dataset)
    found = {}
    for name, curve in content["curves"].items():
        found[name] = results_of(curve, f"{dataset}:{name}", name)
        found[name].source = f"{dataset}:{name}"
        found[name].meta |= {"source": found[name].meta.get("url", content["source"])}
    return found


def published_names() -> list[str]:
    """Of all published curves, as `load` takes them."""
    sets = sorted(path.stem for path in _DATA.glob("*.json"))
    return [f"{dataset}:{name}" for dataset in sets for name in published(dataset)]


@lru_cache
def digests_of(dataset: str) -> frozenset[str]:
    """Of the pictures of a set that is known by its name; empty if it is not."""
    if not (_DATA / f"{dataset}.json").is_file():
        return frozenset()
    return frozenset(picture["digest"] for picture in _content(dataset)["pictures"])


@lru_cache
def _content(dataset: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_DATA / f"{dataset}.json").read_text(encoding="utf-8"))
    return content


def measure_in_decibels(measure: str, values: Iterable[float]) -> list[float]:
    """Values of a measure as they are drawn and compared."""
    return [decibels(value) if measure in _SIMILARITIES else value for value in values]


def over_pictures(results: Results, digests: frozenset[str]) -> Results:
    """The same results over some of their pictures.

    Raises:
        ValueError: if there are no rows of them at a common setting.
    """
    found = means(results.rows, digests)
    if not found:
        msg = f"{results.name} has no rows of these {len(digests)} pictures"
        raise ValueError(msg)
    pictures = [p for p in results.pictures if p["digest"] in digests]
    return Results(
        results.name, results.description, found, results.meta, pictures, results.rows, source=results.source
    )


def curve_of(results: Results, measure: str = "psnr-rgb") -> Curve:
    """The curve of a measure; points that cost more and give no more are left out, and named.

    Raises:
        ValueError: if the results do not have the measure.
    """
    table: Mapping[str, list[Any]] = results.results
    measure = measure if measure in table else f"{measure}-rgb"
    if measure not in table:
        known = ", ".join(key for key in table if key not in ("bpp", "setting"))
        msg = f"{results.name} has no {measure.removesuffix('-rgb')}: it has {known}"
        raise ValueError(msg)
    notes = []
    points = []
    for at, (rate, value) in enumerate(zip(table[results.rate], table[measure], strict=True)):
        if rate is None or value is None or rate <= 0:
            notes.append(f"{results.name}: point {at + 1} has no finite {measure} at a rate above 0")
        else:
            points.append((float(rate), *measure_in_decibels(measure, [float(value)])))
    points.sort()
    kept: list[tuple[float, float]] = []
    for rate, quality in points:
        if not math.isfinite(quality):
            notes.append(f"{results.name}: the point at {rate:.4g} {results.rate} is without loss")
        elif kept and (quality <= kept[-1][1] or rate <= kept[-1][0]):
            notes.append(
                f"{results.name} falls: {quality:.3f} at {rate:.4g} {results.rate} after "
                f"{kept[-1][1]:.3f} at {kept[-1][0]:.4g}; left out"
            )
        else:
            kept.append((rate, quality))
    array = np.array(kept).reshape(-1, 2)
    return Curve(results.name, array[:, 0], array[:, 1], notes)
