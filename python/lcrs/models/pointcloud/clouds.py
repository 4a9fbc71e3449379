"""What models of point clouds ask of their input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

__all__ = ["positions_of"]


def positions_of(input: Mapping[str, Any] | Any, channels: int = 3, key: str = "pos") -> Tensor:
    """The tensor (B, P, channels) under a key of a batch of clouds.

    Args:
        input: Clouds as a mapping, or as an object that is indexed like one, such as torch-geometric's
            `Data`.
        channels: What each point has.
        key: "pos", or another.

    Raises:
        ValueError: There is no such tensor, it has another shape or no points, or is not of floating-point
            numbers.
    """
    try:
        value = input[key]
    except (KeyError, TypeError, IndexError):
        raise ValueError(f"clouds are a mapping with {key!r}, this one has none") from None
    if not isinstance(value, Tensor) or value.dim() != 3 or value.shape[2] != channels or value.shape[1] == 0:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{key!r} has shape {shape}, (B, P, {channels}) with at least one point is needed")
    if not value.is_floating_point():
        raise ValueError(f"{key!r} has dtype {value.dtype}, floating-point numbers are needed")
    return value
