"""Rate and distortion of a model on a folder of pictures, through real files, against other codecs.

``python benches/python/rate_distortion.py --pictures KODAK --anchors CURVES --peers webp --output RESULT``

Every picture is compressed at every quality into a file and restored from it; rates count whole files.
Curves are means over pictures of bits per pixel and of PSNR (RGB, dB), as usual for this set; BD-rate
(Bjontegaard 2001) is by piecewise cubic interpolation over the overlap of the two curves. Anchors are
published curves of the same pictures; peers are Pillow's codecs, run here on the same pictures. Packages of
a fixed rate are one point each: give several to ``--model`` for a curve. With ``--weights``, the checkpoints
that the packages were made of, the bits that torch estimates for rounded latents stand beside those of the
files; for a class of your own ``--import`` names the module that registers it. ``LCRS_BENCH_NOTE`` is kept
with the result.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bjontegaard
import numpy as np
from PIL import Image

import lcrs
from pillow_codecs import QUALITIES as PEER_QUALITIES
from pillow_codecs import SETTINGS, coded, described, psnr_db

QUALITIES = tuple(range(0, 101, 10))
ANCHORS = (
    "vtm",
    "hm",
    "av1",
    "bpg_444_x265_ycbcr",
    "webp",
    "jpeg2000",
    "jpeg",
    "compressai-bmshj2018-hyperprior_mse_cpu",
    "compressai-mbt2018-mean_mse_cpu",
    "compressai-mbt2018_mse_cpu",
    "compressai-cheng2020-anchor_mse_cpu",
    "mbt2018-mean-vbr-ans",
    "paper-elic2022_mse",
)
SUFFIXES = frozenset({".png", ".webp", ".avif", ".jpg", ".jpeg", ".ppm", ".bmp", ".tif", ".tiff"})
Row = dict[str, float]
Curve = tuple[list[float], list[float]]


def load(folder: Path, every: int = 1) -> dict[str, np.ndarray]:
    """The pictures directly in a folder, or every so many of them."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"no pictures in {folder}")
    return {path.name: np.asarray(Image.open(path).convert("RGB")) for path in paths[::every]}


def bpp(num_bytes: float, picture: np.ndarray) -> float:
    return 8 * num_bytes / (picture.shape[0] * picture.shape[1])


@dataclass(frozen=True)
class Point:
    """A package, and the quality to code at; None where its rate is fixed."""

    label: str
    model: lcrs.coding.Package
    quality: float | None
    weights: Path | None


def points_of(names: Sequence[str], qualities: Sequence[float], weights: Sequence[Path]) -> list[Point]:
    """What to measure: all qualities of a variable rate, or one point for each package of a fixed one."""
    if weights and len(weights) != len(names):
        raise SystemExit(f"{len(names)} models need as many --weights, not {len(weights)}")
    points = []
    for name, path in itertools.zip_longest(names, weights):
        model = lcrs.codec.load_package(name)
        if model.levels is None:
            points.append(Point(str(model.name), model, None, path))
        else:
            points += [Point(f"{quality:g}", model, quality, path) for quality in qualities]
    labels = [point.label for point in points]
    twice = {label for label in labels if labels.count(label) > 1}
    if twice:
        raise SystemExit(
            f"two points are called {', '.join(sorted(twice))}: give packages names of their own"
        )
    return points


def through_file(picture: np.ndarray, quality: float | None, model: lcrs.coding.Package) -> Row:
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
        "bpp": bpp(num_bytes, picture),
        "psnr_db": psnr_db(picture, restored),
        "encode_s": encoded - start,
        "decode_s": decoded - encoded,
    }


def peer(picture: np.ndarray, codec: str, quality: float) -> Row:
    num_bytes, restored = coded(picture, codec, int(quality))
    return {"bpp": bpp(num_bytes, picture), "psnr_db": psnr_db(picture, restored)}


def holds_halves(model: lcrs.coding.Package, description: dict[str, Any]) -> bool:
    """Whether a package's convolutions were rounded to binary16, as ``lcrs.train.pack`` does."""
    nodes = description["graphs"]["g_a"]["nodes"]
    weights = [model.parameter(node["weight"]) for node in nodes if node["op"].startswith("conv")]
    return all(np.array_equal(weight, weight.astype(np.float16)) for weight in weights)


def estimator(checkpoint: Path, model: lcrs.coding.Package) -> Callable[[np.ndarray, float | None], Row]:
    """What torch expects of a picture at a quality: bits of rounded latents, and PSNR."""
    import torch

    from lcrs.registry import MODELS
    from lcrs.zoo.state_dicts import read_state_dict

    description = json.loads(model.description)
    name = description["architecture"]
    if name not in MODELS:
        raise SystemExit(f"{name} is not registered: --import the module that has @register_model({name!r})")
    net = MODELS[name](**description["config"])
    net.load_state_dict(read_state_dict(checkpoint))
    if holds_halves(model, description):
        with torch.no_grad():
            for parameter in net.parameters():
                if parameter.dim() == 4:
                    parameter.copy_(parameter.half().float())
    net.eval()

    @torch.no_grad()
    def estimate(picture: np.ndarray, quality: float | None) -> Row:
        x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        size = x.shape[2:]
        pad = description["pad"]
        below, right = (-side % pad for side in size)
        padded = torch.nn.functional.pad(x, (0, right, 0, below), mode="replicate")
        out = net(padded) if quality is None else net(x, net.level_of(quality))
        x_hat, likelihoods = out if isinstance(out, tuple) else (out["x_hat"], out["likelihoods"])
        likelihoods = {"y": likelihoods} if isinstance(likelihoods, torch.Tensor) else likelihoods
        bits = {name: float(-p.double().log2().sum()) for name, p in likelihoods.items()}
        pixels = (x_hat[0, :, : size[0], : size[1]].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
        return {
            "estimated_bpp": bpp(sum(bits.values()) / 8, picture),
            "estimated_z_bpp": bpp(bits.get("z", 0.0) / 8, picture),
            "estimated_psnr_db": psnr_db(picture, pixels),
        }

    return estimate


def means(rows: Mapping[str, Row]) -> Row:
    """Over pictures."""
    keys = next(iter(rows.values())).keys()
    return {key: float(np.mean([row[key] for row in rows.values()])) for key in keys}


def curve(points: Sequence[Row]) -> Curve:
    """In the order of rates; a point that costs more and gives less is no part of a curve."""
    kept: list[tuple[float, float]] = []
    for rate, psnr in sorted((p["bpp"], p["psnr_db"]) for p in points):
        if not kept or (rate > kept[-1][0] and psnr > kept[-1][1]):
            kept.append((rate, psnr))
    return [p[0] for p in kept], [p[1] for p in kept]


def anchor_curves(folder: Path) -> dict[str, Curve]:
    """Those of `ANCHORS` that are there, as NAME.json."""
    found = {}
    for name in ANCHORS:
        path = folder / f"{name}.json"
        if path.exists():
            results = json.loads(path.read_text())["results"]
            pairs = zip(results["bpp"], results["psnr-rgb"], strict=True)
            found[name] = curve([{"bpp": b, "psnr_db": p} for b, p in pairs])
    return found


def bd_rate(anchor: Curve, ours: Curve) -> float:
    """In percent of the anchor's rate; NaN where the curves do not overlap or are too short."""
    overlap = min(anchor[1][-1], ours[1][-1]) - max(anchor[1][0], ours[1][0])
    if min(len(anchor[0]), len(ours[0])) < 3 or overlap <= 0:
        return float("nan")
    return float(
        bjontegaard.bd_rate(*anchor, *ours, method="pchip", require_matching_points=False, min_overlap=0)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def report(result: dict[str, Any]) -> str:
    """The result for reading."""
    ours = result["means"]
    some = next(iter(ours.values()))
    head, rows = ["quality or model", "bpp", "PSNR, dB"], []
    if "estimated_bpp" in some:
        head += ["estimated bpp", "files above estimate, %", "of it z, bpp", "PSNR of torch, dB"]
    for quality, mean in ours.items():
        row = [quality, f"{mean['bpp']:.4f}", f"{mean['psnr_db']:.3f}"]
        if "estimated_bpp" in mean:
            above = 100 * (mean["bpp"] / mean["estimated_bpp"] - 1)
            row += [f"{mean['estimated_bpp']:.4f}", f"{above:+.2f}", f"{mean['estimated_z_bpp']:.4f}"]
            row += [f"{mean['estimated_psnr_db']:.3f}"]
        row += [""] * (len(head) - len(row))
        rows.append(row)
    lines = [f"# {result['model']} on {result['num_pictures']} pictures", ""]
    lines += [result["note"], ""] if result["note"] else []
    lines += table(head, rows)
    if result["bd_rate_percent"]:
        lines += ["", "Against published curves of the same pictures:", ""]
        rows = [[name, f"{v:+.1f}"] for name, v in result["bd_rate_percent"].items()]
        lines += table(["BD-rate (PSNR) against", "%"], rows)
    if result["peers"]:
        lines += ["", "Against Pillow's codecs, run on the same pictures:", ""]
        rows = [
            [
                name,
                peer["settings"],
                f"{peer['bd_rate_percent']:+.1f}",
                f"{peer['bd_rate_percent_median']:+.1f}",
            ]
            for name, peer in result["peers"].items()
        ]
        lines += table(["codec", "settings", "BD-rate of the means, %", "median over pictures, %"], rows)
        for name, peer in result["peers"].items():
            points = "; ".join(f"{m['bpp']:.3f} bpp {m['psnr_db']:.2f} dB" for m in peer["means"].values())
            lines += ["", f"{name}: {points}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="take every so many of them")
    parser.add_argument("--anchors", type=Path, help="folder of curves of these pictures, NAME.json")
    parser.add_argument("--peers", nargs="*", default=[], choices=sorted(SETTINGS))
    parser.add_argument("--model", nargs="+", default=["photo"], help="names, or packages' paths")
    parser.add_argument("--weights", type=Path, nargs="+", default=[], help="checkpoints to estimate with")
    parser.add_argument("--import", dest="module", help="module that registers the class of the weights")
    parser.add_argument("--estimate-every", type=int, default=1, help="estimate at every so many qualities")
    parser.add_argument("--qualities", type=float, nargs="+", default=QUALITIES)
    parser.add_argument("--title", help="what the result calls the model")
    parser.add_argument(
        "--output", type=Path, required=True, help="path without suffix; .json and .md are written"
    )
    arguments = parser.parse_args()

    pictures = load(arguments.pictures, arguments.every)
    points = points_of(arguments.model, arguments.qualities, arguments.weights)
    rows = {
        point.label: {
            name: through_file(picture, point.quality, point.model) for name, picture in pictures.items()
        }
        for point in points
    }
    if arguments.module:
        sys.path.insert(0, str(Path.cwd()))
        importlib.import_module(arguments.module)
    for point in points[:: arguments.estimate_every] if arguments.weights else []:
        estimate = estimator(point.weights, point.model)
        for name, row in rows[point.label].items():
            row |= estimate(pictures[name], point.quality)
    ours = curve([means(per_picture) for per_picture in rows.values()])
    own_curves = {name: curve([per[name] for per in rows.values()]) for name in pictures}
    peers = {}
    for codec in arguments.peers:
        theirs = {
            quality: {name: peer(picture, codec, quality) for name, picture in pictures.items()}
            for quality in PEER_QUALITIES[codec]
        }
        singly = [bd_rate(curve([per[n] for per in theirs.values()]), own_curves[n]) for n in pictures]
        peers[codec] = {
            "settings": described(codec),
            "means": {str(quality): means(per) for quality, per in theirs.items()},
            "bd_rate_percent": bd_rate(curve([means(per) for per in theirs.values()]), ours),
            "bd_rate_percent_median": float(np.nanmedian(singly)),
        }
    anchors = anchor_curves(arguments.anchors) if arguments.anchors else {}
    bd = {name: bd_rate(theirs, ours) for name, theirs in anchors.items()}
    times = [row for per in rows.values() for row in per.values()]
    result = {
        "model": arguments.title or ", ".join(arguments.model),
        "num_pictures": len(pictures),
        "lcrs": version("lcrs"),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True
        ).stdout.strip(),
        "machine": platform.processor() or platform.machine(),
        "threads": os.environ.get("LCRS_NUM_THREADS", str(os.cpu_count())),
        "note": os.environ.get("LCRS_BENCH_NOTE", ""),
        "means": {label: means(per) for label, per in rows.items()},
        "encode_s_median": float(np.median([row["encode_s"] for row in times])),
        "decode_s_median": float(np.median([row["decode_s"] for row in times])),
        "bd_rate_percent": {name: value for name, value in bd.items() if np.isfinite(value)},
        "peers": peers,
        "pictures": rows,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    arguments.output.with_suffix(".md").write_text(report(result))
    print(report(result))


if __name__ == "__main__":
    main()
