"""Clouds at the origin, of size one."""

from __future__ import annotations

from typing import Any

import torch

from lcrs.registry import register_transform
from lcrs.transforms.point.fields import PointTransform, changed, positions

__all__ = ["NormalizeScaleV2"]


@register_transform("NormalizeScaleV2")
class NormalizeScaleV2(PointTransform):
    """Moves the mean of the positions to the origin, and scales them to reach one.

    A cloud whose points are all in one place stays there.

    Args:
        center: Moves them.
        scale_method: "linf": the largest coordinate becomes 1; "l2": the largest distance to the origin.

    Raises:
        ValueError: There is no such `scale_method`.
    """

    def __init__(self, *, center: bool = True, scale_method: str = "linf") -> None:
        if scale_method not in ("linf", "l2"):
            raise ValueError(f"scale_method is {scale_method!r}: there are linf, l2")
        self.center = center
        self.scale_method = scale_method

    def forward(self, data: Any) -> Any:
        """Sets `pos`."""
        pos = positions(data)
        if self.center:
            pos = pos - pos.mean(dim=0, keepdim=True)
        scale = pos.abs().max() if self.scale_method == "linf" else torch.linalg.vector_norm(pos, dim=1).max()
        return changed(data, pos=pos / torch.where(scale > 0, scale, torch.ones_like(scale)))

    def __repr__(self) -> str:
        return f"NormalizeScaleV2(center={self.center}, scale_method={self.scale_method!r})"
