"""Curves out of results: points in the order of rates, what is odd about them, and the published ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
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
    "check_rates",
    "curve_of",
    "key_of",
    "load",
    "measure_in_decibels",
    "over_pictures",
    "published",
    "published_names",
    "told_apart",
]

_DATA = Path(__file__).parent / "data" / "curves"
_SIMILARITIES = ("ms-ssim-rgb", "ssim-rgb", "ms-ssim", "ssim")
"""Measures that are drawn and compared in decibels, `-10 log10(1 - x)`."""
_DISTANCES = ("lpips", "dists")
"""Measures of which less is better."""
_COSTS = ("setting", "num_", "bpp", "bpip", "bitrate", "lossless", "encoding_", "decoding_", "estimation_")
"""How columns begin that are no measure of quality."""


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
    """A result file, or a published curve by its name: `kodak:vtm`.

    Raises:
        OSError: there is no such file.
        ValueError: it is no result file, or there is no such curve.
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


def told_apart(curves: Sequence[Results]) -> list[Results]:
    """The same curves; those of one name and several files get the names of their files, too."""
    sources: dict[str, set[str]] = {}
    for results in curves:
        sources.setdefault(results.name, set()).add(results.source)
    found = []
    for results in curves:
        others = sources[results.name]
        if len(others) > 1:
            stems = {Path(source).stem for source in others}
            which = Path(results.source).stem if len(stems) == len(others) else results.source
            results = replace(results, name=f"{results.name} ({which})")
        found.append(results)
    return found


def check_rates(curves: Sequence[Results]) -> None:
    """Raises ValueError if one has bits a pixel where another one has kilobits a second."""
    for results in curves[1:]:
        if results.rate != curves[0].rate:
            msg = (
                f"{curves[0].name} has its rate as {curves[0].rate}, {results.name} as {results.rate}: "
                "these cannot be compared"
            )
            raise ValueError(msg)


def key_of(results: Results, measure: str) -> str:
    """What results call a measure: with `-rgb`, or without, as older files of CompressAI have it.

    Raises:
        ValueError: they do not have it.
    """
    for key in (measure, f"{measure}-rgb", measure.removesuffix("-rgb")):
        if key in results.results:
            return key
    known = ", ".join(key for key in results.results if key not in ("bpp", "bpip", "bitrate", "setting"))
    msg = f"{results.name} has no {measure.removesuffix('-rgb')}: it has {known or 'nothing'}"
    raise ValueError(msg)


def over_pictures(results: Results, digests: frozenset[str]) -> Results:
    """The same results over some of their pictures.

    Raises:
        ValueError: there are no rows of them at a common setting.
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

    Distances count with their sign turned, so that more is better.

    Raises:
        ValueError: the results do not have the measure, or it is none of quality.
    """
    key = key_of(results, measure)
    if key.startswith(_COSTS) or key.endswith("_bytes"):
        msg = f"{key} is no measure of quality: curves are compared by psnr-rgb, ms-ssim-rgb and the like"
        raise ValueError(msg)
    name, rate_name = results.name, results.rate
    sign = -1.0 if key in _DISTANCES else 1.0
    notes = [f"{key} counts with its sign turned"] if sign < 0 else []
    points = []
    for at, (rate, value) in enumerate(zip(results.results[rate_name], results.results[key], strict=True)):
        if rate is None or value is None or rate <= 0:
            notes.append(f"{name}: point {at + 1} has no finite {key} at a rate above 0")
        else:
            points.append((float(rate), sign * measure_in_decibels(key, [float(value)])[0]))
    points.sort()
    kept: list[tuple[float, float]] = []
    for rate, quality in points:
        if not math.isfinite(quality):
            notes.append(f"{name}: the point at {rate:.4g} {rate_name} is without loss")
        elif kept and (rate, quality) == kept[-1]:
            notes.append(f"{name} has the point at {rate:.4g} {rate_name} twice")
        elif kept and quality <= kept[-1][1]:
            notes.append(
                f"{name} falls: {quality:.3f} at {rate:.4g} {rate_name} after "
                f"{kept[-1][1]:.3f} at {kept[-1][0]:.4g}; left out"
            )
        elif kept and rate == kept[-1][0]:
            notes.append(
                f"{name} has several points at {rate:.4g} {rate_name}: "
                f"{kept[-1][1]:.3f} is left out, {quality:.3f} is better"
            )
            kept[-1] = (rate, quality)
        else:
            kept.append((rate, quality))
    array = np.array(kept).reshape(-1, 2)
    return Curve(name, array[:, 0], array[:, 1], notes)
