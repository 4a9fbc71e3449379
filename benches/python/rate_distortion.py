"""Rate and distortion of a model on a folder of pictures, through real files, against anchor curves.

``python benches/python/rate_distortion.py --pictures KODAK --anchors CURVES --output RESULT``

Every picture is compressed at every quality into a file and restored from it; rates count whole files.
Curves are means over pictures of bits per pixel and of PSNR (RGB, dB), as usual for this set; BD-rate
(Bjontegaard 2001) is by piecewise cubic interpolation over the overlap of the two curves.
``LCRS_BENCH_NOTE`` is kept with the result.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import bjontegaard
import numpy as np
from PIL import Image

import lcrs

QUALITIES = (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)
ANCHORS = ("jpeg", "webp", "jpeg2000", "bpg_444_x265_ycbcr", "vtm")


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255.0**2 / np.mean((a.astype(np.float64) - b) ** 2)))


def measure(picture: np.ndarray, quality: float, model: str) -> dict[str, float]:
    """Compresses into a file and restores from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.lcrs"
        start = time.perf_counter()
        path.write_bytes(lcrs.compress(picture, quality=quality, model=model))
        encoded = time.perf_counter()
        restored = lcrs.decompress(path.read_bytes(), model=model)
        decoded = time.perf_counter()
        num_bytes = path.stat().st_size
    return {
        "bpp": 8 * num_bytes / (picture.shape[0] * picture.shape[1]),
        "psnr_db": psnr_db(picture, restored),
        "encode_s": encoded - start,
        "decode_s": decoded - encoded,
    }


def anchor_curve(folder: Path, name: str) -> tuple[list[float], list[float]] | None:
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    results = json.loads(path.read_text())["results"]
    points = sorted(zip(results["bpp"], results["psnr-rgb"], strict=True))
    return [p[0] for p in points], [p[1] for p in points]


def bd_rate(anchor: tuple[list[float], list[float]], ours: tuple[list[float], list[float]]) -> float:
    return float(
        bjontegaard.bd_rate(*anchor, *ours, method="pchip", require_matching_points=False, min_overlap=0)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--anchors", type=Path, help="folder of anchor curves, NAME.json")
    parser.add_argument("--model", default="photo")
    parser.add_argument("--qualities", type=float, nargs="+", default=QUALITIES)
    parser.add_argument(
        "--output", type=Path, required=True, help="path without suffix; .json and .md are written"
    )
    arguments = parser.parse_args()

    paths = sorted(arguments.pictures.glob("*.png"))
    pictures = {path.name: np.asarray(Image.open(path).convert("RGB")) for path in paths}
    rows = {
        quality: {name: measure(picture, quality, arguments.model) for name, picture in pictures.items()}
        for quality in arguments.qualities
    }
    means = {
        quality: {
            key: float(np.mean([row[key] for row in per_picture.values()])) for key in ("bpp", "psnr_db")
        }
        for quality, per_picture in rows.items()
    }
    ours = ([m["bpp"] for m in means.values()], [m["psnr_db"] for m in means.values()])
    bd = {}
    for name in ANCHORS if arguments.anchors else ():
        curve = anchor_curve(arguments.anchors, name)
        if curve:
            bd[name] = bd_rate(curve, ours)
    result = {
        "model": arguments.model,
        "num_pictures": len(pictures),
        "lcrs": version("lcrs"),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True
        ).stdout.strip(),
        "machine": platform.processor() or platform.machine(),
        "threads": os.environ.get("LCRS_NUM_THREADS", str(os.cpu_count())),
        "note": os.environ.get("LCRS_BENCH_NOTE", ""),
        "means": {f"{q:g}": m for q, m in means.items()},
        "encode_s_median": float(np.median([r["encode_s"] for per in rows.values() for r in per.values()])),
        "decode_s_median": float(np.median([r["decode_s"] for per in rows.values() for r in per.values()])),
        "bd_rate_percent": bd,
        "pictures": {f"{q:g}": per for q, per in rows.items()},
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    lines = [
        f"# {arguments.model} on {len(pictures)} pictures",
        "",
        "| quality | bpp | PSNR, dB |",
        "|---|---|---|",
    ]
    lines += [f"| {q:g} | {m['bpp']:.4f} | {m['psnr_db']:.3f} |" for q, m in means.items()]
    lines += [
        "",
        "| BD-rate (PSNR) against | % |",
        "|---|---|",
        *(f"| {name} | {v:+.1f} |" for name, v in bd.items()),
    ]
    arguments.output.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
