"""Finds a classical codec's quality nearest to a rate or a measure, with CompressAI's arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from PIL import Image

from lcrs.utils.bench.codecs import AV1, BPG, HM, JPEG, JPEG2000, VTM, Codec, WebP

__all__ = ["codecs", "find_closest", "get_codec_q_bounds", "main", "setup_args"]

codecs: list[type[Codec]] = [JPEG, WebP, JPEG2000, BPG, VTM, HM, AV1]


def get_codec_q_bounds(codec: Codec) -> tuple[bool, int, int]:
    """Whether a higher quality is worse, and the bounds, both outside."""
    return not codec.is_ascending, *codec.bounds


def find_closest(
    codec: Codec, img: str, target: float, metric: str = "psnr-rgb"
) -> tuple[int, dict[str, float], Image.Image]:
    """The nearest quality, its numbers and the restored picture."""
    is_reversed, below, above = get_codec_q_bounds(codec)
    names = None if metric == "bpp" else [metric]
    best: tuple[int, dict[str, float], Any] | None = None
    while above > below + 1:
        quality = (above + below) // 2
        values, restored = codec.run(img, quality, names, return_rec=True)
        if best is None or abs(values[metric] - target) < abs(best[1][metric] - target):
            best = (quality, values, restored)
        sys.stderr.write(f"\rtarget {metric}: {target:.4f} | value: {values[metric]:.4f} | q: {quality}")
        if values[metric] == target:
            break
        if (values[metric] > target) != is_reversed:
            above = quality
        else:
            below = quality
    sys.stderr.write("\n")
    assert best is not None
    return best


def setup_args() -> tuple[argparse.ArgumentParser, Any]:
    """The command's parser, and what codecs are added to."""
    parser = argparse.ArgumentParser(prog="python -m lcrs.utils.find_close", description=__doc__)
    subparsers = parser.add_subparsers(dest="codec", required=True)
    parser.add_argument("image", help="the picture")
    parser.add_argument("target", type=float, help="what is to be matched")
    parser.add_argument("-m", "--metric", choices=["bpp", "psnr-rgb", "ms-ssim-rgb"], default="bpp")
    parser.add_argument("--save", action="store_true", help="write the restored picture")
    return parser, subparsers


def main(argv: Sequence[str]) -> None:
    """Runs the command; `argv` is what follows its name."""
    parser, subparsers = setup_args()
    for kind in codecs:
        kind.setup_args(subparsers.add_parser(kind.__name__.lower()))
    args = parser.parse_args(list(argv))
    kind = next(kind for kind in codecs if kind.__name__.lower() == args.codec)
    quality, values, restored = find_closest(kind(args), args.image, args.target, args.metric)
    for key, value in values.items():
        print(f"{key}: {value:.4f}")
    if args.save:
        restored.save(f"output_{args.codec}_q{quality}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
