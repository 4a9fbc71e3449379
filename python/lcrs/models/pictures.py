"""Fitting pictures to the strides of a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["check_floating", "crop_to", "pad_to_multiple", "restored_picture"]


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Extend `x` (N, C, H, W) right and below to the next multiple, by repeating its last column and row.

    Raises:
        ValueError: `x` has not four dimensions, or no sample.
    """
    if x.dim() != 4 or 0 in x.shape[-2:]:
        raise ValueError(f"x has shape {tuple(x.shape)}, must be (N, C, H, W) with H and W at least 1")
    check_floating(x)
    height, width = x.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


def check_floating(x: Tensor) -> None:
    """Raises `ValueError` for pictures of bytes, as they come from files."""
    if x.dtype == torch.uint8:
        raise ValueError("x is of type torch.uint8, must be floating point, from 0 to 1")


def crop_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """The top left `size` (H, W) of `x` (N, C, H', W').

    Raises:
        ValueError: `x` is smaller, or `size` is not positive.
    """
    height, width = size
    if not (1 <= height <= x.shape[-2] and 1 <= width <= x.shape[-1]):
        raise ValueError(f"size is {(height, width)}, must be from (1, 1) to {tuple(x.shape[-2:])}")
    return x[..., :height, :width]


def restored_picture(x: Tensor, size: Sequence[int] | None, network: nn.Module | None = None) -> Tensor:
    """What a decoder gives back: `x` clamped to [0, 1], cropped to `size` (H, W) unless that is None.

    It has the type of the parameters of `network`, which gave it.
    """
    parameters = [] if network is None else network.parameters()
    dtypes = (p.dtype for p in parameters if p.is_floating_point())
    return torch.clamp(x if size is None else crop_to(x, size), 0, 1).to(next(dtypes, x.dtype))
