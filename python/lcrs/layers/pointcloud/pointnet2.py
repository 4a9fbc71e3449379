"""Samples of a cloud, groups of points around them, and the features of groups.

Qi et al., "PointNet++: Deep hierarchical feature learning on point sets in a metric space", NeurIPS 2017.
Clouds are (B, N, C) in the functions and (B, C, N) in the modules, as in CompressAI.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs.ops.points import (
    ball_query,
    farthest_point_indexes,
    index_points,
    nearest_indexes,
    square_distance,
    squared_distances,
)

__all__ = [
    "PointNetFeaturePropagation",
    "PointNetSetAbstraction",
    "PointNetSetAbstractionMsg",
    "farthest_point_sample",
    "index_points",
    "pc_normalize",
    "query_ball_point",
    "sample_and_group",
    "sample_and_group_all",
    "square_distance",
]

_NEIGHBOURS = 3
_NEAR = 1e-8
"""Added to squared distances that are divided by."""


def pc_normalize(pc: NDArray[Any]) -> NDArray[Any]:
    """A cloud (N, C) moved and scaled into the unit sphere around its mean; of equal points all are zero."""
    centred = pc - pc.mean(axis=0)
    radius = ((centred**2).sum(axis=1) ** 0.5).max()
    normalized: NDArray[Any] = centred / radius if radius > 0 else centred
    return normalized


def farthest_point_sample(xyz: Tensor, npoint: int) -> Tensor:
    """Indexes of `npoint` samples of each cloud (B, N, 3), the first point first: (B, npoint).

    See `lcrs.ops.points.farthest_point_indexes`.
    """
    return farthest_point_indexes(xyz, npoint)


def query_ball_point(radius: float, nsample: int, xyz: Tensor, new_xyz: Tensor) -> Tensor:
    """Indexes of `nsample` points of `xyz` (B, N, 3) around each of `new_xyz` (B, S, 3): (B, S, nsample).

    See `lcrs.ops.points.ball_query`.
    """
    return ball_query(xyz, new_xyz, radius, nsample)


def sample_and_group(
    npoint: int, radius: float, nsample: int, xyz: Tensor, points: Tensor | None, returnfps: bool = False
) -> tuple[Tensor, ...]:
    """Samples of a cloud, and the points around each.

    Args:
        npoint: Number S of samples.
        radius: Of the balls around samples.
        nsample: Number K of points of a group.
        xyz: Positions, (B, N, 3).
        points: Features, (B, N, D), or None.
        returnfps: Returns two more.

    Returns:
        Samples (B, S, 3); groups (B, S, K, 3 + D), positions relative to the sample and then features; and
        with `returnfps` positions of groups (B, S, K, 3) and indexes of samples (B, S).
    """
    fps_idx = farthest_point_sample(xyz, npoint)
    new_xyz = index_points(xyz, fps_idx)
    idx = query_ball_point(radius, nsample, xyz, new_xyz)
    grouped_xyz = index_points(xyz, idx)
    groups = grouped_xyz - new_xyz[:, :, None]
    if points is not None:
        groups = torch.cat([groups, index_points(points, idx)], -1)
    return (new_xyz, groups, grouped_xyz, fps_idx) if returnfps else (new_xyz, groups)


def sample_and_group_all(xyz: Tensor, points: Tensor | None, returnfps: bool = False) -> tuple[Tensor, ...]:
    """One group of all points, around the origin; as `sample_and_group` with S = 1 and K = N."""
    new_xyz = xyz.new_zeros(xyz.shape[0], 1, xyz.shape[2])
    grouped_xyz = xyz[:, None]
    groups = grouped_xyz if points is None else torch.cat([grouped_xyz, points[:, None]], -1)
    if not returnfps:
        return new_xyz, groups
    return new_xyz, groups, grouped_xyz, torch.zeros(xyz.shape[0], 1, dtype=torch.int64, device=xyz.device)


def _layers(
    in_channel: int, mlp: Sequence[int], conv: type[nn.Conv1d | nn.Conv2d], norm: type[nn.Module]
) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Pointwise convolutions and what normalises each one's output."""
    sizes = [in_channel, *mlp]
    convs = [conv(before, after, 1) for before, after in zip(sizes, mlp, strict=False)]
    return nn.ModuleList(convs), nn.ModuleList([norm(size) for size in mlp])


def _through(x: Tensor, convs: nn.ModuleList, norms: nn.ModuleList) -> Tensor:
    for conv, norm in zip(convs, norms, strict=True):
        x = F.relu(norm(conv(x)))
    return x


def _points_last(x: Tensor | None) -> Tensor | None:
    """(B, C, N) from (B, N, C), or the other way."""
    return None if x is None else x.transpose(1, 2)


class PointNetSetAbstraction(nn.Module):
    """The features of groups around samples of a cloud, by one radius.

    Args:
        npoint: Number of samples.
        radius: Of the balls around them.
        nsample: Number of points of a group.
        in_channel: Channels of groups: three, and those of features.
        mlp: Channels of the features after each layer.
        group_all: Makes one group of all points; the three numbers above are not used.
    """

    def __init__(
        self,
        npoint: int | None,
        radius: float | None,
        nsample: int | None,
        in_channel: int,
        mlp: Sequence[int],
        group_all: bool,
    ) -> None:
        super().__init__()
        self.npoint = npoint
        self.radius = radius
        self.nsample = nsample
        self.group_all = group_all
        self.mlp_convs, self.mlp_bns = _layers(in_channel, mlp, nn.Conv2d, nn.BatchNorm2d)

    def forward(self, xyz: Tensor, points: Tensor | None) -> dict[str, Tensor]:
        """Samples a cloud.

        Args:
            xyz: Positions, (B, 3, N).
            points: Features, (B, D, N), or None.

        Returns:
            `new_xyz` (B, 3, S), `new_features` (B, D', S), `grouped_xyz` (B, 3, K, S), `grouped_features`
            (B, 3 + D, S, K) and `idx` (B, S), the indexes of samples.
        """
        positions, features = xyz.transpose(1, 2), _points_last(points)
        if self.group_all:
            new_xyz, groups, grouped_xyz, idx = sample_and_group_all(positions, features, returnfps=True)
        else:
            if self.npoint is None or self.radius is None or self.nsample is None:
                raise ValueError("npoint, radius and nsample are needed unless group_all is set")
            new_xyz, groups, grouped_xyz, idx = sample_and_group(
                self.npoint, self.radius, self.nsample, positions, features, returnfps=True
            )
        grouped = groups.permute(0, 3, 1, 2)
        new_features = _through(grouped.transpose(2, 3), self.mlp_convs, self.mlp_bns).amax(2)
        return {
            "grouped_xyz": grouped_xyz.permute(0, 3, 2, 1),
            "grouped_features": grouped,
            "new_xyz": new_xyz.transpose(1, 2),
            "new_features": new_features,
            "idx": idx,
        }


class PointNetSetAbstractionMsg(nn.Module):
    """The features of groups around samples of a cloud, by several radii: multi-scale grouping.

    Args:
        npoint: Number of samples.
        radius_list: Radii of the balls around them.
        nsample_list: Number of points of a group, for each radius.
        in_channel: Channels of groups: three, and those of features.
        mlp_list: Channels after each layer, for each radius.
    """

    def __init__(
        self,
        npoint: int,
        radius_list: Sequence[float],
        nsample_list: Sequence[int],
        in_channel: int,
        mlp_list: Sequence[Sequence[int]],
    ) -> None:
        super().__init__()
        self.npoint = npoint
        self.radius_list = radius_list
        self.nsample_list = nsample_list
        blocks = [_layers(in_channel, mlp, nn.Conv2d, nn.BatchNorm2d) for mlp in mlp_list]
        self.conv_blocks = nn.ModuleList([convs for convs, _ in blocks])
        self.bn_blocks = nn.ModuleList([norms for _, norms in blocks])

    def forward(self, xyz: Tensor, points: Tensor | None) -> tuple[Tensor, Tensor]:
        """Samples a cloud: positions (B, 3, N) and features (B, D, N) or None to (B, 3, S) and (B, D', S).

        The features of the radii follow each other in D'. In a group features come before positions.
        """
        positions, features = xyz.transpose(1, 2), _points_last(points)
        new_xyz = index_points(positions, farthest_point_sample(positions, self.npoint))
        scales = zip(self.radius_list, self.nsample_list, self.conv_blocks, self.bn_blocks, strict=True)
        found = []
        for radius, nsample, convs, norms in scales:
            idx = query_ball_point(radius, nsample, positions, new_xyz)
            groups = index_points(positions, idx) - new_xyz[:, :, None]
            if features is not None:
                groups = torch.cat([index_points(features, idx), groups], -1)
            found.append(_through(groups.permute(0, 3, 2, 1), convs, norms).amax(2))  # type: ignore[arg-type]
        return new_xyz.transpose(1, 2), torch.cat(found, 1)


class PointNetFeaturePropagation(nn.Module):
    """Features of a cloud from those of its samples: means of the three nearest, by inverse distance.

    Args:
        in_channel: Channels of both clouds' features together.
        mlp: Channels after each layer.
    """

    def __init__(self, in_channel: int, mlp: Sequence[int]) -> None:
        super().__init__()
        self.mlp_convs, self.mlp_bns = _layers(in_channel, mlp, nn.Conv1d, nn.BatchNorm1d)

    def forward(self, xyz1: Tensor, xyz2: Tensor, points1: Tensor | None, points2: Tensor) -> Tensor:
        """Features (B, D', N).

        Args:
            xyz1: Positions of the cloud, (B, 3, N).
            xyz2: Positions of the samples, (B, 3, S); one sample, two, or more.
            points1: Features of the cloud, (B, D1, N), or None.
            points2: Features of the samples, (B, D2, S).
        """
        cloud, samples, features = (x.transpose(1, 2) for x in (xyz1, xyz2, points2))
        idx = nearest_indexes(samples, cloud, min(_NEIGHBOURS, samples.shape[1]))
        weights = 1 / (squared_distances(samples, cloud, idx) + _NEAR)
        weights = weights / weights.sum(-1, keepdim=True)
        joined = (index_points(features, idx) * weights[..., None]).sum(2).transpose(1, 2)
        if points1 is not None:
            joined = torch.cat([points1, joined], 1)
        return _through(joined, self.mlp_convs, self.mlp_bns)
