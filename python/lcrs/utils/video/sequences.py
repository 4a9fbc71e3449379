"""Raw video as CompressAI's commands take it: frames, their measures, and means over sequences."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lcrs.datasets.rawvideo import RawVideoSequence, VideoFormat
from lcrs.metrics import MIN_SIDE_MS_SSIM, tensors
from lcrs.transforms.functional import rgb2ycbcr, ycbcr2rgb, yuv_420_to_444, yuv_444_to_420

__all__ = [
    "aggregate_results",
    "collect_videos",
    "frame_metrics",
    "open_sequence",
    "planes_of",
    "rgb_of",
    "yuv_of",
]

RAWVIDEO_EXTENSIONS = (".yuv",)


def collect_videos(rootpath: str | os.PathLike[str]) -> list[Path]:
    """The sequences in a folder and below."""
    return sorted(path for ending in RAWVIDEO_EXTENSIONS for path in Path(rootpath).rglob(f"*{ending}"))


def open_sequence(path: str | os.PathLike[str]) -> RawVideoSequence:
    """A sequence whose size, rate and format its name tells.

    Raises:
        NotImplementedError: it is not 4:2:0.
    """
    sequence = RawVideoSequence.from_file(str(path))
    if sequence.format != VideoFormat.YUV420:
        raise NotImplementedError(f"Unsupported video format: {sequence.format}")
    return sequence


def planes_of(frame: Any, max_val: int, device: torch.device | str = "cpu") -> tuple[Tensor, ...]:
    """Y, U and V of a frame, (1, 1, H, W) in [0, 1]."""
    return tuple(
        torch.from_numpy(np.true_divide(plane, max_val, dtype=np.float32)).to(device)[None, None]
        for plane in frame
    )


def rgb_of(planes: Sequence[Tensor]) -> Tensor:
    """(1, 3, H, W) of planes of 4:2:0."""
    full = yuv_420_to_444(tuple(planes), mode="bicubic")
    assert isinstance(full, Tensor)
    return ycbcr2rgb(full)


def yuv_of(rgb: Tensor) -> tuple[Tensor, ...]:
    """Planes of 4:2:0 of (1, 3, H, W)."""
    return tuple(yuv_444_to_420(rgb2ycbcr(rgb), mode="avg_pool"))


def frame_metrics(
    original: Sequence[Tensor], restored: Sequence[Tensor], restored_rgb: Tensor, max_val: int
) -> dict[str, float]:
    """MSE of planes and of RGB on the scale of samples, and MS-SSIM of RGB."""

    def rounded(x: Tensor) -> Tensor:
        return (x * max_val).clamp(0, max_val).round()

    values = {
        f"mse-{name}": float((rounded(a) - rounded(b)).square().mean())
        for name, a, b in zip("yuv", original, restored, strict=True)
    }
    a, b = rounded(rgb_of(original)), rounded(restored_rgb)
    values["mse-rgb"] = float((a - b).square().mean())
    if min(a.shape[-2:]) >= MIN_SIDE_MS_SSIM:
        values["ms-ssim-rgb"] = float(tensors.ms_ssim(a, b, max_val))
    return values


def decibels(mse: float, max_val: int) -> float:
    """The PSNR of a mean squared error."""
    return 10 * math.log10(max_val**2 / mse) if mse > 0 else math.inf


def aggregate_results(filepaths: Iterable[Path]) -> dict[str, float]:
    """Means over the sequences whose result files these are."""
    found = [json.loads(path.read_text())["results"] for path in filepaths]
    return means_of(found)


def means_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each number."""
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
