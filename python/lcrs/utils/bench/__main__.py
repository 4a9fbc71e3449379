"""Measures a classical codec on a folder of pictures, with CompressAI's arguments and JSON."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lcrs.utils.bench.codecs import AV1, BPG, HM, JPEG, JPEG2000, TFCI, VTM, Codec, WebP
from lcrs.utils.pictures import collect_images

__all__ = ["codecs", "collect", "main", "setup_args", "setup_common_args"]

codecs: list[type[Codec]] = [JPEG, WebP, JPEG2000, BPG, TFCI, VTM, HM, AV1]


def collect(
    codec: Codec, dataset: str, qps: Sequence[int], metrics: Sequence[str], num_jobs: int = 1
) -> dict[str, list[float]]:
    """Means over the pictures of a folder, a value a quality.

    Raises:
        OSError: there is no such folder.
    """
    if not Path(dataset).is_dir():
        raise OSError(f"No such directory: {dataset}")
    paths = collect_images(dataset)
    if not paths:
        print("No images found in the dataset directory")
        raise SystemExit(1)
    runs = [(path, quality, list(metrics)) for quality in qps for path in paths]
    if num_jobs > 1:
        with multiprocessing.get_context("spawn").Pool(num_jobs) as pool:
            found: list[dict[str, float]] = pool.starmap(codec.run, runs)
    else:
        found = [codec.run(*run) for run in runs]
    groups = [found[at : at + len(paths)] for at in range(0, len(found), len(paths))]
    return {key: [math.fsum(row[key] for row in g) / len(paths) for g in groups] for key in found[0]}


def setup_args() -> tuple[argparse.ArgumentParser, Any]:
    """The command's parser, and what codecs are added to."""
    parser = argparse.ArgumentParser(prog="python -m lcrs.utils.bench", description=__doc__)
    subparsers = parser.add_subparsers(dest="codec", required=True)
    return parser, subparsers


def setup_common_args(parser: argparse.ArgumentParser) -> None:
    """What all codecs take."""
    parser.add_argument("dataset", help="folder of pictures")
    parser.add_argument("-j", "--num-jobs", type=int, metavar="N", default=1, help="processes")
    parser.add_argument("-q", "--qps", default="75", help="qualities, such as 10,50,90")
    parser.add_argument("--metrics", nargs="+", default=["psnr-rgb", "ms-ssim-rgb"])


def main(argv: Sequence[str]) -> None:
    """Runs the command; `argv` is what follows its name."""
    parser, subparsers = setup_args()
    for kind in codecs:
        below = subparsers.add_parser(kind.__name__.lower())
        setup_common_args(below)
        kind.setup_args(below)
    args = parser.parse_args(list(argv))
    codec = next(kind for kind in codecs if kind.__name__.lower() == args.codec)(args)
    qualities = sorted(int(quality) for quality in args.qps.split(",") if quality)
    results = collect(codec, args.dataset, qualities, args.metrics, args.num_jobs)
    output = {"name": codec.name, "description": codec.description, "results": results}
    print(json.dumps(output, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
