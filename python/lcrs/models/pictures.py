"""Fitting pictures to the strides of a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["crop_to", "pad_to_multiple", "restored_picture"]


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Extend `x` (N, C, H, W) right and below to the next multiple, by repeating its last column and row.

    Raises:
        ValueError: `x` has not four dimensions, or no sample.
    """
    if x.dim() != 4 or 0 in x.shape[-2:]:
        raise ValueError(f"x has shape {tuple(x.shape)}, must be (N, C, H, W) with H and W at least 1")
    height, width = x.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


def crop_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """The top left `size` (H, W) of `x` (N, C, H', W').

    Raises:
        ValueError: `x` is smaller, or `size` is not positive.
    """
    height, width = size
    if not (1 <= height <= x.shape[-2] and 1 <= width <= x.shape[-1]):
        raise ValueError(f"size is {(height, width)}, must be from (1, 1) to {tuple(x.shape[-2:])}")
    return x[..., :height, :width]


def restored_picture(x: Tensor, size: Sequence[int] | None) -> Tensor:
    """What a decoder gives back: `x` clamped to [0, 1], cropped to `size` (H, W) unless that is None."""
    return torch.clamp(x if size is None else crop_to(x, size), 0, 1)
