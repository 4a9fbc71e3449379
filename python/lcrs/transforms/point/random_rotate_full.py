"""Clouds turned any way."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lcrs.registry import register_transform
from lcrs.transforms.point.fields import changed, field, has_field, positions
from lcrs.transforms.point.randomness import RandomTransform

__all__ = ["RandomRotateFull", "random_rotation_matrix"]


@register_transform("RandomRotateFull")
class RandomRotateFull(RandomTransform):
    """Turns positions around the origin, all rotations being equally likely; normals with them.

    Args:
        seed: As of `RandomTransform`.
        static_seed: As of `RandomTransform`.
    """

    def forward(self, data: Any) -> Any:
        """Sets `pos`, and `normal` if there is one."""
        pos = positions(data)
        rotation = random_rotation_matrix(1, pos.shape[1], self.generator())[0].to(pos)
        fields = {"pos": pos @ rotation.T}
        if has_field(data, "normal"):
            normal = field(data, "normal")
            fields["normal"] = normal @ rotation.to(normal).T
        return changed(data, **fields)


def random_rotation_matrix(
    batch_size: int, ndim: int = 3, generator: torch.Generator | None = None
) -> Tensor:
    """Rotations, uniform in the sense of Haar: the orthogonal part of a matrix of normal variables.

    F. Mezzadri, `How to generate random matrices from the classical compact groups`, 2007. Signs make the
    factorisation unique, and a reflected axis the determinant one.

    Args:
        batch_size: How many.
        ndim: Dimensions.
        generator: Where random numbers come from; torch's own if None.

    Returns:
        (batch_size, ndim, ndim) float64.
    """
    normal = torch.randn((batch_size, ndim, ndim), generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(normal)
    diagonal = r.diagonal(dim1=-2, dim2=-1)
    q = q * torch.where(diagonal >= 0, 1.0, -1.0)[:, None, :]
    sign = torch.where(torch.linalg.det(q) >= 0, 1.0, -1.0)
    return torch.cat([q[:, :1] * sign[:, None, None], q[:, 1:]], dim=1)
