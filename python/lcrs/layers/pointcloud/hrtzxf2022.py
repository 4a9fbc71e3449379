"""Layers of He et al., "Density-preserving deep point cloud compression", CVPR 2022.

Clouds are (B, 3, N) and features (B, C, N). A cloud is sampled; each sample tells how many points were
nearest to it and how far they were, and its features are what is known of them. On the way back each point
becomes several.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs.layers.pointcloud.directions import icosahedron2sphere
from lcrs.layers.pointcloud.utils import index_points
from lcrs.ops.points import farthest_point_indexes, nearest_indexes

__all__ = [
    "DensityEmbeddingLayer",
    "DownsampleLayer",
    "EdgeConv",
    "FeatsUpsampleLayer",
    "PointTransformerLayer",
    "PositionEmbeddingLayer",
    "RefineLayer",
    "SubPointConv",
    "UpsampleLayer",
    "UpsampleNumLayer",
    "XyzsUpsampleLayer",
    "icosahedron2sphere",
    "index_points",
    "nearby_distance_sum",
    "normed_pair",
]


_PIECE = 1 << 24
"""Products of features that are held at a time."""


def normed_pair(
    conv: type[nn.Conv1d | nn.Conv2d], channels: tuple[int, int, int], ngroups: int
) -> nn.Sequential:
    """Two pointwise convolutions, between them a normalisation by groups and a ReLU."""
    before, hidden, after = channels
    return nn.Sequential(
        conv(before, hidden, 1),
        nn.GroupNorm(ngroups, hidden),
        nn.ReLU(inplace=True),
        conv(hidden, after, 1),
    )


def _attention(scores: Tensor, mask: Tensor) -> Tensor:
    """Weights of neighbours, (B, C, M, K), zero where `mask`, (B, M, K), is false, if it is true anywhere."""
    return F.softmax(scores.masked_fill(~mask[:, None], -torch.finfo(scores.dtype).max), dim=-1)


def nearby_distance_sum(a_xyzs: Tensor, b_xyzs: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """How far the points of B are that have a point of A as the nearest one.

    Of those only the ones among the `k` points of B that are nearest to the point of A.

    Args:
        a_xyzs: A, (B, 3, M).
        b_xyzs: B, (B, 3, N).
        k: At most N.

    Returns:
        Sums of distances (B, M); which of the `k` neighbours count, (B, M, k); indexes of the neighbours
        (B, M, k); and the index of the point of A that is nearest to each point of B, (B, N, 1).
    """
    a, b = a_xyzs.transpose(1, 2), b_xyzs.transpose(1, 2)
    nn_idx = nearest_indexes(a, b, 1)
    knn_idx = nearest_indexes(b, a, k)
    owners = nn_idx.squeeze(-1).gather(1, knn_idx.flatten(1)).reshape(knn_idx.shape)
    mask = owners == torch.arange(a.shape[1], device=owners.device)[None, :, None]
    distances = torch.linalg.norm(index_points(b_xyzs, knn_idx) - a_xyzs[..., None], dim=1)
    return (distances * mask).sum(-1), mask, knn_idx, nn_idx


class DownsampleLayer(nn.Module):
    """Samples a cloud, and embeds features, positions and density of what is near to each sample.

    Args:
        downsample_rate: Samples a point, at most 1; there is at least one sample.
        dim: Channels of features.
        hidden_dim: Channels inside.
        k: Neighbours that are looked at, if there are so many.
        ngroups: Groups of the normalisations.
    """

    def __init__(self, downsample_rate: float, dim: int, hidden_dim: int, k: int, ngroups: int) -> None:
        super().__init__()
        self.k = k
        self.downsample_rate = downsample_rate
        self.pre_conv = nn.Conv1d(dim, dim, 1)
        self.embed_features = PointTransformerLayer(dim, dim, hidden_dim, ngroups)
        self.embed_positions = PositionEmbeddingLayer(hidden_dim, dim, ngroups)
        self.embed_densities = DensityEmbeddingLayer(hidden_dim, dim, ngroups)
        self.post_conv = nn.Conv1d(dim * 3, dim, 1)

    def downsample_positions(self, xyzs: Tensor) -> tuple[Tensor, Tensor]:
        """Samples, (B, 3, M), of a cloud (B, 3, N), and their indexes (B, M)."""
        count = max(1, round(xyzs.shape[2] * self.downsample_rate))
        idx = farthest_point_indexes(xyzs.transpose(1, 2), count)
        return index_points(xyzs, idx), idx

    def get_density(
        self, downsampled_xyzs: Tensor, input_xyzs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """How many points each sample stands for, and how far they are from it on average.

        Args:
            downsampled_xyzs: (B, 3, M).
            input_xyzs: (B, 3, N).

        Returns:
            Numbers (B, M) and distances (B, M); which neighbours they are of, and their indexes, both (B,
            M, k).
        """
        k = min(self.k, input_xyzs.shape[2])
        distance, mask, knn_idx, _ = nearby_distance_sum(downsampled_xyzs, input_xyzs, k)
        count = mask.sum(-1).to(distance.dtype)
        # Of equal samples, all but the first stand for none.
        return count, distance / count.clamp(min=1), mask, knn_idx

    def forward(self, xyzs: Tensor, feats: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Samples a cloud.

        Args:
            xyzs: (B, 3, N).
            feats: (B, C, N).

        Returns:
            Positions (B, 3, M) and features (B, C, M) of samples; how many points each stands for and how
            far they are on average, both (B, M).
        """
        sampled_xyzs, sample_idx = self.downsample_positions(xyzs)
        count, mean_distance, mask, knn_idx = self.get_density(sampled_xyzs, xyzs)
        identity = index_points(feats, sample_idx)
        feats = self.pre_conv(feats)
        sampled = index_points(feats, sample_idx)
        embeddings = [
            self.embed_features(sampled_xyzs, xyzs, sampled, feats, feats, knn_idx, mask),
            self.embed_positions(sampled_xyzs, xyzs, knn_idx, mask),
            self.embed_densities(count[:, None]),
        ]
        return sampled_xyzs, self.post_conv(torch.cat(embeddings, 1)) + identity, count, mean_distance


class PointTransformerLayer(nn.Module):
    """Attention over neighbours, by the differences of features and positions.

    Zhao et al., "Point transformer", ICCV 2021, section 3.2.

    Args:
        in_fdim: Channels of features.
        out_fdim: Channels of the result; as many, since the query's are added.
        hidden_dim: Channels inside.
        ngroups: Groups of the normalisations.
    """

    def __init__(self, in_fdim: int, out_fdim: int, hidden_dim: int, ngroups: int) -> None:
        super().__init__()
        self.w_qs = nn.Conv1d(in_fdim, hidden_dim, 1)
        self.w_ks = nn.Conv1d(in_fdim, hidden_dim, 1)
        self.w_vs = nn.Conv1d(in_fdim, hidden_dim, 1)
        self.conv_delta = normed_pair(nn.Conv2d, (3, hidden_dim, hidden_dim), ngroups)
        self.conv_gamma = normed_pair(nn.Conv2d, (hidden_dim, hidden_dim, hidden_dim), ngroups)
        self.post_conv = nn.Conv1d(hidden_dim, out_fdim, 1)

    def forward(
        self,
        q_xyzs: Tensor,
        k_xyzs: Tensor,
        q_feats: Tensor,
        k_feats: Tensor,
        v_feats: Tensor,
        knn_idx: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """New features (B, C, M) of the queries.

        Args:
            q_xyzs: Positions of queries, (B, 3, M).
            k_xyzs: Positions of neighbours, (B, 3, N).
            q_feats: Features of queries, (B, C, M).
            k_feats: Features that neighbours are compared by, (B, C, N).
            v_feats: Features that are taken from them, (B, C, N).
            knn_idx: Which are whose neighbours, (B, M, K).
            mask: Which of them count, (B, M, K).
        """
        key = index_points(self.w_ks(k_feats), knn_idx)
        value = index_points(self.w_vs(v_feats), knn_idx)
        position = self.conv_delta(q_xyzs[..., None] - index_points(k_xyzs, knn_idx))
        scores = self.conv_gamma(self.w_qs(q_feats)[..., None] - key + position) / math.sqrt(key.shape[1])
        result = torch.einsum("bcmk,bcmk->bcm", _attention(scores, mask), value + position)
        new: Tensor = self.post_conv(result) + q_feats
        return new


class PositionEmbeddingLayer(nn.Module):
    """What the offsets of neighbours are like: their directions and lengths, weighted by attention.

    Args:
        hidden_dim: Channels inside.
        dim: Channels of the result.
        ngroups: Groups of the normalisations.
    """

    def __init__(self, hidden_dim: int, dim: int, ngroups: int) -> None:
        super().__init__()
        self.embed_positions = normed_pair(nn.Conv2d, (4, hidden_dim, dim), ngroups)
        self.attention = normed_pair(nn.Conv2d, (dim, hidden_dim, dim), ngroups)

    def forward(self, q_xyzs: Tensor, k_xyzs: Tensor, knn_idx: Tensor, mask: Tensor) -> Tensor:
        """Features (B, C, M) of queries (B, 3, M); arguments as of `PointTransformerLayer`."""
        offsets = index_points(k_xyzs, knn_idx) - q_xyzs[..., None]
        lengths = torch.linalg.norm(offsets, dim=1, keepdim=True)
        embedded: Tensor = self.embed_positions(torch.cat([F.normalize(offsets, dim=1), lengths], 1))
        return (embedded * _attention(self.attention(embedded), mask)).sum(-1)


class DensityEmbeddingLayer(nn.Module):
    """What the number of points is like that a sample stands for.

    Args:
        hidden_dim: Channels inside.
        dim: Channels of the result.
        ngroups: Groups of the normalisation.
    """

    def __init__(self, hidden_dim: int, dim: int, ngroups: int) -> None:
        super().__init__()
        self.embed_densities = normed_pair(nn.Conv1d, (1, hidden_dim, dim), ngroups)

    def forward(self, downsample_num: Tensor) -> Tensor:
        """Maps numbers (B, 1, M) to features (B, C, M)."""
        embedded: Tensor = self.embed_densities(downsample_num)
        return embedded


class SubPointConv(nn.Module):
    """Features of several points from those of one, by a network on each part of them.

    Args:
        hidden_dim: Channels inside.
        k: Neighbours, for "edge_conv".
        mode: "mlp": each point has a part of the features; "edge_conv": all have all, and those of
            neighbours.
        in_fdim: Channels before, divisible by `group_num`.
        out_fdim: Channels of all points together.
        group_num: Number U of points.

    Raises:
        ValueError: An unknown mode.
    """

    def __init__(
        self, hidden_dim: int, k: int, mode: str, in_fdim: int, out_fdim: int, group_num: int
    ) -> None:
        super().__init__()
        self.mode = mode
        self.group_num = group_num
        if mode == "mlp":
            self.mlp = nn.Sequential(
                nn.Conv2d(in_fdim // group_num, hidden_dim, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(hidden_dim, out_fdim // group_num, 1),
            )
        elif mode == "edge_conv":
            self.edge_conv = EdgeConv(in_fdim, out_fdim, hidden_dim, k)
        else:
            raise ValueError(f"mode is {mode!r}; it must be mlp or edge_conv")

    def forward(self, feats: Tensor) -> Tensor:
        """Maps (B, in_fdim, N) to (B, out_fdim / U, N, U)."""
        if self.mode == "mlp":
            expanded: Tensor = self.mlp(self._parts(feats))
            return expanded
        return self._parts(self.edge_conv(feats))

    def _parts(self, feats: Tensor) -> Tensor:
        batch, channels, points = feats.shape
        parts = feats.reshape(batch, channels // self.group_num, self.group_num, points)
        return parts.transpose(2, 3).contiguous()


def _similar(feats: Tensor, k: int) -> Tensor:
    """Indexes (B, N, k) of the features that are nearest to each of `feats`, (B, C, N)."""
    places = feats.detach().transpose(1, 2)
    if feats.shape[1] == 3:
        return nearest_indexes(places, places, k)
    # As CompressAI has it, by products; in pieces, since all of them are N^2 numbers.
    norms = places.square().sum(-1)
    size = max(1, _PIECE // max(1, feats.shape[0] * feats.shape[2]))
    found = []
    pieces = torch.split(places, size, 1), torch.split(norms, size, 1)
    for rows, row_norms in zip(*pieces, strict=True):
        nearness = 2 * rows @ places.transpose(1, 2) - norms[:, None] - row_norms[..., None]
        found.append(nearness.topk(k, -1).indices)
    return torch.cat(found, 1)


class EdgeConv(nn.Module):
    """The maximum over neighbours, in the space of features, of a network on differences of features.

    Wang et al., "Dynamic graph CNN for learning on point clouds", ACM TOG 2019, section 3.

    Args:
        in_fdim: Channels before.
        out_fdim: Channels after.
        hidden_dim: Channels inside.
        k: Neighbours, the point itself among them; fewer if there are fewer points.
    """

    def __init__(self, in_fdim: int, out_fdim: int, hidden_dim: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.conv = nn.Sequential(
            nn.Conv2d(2 * in_fdim, hidden_dim, 1),
            nn.ReLU(),
            nn.Conv2d(hidden_dim, out_fdim, 1),
        )

    def forward(self, feats: Tensor) -> Tensor:
        """Maps (B, in_fdim, N) to (B, out_fdim, N)."""
        knn_idx = _similar(feats, min(self.k, feats.shape[2]))
        own = feats[..., None].expand(*feats.shape, knn_idx.shape[2])
        edges = torch.cat([index_points(feats, knn_idx) - own, own], 1)
        convolved: Tensor = self.conv(edges)
        return convolved.amax(-1)


class XyzsUpsampleLayer(nn.Module):
    """Positions of several points from one, each in a mean of 43 directions, and so far as it is told.

    Args:
        dim: Channels of features.
        hidden_dim: Channels inside.
        k: Neighbours, for "edge_conv".
        sub_point_conv_mode: As of `SubPointConv`.
        upsample_rate: Number U of points.
    """

    hypothesis: Tensor

    def __init__(
        self, dim: int, hidden_dim: int, k: int, sub_point_conv_mode: str, upsample_rate: int
    ) -> None:
        super().__init__()
        self.upsample_rate = upsample_rate
        # No direction at all, and those of a sphere.
        directions = np.concatenate([np.zeros((1, 3)), icosahedron2sphere(1)[0]])
        self.register_buffer("hypothesis", torch.from_numpy(directions).float(), persistent=False)
        count = len(directions) * upsample_rate
        self.weight_nn = SubPointConv(hidden_dim, k, sub_point_conv_mode, dim, count, upsample_rate)
        self.scale_nn = SubPointConv(hidden_dim, k, sub_point_conv_mode, dim, upsample_rate, upsample_rate)

    def forward(self, xyzs: Tensor, feats: Tensor) -> Tensor:
        """Maps positions (B, 3, N) and features (B, C, N) to positions (B, 3, N, U)."""
        weights = F.softmax(self.weight_nn(feats), dim=1)
        # In this order, as CompressAI has it: samples that are all but equally far depend on last digits.
        hypothesis = self.hypothesis.to(weights.dtype)[:, :, None, None]
        directions = (weights[:, :, None] * hypothesis).sum(1)
        scales: Tensor = self.scale_nn(feats)
        return xyzs[..., None] + F.normalize(directions, dim=1) * scales


class FeatsUpsampleLayer(nn.Module):
    """Features of several points from those of one.

    Args:
        dim: Channels of features.
        hidden_dim: Channels inside.
        k: Neighbours, for "edge_conv".
        sub_point_conv_mode: As of `SubPointConv`.
        upsample_rate: Number U of points.
        decompress_normal: Gives three channels, and adds nothing to them.
    """

    def __init__(
        self,
        dim: int,
        hidden_dim: int,
        k: int,
        sub_point_conv_mode: str,
        upsample_rate: int,
        decompress_normal: bool = False,
    ) -> None:
        super().__init__()
        self.upsample_rate = upsample_rate
        self.decompress_normal = decompress_normal
        channels = (3 if decompress_normal else dim) * upsample_rate
        self.feats_nn = SubPointConv(hidden_dim, k, sub_point_conv_mode, dim, channels, upsample_rate)

    def forward(self, feats: Tensor) -> Tensor:
        """Maps (B, C, N) to (B, C, N, U), or to (B, 3, N, U) for normals."""
        upsampled: Tensor = self.feats_nn(feats)
        return upsampled if self.decompress_normal else upsampled + feats[..., None]


class UpsampleLayer(nn.Module):
    """Candidates for the points that a point becomes; arguments as of `XyzsUpsampleLayer`."""

    def __init__(
        self, dim: int, hidden_dim: int, k: int, sub_point_conv_mode: str, upsample_rate: int
    ) -> None:
        super().__init__()
        self.xyzs_upsample_nn = XyzsUpsampleLayer(dim, hidden_dim, k, sub_point_conv_mode, upsample_rate)
        self.feats_upsample_nn = FeatsUpsampleLayer(dim, hidden_dim, k, sub_point_conv_mode, upsample_rate)

    def forward(self, xyzs: Tensor, feats: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, 3, N) and (B, C, N) to positions (B, 3, N, U) and features (B, C, N, U)."""
        return self.xyzs_upsample_nn(xyzs, feats), self.feats_upsample_nn(feats)


class UpsampleNumLayer(nn.Module):
    """How many points each point becomes.

    Args:
        dim: Channels of features.
        hidden_dim: Channels inside.
        upsample_rate: The greatest number.
    """

    def __init__(self, dim: int, hidden_dim: int, upsample_rate: int) -> None:
        super().__init__()
        self.upsample_rate = upsample_rate
        self.upsample_num_nn = nn.Sequential(
            nn.Conv1d(dim, hidden_dim, 1), nn.ReLU(), nn.Conv1d(hidden_dim, 1, 1), nn.Sigmoid()
        )

    def forward(self, feats: Tensor) -> Tensor:
        """Maps features (B, C, N) to numbers from 1 to the greatest, not rounded, (B, N)."""
        fraction: Tensor = self.upsample_num_nn(feats)
        return fraction.squeeze(1) * (self.upsample_rate - 1) + 1


class RefineLayer(nn.Module):
    """Moves points, and gives them their last features.

    Args:
        dim: Channels of features.
        hidden_dim: Channels inside.
        k: Neighbours, for "edge_conv".
        sub_point_conv_mode: As of `SubPointConv`.
        decompress_normal: Gives normals as features.
    """

    def __init__(
        self, dim: int, hidden_dim: int, k: int, sub_point_conv_mode: str, decompress_normal: bool
    ) -> None:
        super().__init__()
        self.xyzs_refine_nn = XyzsUpsampleLayer(dim, hidden_dim, k, sub_point_conv_mode, 1)
        self.feats_refine_nn = FeatsUpsampleLayer(
            dim, hidden_dim, k, sub_point_conv_mode, 1, decompress_normal
        )

    def forward(self, xyzs: Tensor, feats: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, 3, N) and (B, C, N) to positions (B, 3, N) and features (B, C, N), or normals."""
        return self.xyzs_refine_nn(xyzs, feats).squeeze(-1), self.feats_refine_nn(feats).squeeze(-1)
