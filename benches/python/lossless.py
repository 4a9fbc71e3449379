"""Lossless files beside Pillow's lossless formats: sizes, and time a pixel.

``python benches/python/lossless.py [PICTURES...] --output RESULT [--turns 5]``

Writes RESULT.json and RESULT.md. The page of text and the interfaces are those of ``graphics_criteria.py``;
pictures that are given come after them, by their names. All take turns in one process on one thread; the
figure is the median. Every codec must give its picture back.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features

import lcrs
from graphics_criteria import SCREEN_SEED, checkerboard, page_of_text, stripes
from lcrs.evaluate.machine import machine
from lcrs.train.graphics import GraphicsSampler
from results import busy, table

Coder = tuple[Callable[[np.ndarray], bytes], Callable[[bytes], np.ndarray]]


def pillow(form: str, **settings: Any) -> Coder:
    """A lossless format of Pillow."""

    def compress(picture: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, form, **settings)
        return file.getvalue()

    return compress, lambda data: np.asarray(Image.open(io.BytesIO(data)))


CODERS: dict[str, Coder] = {
    "lcrs": (
        lambda picture: lcrs.compress(picture, lossless=True, threads=1),
        lambda data: lcrs.decompress(data, threads=1),
    ),
    "WebP": pillow("WEBP", lossless=True),
    "WebP, slowest": pillow("WEBP", lossless=True, quality=100, method=6),
    "PNG": pillow("PNG", optimize=True),
}


def pictures(paths: list[Path]) -> dict[str, np.ndarray]:
    drawn = GraphicsSampler(SCREEN_SEED)
    found = {"page of text, 768 x 1024": page_of_text()}
    found |= {f"interface {k}, 512 x 512": drawn.draw(512, "interface") for k in range(4)}
    found["flat, 512 x 512"] = np.full((512, 512, 3), (10, 20, 90), np.uint8)
    found["checkers of 1 pixel, 512 x 512"] = checkerboard(512)
    found["stripes of 3, 512 x 512"] = stripes(512, 3, True)
    for path in paths:
        picture = np.asarray(Image.open(path).convert("RGB"))
        found[f"{path.stem}, {picture.shape[1]} x {picture.shape[0]}"] = picture
    return {name: np.ascontiguousarray(picture) for name, picture in found.items()}


def measure(picture: np.ndarray, turns: int) -> dict[str, dict[str, float]]:
    """Bytes, and nanoseconds a pixel of compressing and decompressing, of each coder."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in CODERS}
    sizes = {}
    for turn in range(turns + 1):  # the first is not timed
        for name, (compress, decompress) in CODERS.items():
            start = time.perf_counter()
            data = compress(picture)
            middle = time.perf_counter()
            restored = decompress(data)
            end = time.perf_counter()
            if not np.array_equal(restored, picture):
                msg = f"{name} gives another picture back"
                raise SystemExit(msg)
            sizes[name] = len(data)
            if turn:
                times[name][0].append(middle - start)
                times[name][1].append(end - middle)
    each = 1e9 / (picture.shape[0] * picture.shape[1])
    return {
        name: {
            "bytes": sizes[name],
            "compress_ns": round(statistics.median(forth) * each, 1),
            "decompress_ns": round(statistics.median(back) * each, 1),
        }
        for name, (forth, back) in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()

    loads = [os.getloadavg()[0]]
    found = {
        name: measure(picture, arguments.turns) for name, picture in pictures(arguments.pictures).items()
    }
    loads.append(os.getloadavg()[0])

    names, processor, version = list(CODERS), machine()["processor"], features.version
    libraries = f"Pillow {Image.__version__} (webp {version('webp')}, zlib {version('zlib')})"
    what = f"{processor}, one thread; {libraries}; medians of {arguments.turns} turns."
    lines = ["# Lossless files", "", f"{what} {busy(loads, os.cpu_count() or 1)}", "", "## Bytes", ""]
    sizes = [[p, *(f"{each[n]['bytes']:,}" for n in names)] for p, each in found.items()]
    lines += table(["picture", *names], sizes)
    lines += ["", "## Nanoseconds a pixel, compressing / decompressing", ""]
    times = [
        [p, *(f"{each[n]['compress_ns']:.0f} / {each[n]['decompress_ns']:.0f}" for n in names)]
        for p, each in found.items()
    ]
    lines += table(["picture", *names], times)
    arguments.output.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    arguments.output.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
