"""One page of HTML with everything that result files have: it needs no network and no other file."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.evaluate.bjontegaard import Method, compare
from lcrs.evaluate.curves import check_rates, digests_of
from lcrs.evaluate.plotting import LABELS, points_of, visible
from lcrs.evaluate.protocol import digest_of
from lcrs.evaluate.results import RATES, Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sight", "page", "sights"]

_TEMPLATE = Path(__file__).parent / "data" / "report.html"
_COMPARED = ("psnr-rgb", "ms-ssim-rgb", "psnr-d1", "psnr-d2")
_NO_MEASURES = frozenset({"setting", "num_bytes", "bpp-strings", "ms-ssim-rgb-db", *RATES})
_COLUMNS = (
    *("num_bytes", "bpp", "psnr-rgb", "psnr-yuv", "ms-ssim-rgb"),
    *("bpip", "psnr-d1", "psnr-d2", "lossless", "encoding_time", "decoding_time"),
)
_SIDE = 288
"""Of a crop, in pixels."""
_GAIN = 8
"""That differences are shown with."""

Sight = dict[str, Any]
"""A part of a picture: the original, and what codecs made of it."""


def page(
    curves: Sequence[Results],
    *,
    title: str = "Evaluation",
    method: Method = "pchip",
    min_overlap: float = 0.25,
    same_pictures: bool = False,
    common: bool = False,
    seen: Sequence[Sight] = (),
    bpp: float = 0.25,
) -> str:
    """The page.

    Args:
        curves: What it is about.
        title: Above.
        method: As `lcrs.evaluate.bjontegaard.compare` takes it, as all up to `common`.
        min_overlap: As there.
        same_pictures: As there.
        common: As there.
        seen: Of `sights`.
        bpp: The rate that these are at.

    Raises:
        ValueError: the rates of curves are of two kinds.
    """
    check_rates(curves)
    curves = [replace(results, name=_isolated(results.name)) for results in curves]
    measures = _measures(curves)
    compared = [name for name in _COMPARED if all(name in results.results for results in curves)]
    differences = {
        name: [
            [
                None
                if anchor is test
                else asdict(
                    compare(
                        anchor,
                        test,
                        measure=name,
                        method=method,
                        min_overlap=min_overlap,
                        same_pictures=same_pictures,
                        common=common,
                    )
                )
                for test in curves
            ]
            for anchor in curves
        ]
        for name in compared
    }
    data = {
        "summary": _summary(curves),
        "rate": LABELS[curves[0].rate],
        "labels": LABELS,
        "measures": measures,
        "compared": compared,
        "differences": differences,
        "curves": [_curve(results, measures) for results in curves],
        "columns": [key for key in _COLUMNS if any(key in row for r in curves for row in r.rows)],
        "rows": [row for results in curves for row in _rows(results)],
        "crops": list(seen),
    }
    # The page's own end of a script cannot come from a name in the data.
    text = json.dumps(_finite(data), allow_nan=False).replace("<", "\\u003c")
    places = {"TITLE": html.escape(title), "BPP": f"{bpp:g}", "DATA": text}
    # At once: a title may have the mark of another place in it.
    return re.sub("@(TITLE|BPP|DATA)@", lambda found: places[found[1]], _TEMPLATE.read_text(encoding="utf-8"))


def sights(
    curves: Sequence[Results], originals: Path, *, bpp: float = 0.25, num_pictures: int = 4
) -> tuple[list[Sight], list[str]]:
    """Parts of pictures where codecs differ most from the original, at rates near one.

    Args:
        curves: Results of `lcrs eval --save` or `lcrs bench --save`.
        originals: The folder of the pictures, by the names that results have.
        bpp: The rate.
        num_pictures: At most so many.

    Returns:
        The parts, and what was not found, in words.
    """
    from lcrs.evaluate.protocol import read_picture

    names = {p["digest"]: p["name"] for r in curves if r.meta.get("saved") for p in r.pictures}
    found: list[Sight] = []
    lacking: list[str] = []
    for digest, name in sorted(names.items(), key=lambda item: item[1]):
        if len(found) == num_pictures:
            break
        try:
            original = read_picture(originals / name).pixels
        except (OSError, ValueError) as error:
            lacking.append(f"{name}: {error}")
            continue
        if digest_of(original) != digest:
            lacking.append(f"{originals / name} is another picture than the one that was measured")
            continue
        shown = [pair for results in curves if (pair := _restored(results, digest, name, bpp, lacking))]
        shown = [(row, label, pixels) for row, label, pixels in shown if pixels.shape == original.shape]
        if shown:
            found.append(_sight(name, original, shown))
    return found, lacking


def _restored(
    results: Results, digest: str, name: str, bpp: float, lacking: list[str]
) -> tuple[dict[str, Any], str, NDArray[np.uint8]] | None:
    """The row of a picture nearest to a rate, what it is called, and the pixels that were kept."""
    from lcrs.evaluate.protocol import read_picture

    rows = [row for row in results.rows if row["digest"] == digest and row.get("bpp") is not None]
    if not rows or not results.meta.get("saved"):
        return None
    row = min(rows, key=lambda row: abs(row["bpp"] - bpp))
    setting = "" if row["setting"] is None else f"-{row['setting']}"
    below = Path(str(results.meta["saved"])) / f"{name}{setting}.png"
    path = next((p for p in (below, Path(results.source).parent / below) if p.is_file()), below)
    try:
        return row, _isolated(results.name), read_picture(path).pixels
    except (OSError, ValueError) as error:
        lacking.append(f"{path}: {error}")
        return None


def _sight(
    name: str, original: NDArray[np.uint8], shown: list[tuple[dict[str, Any], str, NDArray[np.uint8]]]
) -> Sight:
    errors = [np.abs(original.astype(np.int16) - pixels).max(axis=2) for _, _, pixels in shown]
    row, column = _worst_place(np.mean([error.astype(np.float32) for error in errors], axis=0))
    place = (slice(row, row + _SIDE), slice(column, column + _SIDE))
    parts = []
    for (line, label, pixels), error in zip(shown, errors, strict=True):
        quality = "" if line.get("psnr-rgb") is None else f", {line['psnr-rgb']:.2f} dB"
        parts.append(
            {
                "codec": label,
                "caption": f"{label}, setting {line['setting']}: {line['bpp']:.3f} bits a pixel{quality}",
                "restored": _uri(pixels[place]),
                "error": _uri(np.minimum(error[place].astype(np.int32) * _GAIN, 255).astype(np.uint8)),
            }
        )
    return {"picture": _isolated(name), "original": _uri(original[place]), "crops": parts}


def _worst_place(error: NDArray[np.float32]) -> tuple[int, int]:
    """The corner of the square with the largest sum of errors, on a grid of quarters of its side."""
    sums = np.pad(error.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    height, width = (min(_SIDE, side) for side in error.shape)
    best = max(
        (
            float(sums[r + height, c + width] - sums[r, c + width] - sums[r + height, c] + sums[r, c]),
            -r,
            -c,
        )
        for r in range(0, error.shape[0] - height + 1, _SIDE // 4)
        for c in range(0, error.shape[1] - width + 1, _SIDE // 4)
    )
    return -best[1], -best[2]


def _uri(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _measures(curves: Sequence[Results]) -> list[str]:
    """That can be drawn, the usual ones first."""
    found = dict.fromkeys(
        key
        for results in curves
        for key, values in results.results.items()
        if key not in _NO_MEASURES and any(isinstance(value, int | float) for value in values)
    )
    first = [key for key in LABELS if key in found]
    return first + [key for key in found if key not in first]


def _curve(results: Results, measures: list[str]) -> dict[str, Any]:
    settings = results.results.get("setting", [None] * len(results.results[results.rate]))
    by_rate = dict(zip(results.results[results.rate], settings, strict=True))
    return {
        "name": results.name,
        "description": results.description,
        "meta": results.meta | ({"failures": results.failures} if results.failures else {}),
        "points": {
            name: [(r, v, by_rate.get(r)) for r, v in points_of(results, name)]
            for name in measures
            if name in results.results
        },
    }


def _rows(results: Results) -> list[dict[str, Any]]:
    names = {picture["digest"]: _isolated(picture["name"]) for picture in results.pictures}
    return [
        {"picture": names[row["digest"]], "codec": results.name, "setting": row["setting"]}
        | {key: row[key] for key in _COLUMNS if key in row}
        for row in results.rows
    ]


def _isolated(name: str) -> str:
    """A name that words beside it keep their order with: one from right to left between marks."""
    text = visible(name)
    if any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"
    return text


def _summary(curves: Sequence[Results]) -> str:
    sets = (r.digests or digests_of(str(r.meta.get("dataset", ""))) for r in curves)
    counts = sorted({len(digests) for digests in sets if digests})
    noun = "clouds" if curves[0].rate == "bpip" else "pictures"
    pictures = f" over {' or '.join(map(str, counts))} {noun}" if counts else ""
    estimated = [results.name for results in curves if results.meta.get("rate") == "estimate"]
    words = f"; bits of {', '.join(estimated)} are estimated" if estimated else ""
    return f"{len(curves)} curves{pictures}{words}."


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    is_number = isinstance(value, float)
    return None if is_number and not np.isfinite(value) else value
