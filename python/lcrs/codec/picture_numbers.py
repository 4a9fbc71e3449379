"""Samples of pictures as the numbers that networks in torch take, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.codec.samples import Samples

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

__all__ = ["padded_below", "picture_numbers", "picture_samples"]


def picture_numbers(samples: Samples, padded: Sequence[int], device: torch.device) -> torch.Tensor:
    """Red, green and blue from 0 to 1, float32 (1, 3, H, W), with the size `padded`."""
    import torch

    pixels = samples.array()
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    x = torch.from_numpy(pixels.astype(np.float32 if pixels.itemsize > 1 else np.uint8))
    x = x.to(device).permute(2, 0, 1).float() / _peak(samples.form["bit_depth"])
    return padded_below(x.expand(3, -1, -1)[None], padded)


def padded_below(x: torch.Tensor, padded: Sequence[int]) -> torch.Tensor:
    """(N, C, H, W) with its last row and column repeated up to a size."""
    import torch

    below, right = (after - before for after, before in zip(padded, x.shape[-2:], strict=True))
    return torch.nn.functional.pad(x, (0, right, 0, below), mode="replicate")


def picture_samples(
    numbers: torch.Tensor, shape: Sequence[int], bit_depth: int | None
) -> NDArray[np.float32]:
    """Whole components, (H, W, 3) or of a grey picture (H, W, 1), of numbers from 0 to 1, (3, H, W)."""
    is_grey = len(shape) == 2 or shape[2] == 1
    numbers = numbers.mean(0, keepdim=True) if is_grey else numbers
    numbers = (numbers * _peak(bit_depth)).round()
    whole: NDArray[Any] = numbers.permute(1, 2, 0).contiguous().cpu().numpy()
    return whole


def _peak(bit_depth: int | None) -> float:
    return float(2 ** (bit_depth or 8) - 1)
