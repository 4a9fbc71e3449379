"""Normals from positions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lcrs.coding import normals_of_points
from lcrs.registry import register_transform
from lcrs.transforms.point.fields import PointTransform, changed, positions

__all__ = ["GeneratePositionNormals"]

_METHODS = ("any", "pca", "open3d", "pytorch3d")


@register_transform("GeneratePositionNormals")
class GeneratePositionNormals(PointTransform):
    """Estimates normals, as the direction in which neighbours extend least, into the field `normal`.

    CompressAI's writes `norm`, which nothing else reads. Normals have length one, and no side that means
    anything; with method "pca" their greatest component is positive.

    Args:
        method: "pca", which needs no further package and is also "any"; "open3d"; "pytorch3d".
        **kwargs: For "pca" `k`, the number of neighbours (default: 16), the point among them. For "open3d"
            the arguments of its search by neighbours, for "pytorch3d" those of its function.

    Raises:
        TypeError: "pca" has no such argument.
        ValueError: There is no such `method`, or `k` is below one.
    """

    def __init__(self, *, method: str = "any", **kwargs: Any) -> None:
        if method not in _METHODS:
            raise ValueError(f"method is {method!r}: there are {', '.join(_METHODS)}")
        if method in ("any", "pca"):
            if unknown := kwargs.keys() - {"k"}:
                raise TypeError(f"method {method!r} has no argument {sorted(unknown)[0]!r}: it has k")
            if kwargs.get("k", 1) < 1:
                raise ValueError(f"k is {kwargs['k']}: it is at least 1")
        self.method = method
        self.kwargs = kwargs

    def forward(self, data: Any) -> Any:
        """Sets `normal`, (N, 3) of the type of `pos`.

        Raises:
            ValueError: `pos` is not (N, 3).
        """
        pos = positions(data)
        if pos.shape[1] != 3:
            raise ValueError(f"pos has shape {tuple(pos.shape)}: (N, 3) is needed")
        return changed(data, normal=self._normals(pos.detach()).to(pos))

    def _normals(self, pos: Tensor) -> Tensor:
        if self.method == "open3d":
            open3d = import_module("open3d")
            cloud = open3d.geometry.PointCloud()
            cloud.points = open3d.utility.Vector3dVector(pos.cpu().double().numpy())
            cloud.estimate_normals(search_param=open3d.geometry.KDTreeSearchParamKNN(**self.kwargs))
            cloud.normalize_normals()
            return torch.from_numpy(np.asarray(cloud.normals))
        if self.method == "pytorch3d":
            estimate = import_module("pytorch3d.ops").estimate_pointcloud_normals
            normals: Tensor = estimate(pos[None], **self.kwargs)[0]
            return normals
        return torch.from_numpy(normals_of_points(pos.cpu().double().numpy(), **self.kwargs))

    def __repr__(self) -> str:
        return f"GeneratePositionNormals(method={self.method!r})"
