"""What measuring costs: `lcrs eval` over pictures against the sum of its coding times, and SSIM alone.

The time of `lcrs eval` is that of the whole command, from its start to its end, so it has loading the model
in it, warming up, reading pictures and all default measures. SSIM and MS-SSIM of the first picture and of
what WebP makes of it are timed beside scikit-image and pytorch-msssim, where these are installed, after
their numbers have been compared.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lcrs import metrics
from lcrs.coding import num_threads

_NEAR = 1e-4


def evaluated(model: str, pictures: Path, quality: str) -> tuple[float, float]:
    """Seconds of the command, and of the coding within it."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        command = [sys.executable, "-m", "lcrs", "eval", model, str(pictures), "-q", quality]
        start = time.perf_counter()
        subprocess.run([*command, "--quiet", "--json", str(found)], check=True, stdout=subprocess.DEVNULL)
        whole = time.perf_counter() - start
        rows = json.loads(found.read_text())["rows"]
    return whole, sum(row["encoding_time"] + row["decoding_time"] for row in rows)


def similarities(a: Any, b: Any) -> dict[str, tuple[Callable[[], float], float]]:
    """By program: what computes a measure, and our number of it."""
    single, multiple = metrics.ssim(a, b), metrics.ms_ssim(a, b)
    found = {
        "lcrs ms_ssim": (lambda: metrics.ms_ssim(a, b), multiple),
        "lcrs ssim": (lambda: metrics.ssim(a, b), single),
    }
    try:
        torch, theirs = importlib.import_module("torch"), importlib.import_module("pytorch_msssim")
        x, y = (torch.from_numpy(np.moveaxis(v.astype(np.float32), 2, 0).copy())[None] for v in (a, b))
        found["pytorch_msssim ms_ssim"] = (lambda: float(theirs.ms_ssim(x, y, data_range=255)), multiple)
        found["pytorch_msssim ssim"] = (lambda: float(theirs.ssim(x, y, data_range=255)), single)
    except ImportError:
        pass
    try:
        skimage = importlib.import_module("skimage.metrics")
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        found["scikit-image ssim"] = (
            lambda: skimage.structural_similarity(a, b, data_range=255, channel_axis=2, **options),
            single,
        )
    except ImportError:
        pass
    return found


def main() -> None:
    """Prints both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path, help="a folder of PNG files")
    parser.add_argument("--model", default="photo-2")
    parser.add_argument("--quality", default="50")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    picture = Image.open(sorted(arguments.pictures.glob("*.png"))[0]).convert("RGB")
    picture.save(file := io.BytesIO(), "WEBP", quality=50)
    a, b = np.asarray(picture), np.asarray(Image.open(file).convert("RGB"))
    print(f"{num_threads()} threads; load {os.getloadavg()[0]:.1f}")
    for name, (job, expected) in similarities(a, b).items():
        if abs(job() - expected) > _NEAR:
            raise SystemExit(f"{name} is {job()}, lcrs has {expected}")
        times = []
        for _ in range(arguments.runs):
            start = time.perf_counter()
            job()
            times.append(1e3 * (time.perf_counter() - start))
        print(f"{name}: {min(times):.1f} ms at least, {statistics.median(times):.1f} ms in the middle")
    ratios = []
    for _ in range(arguments.runs):
        whole, coding = evaluated(arguments.model, arguments.pictures, arguments.quality)
        ratios.append(whole / coding)
        print(f"lcrs eval: {whole:.2f} s, of which coding {coding:.2f} s: {whole / coding:.3f} times that")
    print(f"times: {min(ratios):.3f} to {max(ratios):.3f}, {statistics.median(ratios):.3f} in the middle")


if __name__ == "__main__":
    main()
