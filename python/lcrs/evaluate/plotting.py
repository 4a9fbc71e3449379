"""Drawings of results by matplotlib: PNG, SVG or PDF, by the ending of the file's name."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lcrs.evaluate.curves import check_rates, key_of, measure_in_decibels
from lcrs.evaluate.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KINDS", "LABELS", "draw", "points_of", "visible"]

Kind = Literal["rd", "rate-time", "rate-complexity"]
KINDS: tuple[Kind, ...] = ("rd", "rate-time", "rate-complexity")
LABELS = {
    "bpp": "bits per pixel",
    "bpip": "bits per point",
    "bitrate": "kbit/s",
    "psnr-rgb": "PSNR of RGB, dB",
    "psnr-yuv": "PSNR of Y, Cb, Cr at 6:1:1, dB",
    "psnr-y": "PSNR of Y, dB",
    "ms-ssim-rgb": "MS-SSIM, dB",
    "ssim-rgb": "SSIM, dB",
    "psnr-d1": "PSNR of D1 (point to point), dB",
    "psnr-d2": "PSNR of D2 (point to plane), dB",
    "encoding_time": "encoding, s",
    "decoding_time": "decoding, s",
}
_LONGEST = 64
"""Characters of a name."""
_TIMES = (("encoding_time", "--"), ("decoding_time", "-"))


def draw(
    curves: Sequence[Results],
    path: str | Path | None = None,
    *,
    kind: Kind = "rd",
    measure: str | None = None,
    title: str = "",
    axes: Sequence[float] | None = None,
    figsize: tuple[float, float] = (9, 6),
) -> tuple[Figure, list[str]]:
    """Draws curves.

    Args:
        curves: Results, each a line.
        path: Where to write the drawing; None for nowhere.
        kind: `rd`: a measure over the rate. `rate-time`: seconds of a picture over the rate, both ways.
            `rate-complexity`: BD-rate against the first curve over the decoder's multiplications a pixel.
        measure: Of `rd` and `rate-complexity`; similarities in decibels. By default `psnr-rgb`, of
            clouds `psnr-d1`.
        title: Above.
        axes: Limits (xmin, xmax, ymin, ymax).
        figsize: Width and height in inches.

    Returns:
        The figure, and what of the curves could not be drawn, in words.

    Raises:
        OSError: matplotlib is not installed, or the file cannot be written.
        ValueError: nothing can be drawn, or the file's ending is of no format that is known.
    """
    try:
        figures = import_module("matplotlib.figure")
    except ModuleNotFoundError as error:
        msg = "plots need matplotlib: pip install '.[evaluate]' in the sources of lcrs"
        raise OSError(msg) from error
    check_rates(curves)
    figure: Figure = figures.Figure(figsize=figsize, layout="constrained")
    plot = figure.add_subplot()
    if measure is None:
        measure = curves[0].usual_measure if curves else "psnr-rgb"
    drawn = {"rd": _draw_rates, "rate-time": _draw_times, "rate-complexity": _draw_work}[kind]
    lacking = drawn(plot, curves, measure)
    if not plot.lines:
        msg = f"nothing can be drawn: {'; '.join(lacking)}"
        raise ValueError(msg)
    plot.grid(visible=True, alpha=0.4)
    if title:
        plot.set_title(title)
    if axes is not None:
        plot.set_xlim(axes[0], axes[1])
        plot.set_ylim(axes[2], axes[3])
    plot.legend(fontsize="small")
    if path is not None:
        try:
            figure.savefig(path, dpi=200)
        except ValueError as error:
            msg = f"{path}: {str(error).splitlines()[0]}"
            raise ValueError(msg) from error
    return figure, lacking


def visible(name: str) -> str:
    """A name as drawings and pages have room for it, without what turns or hides other words."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def points_of(results: Results, measure: str) -> list[tuple[float, float]]:
    """Rate and value of each setting that has both, similarities in decibels, in the order of rates."""
    try:
        key = key_of(results, measure)
    except ValueError:
        return []
    pairs = zip(results.results[results.rate], results.results[key], strict=True)
    found = [(r, *measure_in_decibels(key, [v])) for r, v in pairs if r is not None and v is not None]
    return sorted((r, v) for r, v in found if v == v and abs(v) != float("inf"))


def _draw_rates(plot: Any, curves: Sequence[Results], measure: str) -> list[str]:
    lacking = []
    for at, results in enumerate(curves):
        points = points_of(results, measure)
        if not points:
            lacking.append(f"{results.name} has no {measure}")
            continue
        # There are ten colours.
        options = {"color": f"C{at % 10}", "linestyle": ("-", "--", ":", "-.")[at // 10 % 4]}
        plot.plot(*zip(*points, strict=True), marker=".", linewidth=1, label=_label(results), **options)
    plot.set_xlabel(LABELS[curves[0].rate])
    plot.set_ylabel(LABELS.get(measure, LABELS.get(f"{measure}-rgb", measure)))
    return lacking


def _draw_times(plot: Any, curves: Sequence[Results], measure: str) -> list[str]:
    lacking = []
    for at, results in enumerate(curves):
        found = {name: points_of(results, name) for name, _ in _TIMES}
        if not any(found.values()):
            lacking.append(f"{results.name} has no times")
        for name, style in _TIMES:
            if found[name]:
                label = f"{_label(results)}: {LABELS[name].partition(',')[0]}"
                options = {"color": f"C{at % 10}", "linestyle": style, "marker": ".", "linewidth": 1}
                plot.plot(*zip(*found[name], strict=True), label=label, **options)
    plot.set_yscale("log")
    plot.set_xlabel(LABELS[curves[0].rate])
    plot.set_ylabel("seconds a cloud" if curves[0].rate == "bpip" else "seconds a picture")
    return lacking


def _draw_work(plot: Any, curves: Sequence[Results], measure: str) -> list[str]:
    from lcrs.evaluate.bjontegaard import compare

    lacking = []
    for at, results in enumerate(curves):
        work = _work_of(results)
        if work is None:
            lacking.append(f"{results.name} has no complexity: it is no model that was evaluated here")
            continue
        comparison = compare(curves[0], results, measure=measure)
        if comparison.bd_rate is None:
            lacking.append(f"{results.name}: {comparison.refused}")
            continue
        options = {"color": f"C{at % 10}", "marker": "o", "linestyle": "none"}
        plot.plot([work], [comparison.bd_rate], label=_label(results), **options)
    plot.set_xscale("log")
    plot.set_xlabel("thousands of multiplications a pixel, decoder")
    plot.set_ylabel(f"BD-rate against {curves[0].name}, % ({measure})")
    return lacking


def _work_of(results: Results) -> float | None:
    """Thousands of multiplications a pixel of the largest decoder; None where the file does not say."""
    models = results.meta.get("complexity")
    found = []
    for model in models.values() if isinstance(models, dict) else ():
        with contextlib.suppress(TypeError, KeyError, ValueError):
            found.append(float(model["decoder"]["kmacs_per_pixel"]))
    return max(found, default=None)


def _label(results: Results) -> str:
    """The curve's name as a drawing can have it."""
    # matplotlib hides names with underscores in front, and takes what is between dollars for formulas.
    return visible(results.name).lstrip("_").replace("$", r"\$") or "?"
