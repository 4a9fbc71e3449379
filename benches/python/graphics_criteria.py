"""What becomes of pictures that no camera took, through real files: flat colours, text, patterns.

``python benches/python/graphics_criteria.py [--model photo-2] --output RESULT``

Without a model it is what ``lcrs encode`` does when told nothing: lossless where that is no larger. Writes
RESULT.json and RESULT.md. The page of text is the licence of this repository in Pillow's own font, the
screenshots are drawn by `lcrs.train.graphics` from a seed that training did not use.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import lcrs
from lcrs.train.graphics import GraphicsSampler
from pillow_codecs import described, psnr_at_size, psnr_db
from results import table

ROOT = Path(__file__).parents[2]
FLAT_QUALITIES = (50, 60, 70, 80, 90, 100)
COLOURS = {
    **{f"corner {k:03b}": tuple(255 * (k >> i & 1) for i in (2, 1, 0)) for k in range(8)},
    "grey 20": (20, 20, 20),
    "grey 128": (128, 128, 128),
    "sky": (120, 170, 230),
    "navy": (10, 20, 90),
    "orange": (250, 130, 10),
    "leaf": (60, 140, 70),
    "skin": (200, 160, 140),
    "violet": (90, 0, 130),
}
STRIPES = (1, 2, 3, 8)
SCREEN_SEED = 20_001


def page_of_text(height: int = 1024, width: int = 768) -> np.ndarray:
    """Black on white, 15 pixels high, with a heading."""
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    lines = [line for part in (ROOT / "LICENSE").read_text().split("\n\n") for line in [part, ""]]
    text = "\n".join(line for part in lines for line in (textwrap.wrap(part, 92) or [""]))
    draw.text((40, 30), text.strip().split("\n")[0], "black", ImageFont.load_default(34))
    draw.multiline_text((40, 90), text, "black", ImageFont.load_default(15), spacing=6)
    return np.asarray(page)


def checkerboard(side: int, period: int = 1) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side] // period
    return np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


def stripes(side: int, period: int, upright: bool) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side] // period
    return np.repeat(((x if upright else y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


def measure(picture: np.ndarray, quality: float, model: lcrs.coding.Package | None) -> dict[str, float]:
    """A file's size and what it restores to."""
    data = lcrs.compress(picture, quality=quality, model=model)
    restored = lcrs.decompress(data, model=model)
    return {
        "bytes": len(data),
        "bpp": 8 * len(data) / (picture.shape[0] * picture.shape[1]),
        "psnr_db": psnr_db(picture, restored),
        "largest_error": int(np.abs(picture.astype(int) - restored).max()),
    }


def shown_psnr(point: dict[str, float]) -> str:
    return f"{point['psnr_db']:.2f}" if point["largest_error"] else "lossless"


def rises(points: Sequence[dict[str, float]]) -> bool:
    """Whether bits and PSNR never fall along the qualities."""
    return all(b["bpp"] >= a["bpp"] and b["psnr_db"] >= a["psnr_db"] for a, b in itertools.pairwise(points))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="name, or a package's path")
    parser.add_argument("--title", help="what the result calls the model")
    parser.add_argument("--side", type=int, default=512, help="of flat pictures, checkers and stripes")
    parser.add_argument("--output", type=Path, required=True, help="path without suffix")
    arguments = parser.parse_args()
    model = None if arguments.model is None else lcrs.codec.load_package(arguments.model)
    title, side = arguments.title or arguments.model or "lcrs encode", arguments.side
    lines = [f"# {title}: graphics", ""]
    note = os.environ.get("LCRS_BENCH_NOTE", "")
    lines += [note, ""] if note else []
    result: dict[str, Any] = {"model": title, "side": side, "note": note}

    flats: dict[str, dict[str, Any]] = {}
    for name, colour in COLOURS.items():
        picture = np.full((side, side, 3), colour, np.uint8)
        flats[name] = {str(q): measure(picture, q, model) for q in FLAT_QUALITIES}
    result["flat"] = flats
    lines += [
        f"## Flat colours, {side} x {side}",
        "",
        "Largest error in levels, and bits per pixel, whole files.",
        "",
    ]
    rows = [
        [
            name,
            " ".join(str(v) for v in COLOURS[name]),
            *(f"{p['largest_error']} / {p['bpp']:.4f}" for p in points.values()),
        ]
        for name, points in flats.items()
    ]
    lines += table(["colour", "RGB", *(f"quality {q}" for q in FLAT_QUALITIES)], rows)

    pictures = {"page of text, 768 x 1024": page_of_text()}
    drawn = GraphicsSampler(SCREEN_SEED)
    pictures |= {f"interface {k}, 512 x 512": drawn.draw(512, "interface") for k in range(4)}
    result["against_webp"] = {}
    rows = []
    for name, picture in pictures.items():
        for quality in (20, 50, 80, 100):
            ours = measure(picture, quality, model)
            theirs = psnr_at_size(picture, "webp", int(ours["bytes"]))
            result["against_webp"].setdefault(name, {})[str(quality)] = {**ours, "webp_psnr_db": theirs}
            rows.append([name, str(quality), f"{ours['bpp']:.3f}", shown_psnr(ours), f"{theirs:.2f}"])
    lines += ["", f"## Text and interfaces, against {described('webp')} at the same size", ""]
    lines += table(["picture", "quality", "bpp", "PSNR, dB", "WebP, dB"], rows)

    qualities = range(0, 101, 10)
    patterns = {"checkers of 1 pixel": checkerboard(side), "checkers of 8 pixels": checkerboard(side, 8)}
    for period in STRIPES:
        patterns[f"stripes of {period}, upright"] = stripes(side, period, True)
        patterns[f"stripes of {period}, lying"] = stripes(side, period, False)
    result["patterns"], rows = {}, []
    for name, picture in patterns.items():
        points = [measure(picture, q, model) for q in qualities]
        result["patterns"][name] = {str(q): p for q, p in zip(qualities, points, strict=True)}
        shown = [f"{points[q // 10]['bpp']:.3f} / {shown_psnr(points[q // 10])}" for q in (0, 50, 80, 100)]
        rows.append([name, *shown, "yes" if rises(points) else "no"])
    lines += ["", f"## Patterns of black and white, {side} x {side}", ""]
    head = [f"quality {q}: bpp / dB" for q in (0, 50, 80, 100)]
    lines += table(["pattern", *head, "both rise with quality (11 qualities)"], rows)

    arguments.output.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    arguments.output.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
