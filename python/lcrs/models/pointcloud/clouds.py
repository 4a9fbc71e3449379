"""What models of point clouds ask of their input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["positions_of"]


def positions_of(
    input: Mapping[str, Any] | Any, net: nn.Module, channels: int = 3, key: str = "pos"
) -> Tensor:
    """The tensor (B, P, channels) under a key of a batch of clouds, in the type that a network computes in.

    Args:
        input: Clouds as a mapping, or as an object that is indexed like one, such as torch-geometric's
            `Data`; of any floating type or of whole numbers.
        net: The network, whose parameters have one type.
        channels: What each point has.
        key: "pos", or another.

    Raises:
        ValueError: There is no such tensor, it has another shape or no points, is not of numbers, or has
            numbers that the network's type does not hold.
    """
    try:
        value = input[key]
    except (KeyError, TypeError, IndexError):
        raise ValueError(f"clouds are a mapping with {key!r}, this one has none") from None
    if not isinstance(value, Tensor) or value.dim() != 3 or value.shape[2] != channels or value.shape[1] == 0:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{key!r} has shape {shape}, (B, P, {channels}) with at least one point is needed")
    if value.is_complex() or value.dtype == torch.bool:
        raise ValueError(f"{key!r} has dtype {value.dtype}, floating-point or whole numbers are needed")
    dtype = next(net.parameters()).dtype
    if value.dtype == dtype:
        return value
    cast = value.to(dtype)
    # Whole numbers of 64 bits fit into all but half floats.
    if bool((beyond := cast.isinf() & value.isfinite()).any()):
        cloud, point, _ = beyond.nonzero()[0].tolist()
        raise ValueError(
            f"{key!r}, cloud {cloud}: point {point} is beyond {torch.finfo(dtype).max:g}, "
            f"where {dtype}, in which the model computes, ends"
        )
    return cast
