"""Density-preserving compression: samples with features, and as many points again as there were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.latent_codecs import EntropyBottleneckLatentCodec
from lcrs.layers.foreign import coding_scope
from lcrs.layers.pointcloud.hrtzxf2022 import (
    DownsampleLayer,
    RefineLayer,
    UpsampleLayer,
    UpsampleNumLayer,
    nearby_distance_sum,
    normed_pair,
)
from lcrs.layers.pointcloud.utils import select_xyzs_and_feats
from lcrs.models.base import CompressionModel
from lcrs.models.pointcloud.clouds import positions_of
from lcrs.models.pointcloud.latent_positions import XyzsLatentCodec
from lcrs.models.strings import check_strings
from lcrs.registry import register_model

__all__ = ["DensityPreservingReconstructionPccModel"]

_SEED = 0
"""Of the points that are repeated where a decoder has too few: the same for every decoder."""


@register_model("hrtzxf2022-pcc-rec")
class DensityPreservingReconstructionPccModel(CompressionModel):
    """Density-preserving deep point cloud compression.

    He et al., "Density-preserving deep point cloud compression", CVPR 2022.

    .. code-block:: none

        pos ── encoder ──┬── features ── entropy bottleneck ──┬── decoder ── x_hat
                         └── positions ── XyzsLatentCodec ────┘

    Strings decode to the same latents on every machine: no network decides a symbol. Where a decoder has
    to repeat points, it takes them at random, `forward` by torch's random numbers, `decompress` by its
    own, which are always the same.

    Args:
        downsample_rate: Samples a point, for each step.
        candidate_upsample_rate: The most that a point becomes, for each step up; each divides `feat_dim`
            for "mlp".
        in_dim: Channels of points: three, or six with normals.
        feat_dim: Channels of features.
        hidden_dim: Channels inside.
        k: Neighbours that are looked at.
        ngroups: Groups of the normalisations.
        sub_point_conv_mode: "mlp" or "edge_conv".
        compress_normal: Takes "normal" of clouds too, and restores it as `feat_hat`.
        latent_xyzs_codec: Arguments of `XyzsLatentCodec`: "mode", "conv_mode".
        **kwargs: Taken for CompressAI's sake, and not used.
    """

    trains_on = "lcrs.train.clouds:CLOUDS"

    def __init__(
        self,
        downsample_rate: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
        candidate_upsample_rate: Sequence[int] = (8, 8, 8),
        in_dim: int = 3,
        feat_dim: int = 8,
        hidden_dim: int = 64,
        k: int = 16,
        ngroups: int = 1,
        sub_point_conv_mode: str = "mlp",
        compress_normal: bool = False,
        latent_xyzs_codec: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.compress_normal = compress_normal
        self.pre_conv = normed_pair(nn.Conv1d, (in_dim, hidden_dim, feat_dim), ngroups)
        self.encoder = Encoder(downsample_rate, feat_dim, hidden_dim, k, ngroups)
        self.decoder = Decoder(
            downsample_rate,
            candidate_upsample_rate,
            feat_dim,
            hidden_dim,
            k,
            sub_point_conv_mode,
            compress_normal,
        )
        positions = XyzsLatentCodec(feat_dim, hidden_dim, k, ngroups, **(latent_xyzs_codec or {}))
        features = EntropyBottleneckLatentCodec(channels=feat_dim)
        self.latent_codec = nn.ModuleDict({"feat": features, "xyz": positions})

    def _encoded(self, input: Mapping[str, Tensor]) -> tuple[Tensor, _Encoded]:
        """Normals (B, 3 or 0, N), and what the encoder says."""
        points = positions_of(input, self)
        normals = positions_of(input, self, key="normal") if self.compress_normal else points[..., :0]
        if normals.shape[:2] != points.shape[:2]:
            raise ValueError(f"there are {tuple(normals.shape)} normals of {tuple(points.shape)} points")
        channels = torch.cat([points, normals], -1).transpose(1, 2).contiguous()
        encoded = self.encoder(channels[:, :3].contiguous(), self.pre_conv(channels))
        return normals.transpose(1, 2).contiguous(), encoded

    def forward(self, input: Mapping[str, Tensor]) -> dict[str, Any]:
        """Restores clouds and measures their rate; steps are from the finest on, hats the other way.

        Args:
            input: "pos", (B, N, 3), and "normal", (B, N, 3), if these are compressed; of any floating type or
                of whole numbers.

        Returns:
            `x_hat` (B, M, 3); `xyz_hat_`, of each step up the cloud; `latent_xyz_hat`; `feat_hat`, the
            last features; `upsample_num_hat_` and `mean_distance_hat_`, what is said of densities;
            `gt_xyz_`, `gt_latent_xyz`, `gt_normal`, `gt_downsample_num_`, `gt_mean_distance_`, the same of
            the encoder; `likelihoods` of "latent_feat" (B, feat_dim, M, 1) and "latent_xyz" (B, feat_dim, M).
        """
        normals, (clouds, counts, distances, latent_xyzs, latent_feats) = self._encoded(input)
        feats_out = self.latent_codec["feat"](latent_feats[..., None])
        xyzs_out = self.latent_codec["xyz"](latent_xyzs)
        clouds_hat, counts_hat, distances_hat, feats_hat = self.decoder(
            xyzs_out["y_hat"], feats_out["y_hat"].squeeze(-1)
        )
        return {
            "x_hat": clouds_hat[-1].transpose(1, 2).contiguous(),
            "xyz_hat_": clouds_hat,
            "latent_xyz_hat": xyzs_out["y_hat"],
            "feat_hat": feats_hat,
            "upsample_num_hat_": counts_hat,
            "mean_distance_hat_": distances_hat,
            "gt_xyz_": clouds,
            "gt_latent_xyz": latent_xyzs,
            "gt_normal": normals,
            "gt_downsample_num_": counts,
            "gt_mean_distance_": distances,
            "likelihoods": {
                "latent_feat": feats_out["likelihoods"]["y"],
                "latent_xyz": xyzs_out["likelihoods"]["y"],
            },
        }

    @coding_scope()
    @torch.no_grad()
    def compress(self, input: Mapping[str, Tensor]) -> dict[str, Any]:
        """Codes clouds.

        Args:
            input: As of `forward`.

        Returns:
            `strings`, of features and of positions a list of one list of a string for each cloud; `shape`,
            of both.

        Raises:
            ValueError: A coordinate or a latent is not finite.
        """
        _, (_, _, _, latent_xyzs, latent_feats) = self._encoded(input)
        parts = [
            self._codec("feat").compress(latent_feats[..., None]),
            self._codec("xyz").compress(latent_xyzs),
        ]
        return {
            "strings": [part["strings"] for part in parts],
            "shape": [tuple(part["shape"]) for part in parts],
        }

    @coding_scope()
    @torch.no_grad()
    def decompress(
        self, strings: Sequence[Sequence[Sequence[bytes]]], shape: Sequence[Sequence[int]]
    ) -> dict[str, Any]:
        """Restores what `compress` wrote.

        Returns:
            `x_hat` (B, M, 3); `feat_hat`, the last features or normals, (B, C, M); and the latents,
            `latent_feat_hat` and `latent_xyz_hat`.

        Raises:
            LcrsError: A string is damaged, or was written by another model.
            ValueError: The number of strings is wrong.
        """
        if len(strings) != 2 or len(shape) != 2:
            raise ValueError(f"there are {len(strings)} strings and {len(shape)} shapes, 2 are needed")
        latents = [latent for part in strings for latent in part]
        check_strings(latents, len(latents))
        feats = self._codec("feat").decompress(strings[0], shape[0])["y_hat"]
        xyzs = self._codec("xyz").decompress(strings[1], shape[1])["y_hat"]
        clouds_hat, _, _, feats_hat = self.decoder(xyzs, feats.squeeze(-1), seed=_SEED)
        return {
            "x_hat": clouds_hat[-1].transpose(1, 2).contiguous(),
            "feat_hat": feats_hat,
            "latent_feat_hat": feats,
            "latent_xyz_hat": xyzs,
        }

    def _codec(self, name: str) -> Any:
        return self.latent_codec[name]


_Encoded = tuple[list[Tensor], list[Tensor], list[Tensor], Tensor, Tensor]


class Encoder(nn.Module):
    """Steps of `DownsampleLayer`, one for each rate."""

    def __init__(
        self, downsample_rate: Sequence[float], dim: int, hidden_dim: int, k: int, ngroups: int
    ) -> None:
        super().__init__()
        self.downsample_layers = nn.ModuleList(
            [DownsampleLayer(rate, dim, hidden_dim, k, ngroups) for rate in downsample_rate]
        )

    def forward(self, xyzs: Tensor, feats: Tensor) -> _Encoded:
        """Samples a cloud again and again.

        Args:
            xyzs: (B, 3, N).
            feats: (B, C, N).

        Returns:
            Of each step the cloud before it, how many points each sample stands for, and how far they are
            on average; then positions and features of the last samples.
        """
        clouds, counts, distances = [], [], []
        for layer in self.downsample_layers:
            clouds.append(xyzs)
            xyzs, feats, count, distance = layer(xyzs, feats)
            counts.append(count)
            distances.append(distance)
        return clouds, counts, distances, xyzs, feats


class Decoder(nn.Module):
    """Steps of upsampling, selection and refinement, one for each rate."""

    def __init__(
        self,
        downsample_rate: Sequence[float],
        candidate_upsample_rate: Sequence[int],
        dim: int,
        hidden_dim: int,
        k: int,
        sub_point_conv_mode: str,
        compress_normal: bool,
    ) -> None:
        super().__init__()
        self.k = k
        self.num_layers = len(downsample_rate)
        self.downsample_rate = downsample_rate
        rates = candidate_upsample_rate[: self.num_layers]
        last = self.num_layers - 1
        self.upsample_layers = nn.ModuleList(
            [UpsampleLayer(dim, hidden_dim, k, sub_point_conv_mode, rate) for rate in rates]
        )
        self.upsample_num_layers = nn.ModuleList([UpsampleNumLayer(dim, hidden_dim, rate) for rate in rates])
        self.refine_layers = nn.ModuleList(
            [
                RefineLayer(dim, hidden_dim, k, sub_point_conv_mode, compress_normal and i == last)
                for i in range(self.num_layers)
            ]
        )

    def forward(
        self, xyzs: Tensor, feats: Tensor, seed: int | None = None
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
        """Restores clouds from samples.

        Args:
            xyzs: (B, 3, M).
            feats: (B, C, M).
            seed: Of the random numbers where points have to be repeated; by default torch's count.

        Returns:
            Of each step the cloud, into how many points each point before was to become, and how far these
            are on average; then the last features.
        """
        before, clouds, counts = [xyzs], [], []
        steps = zip(self.upsample_layers, self.upsample_num_layers, self.refine_layers, strict=True)
        for i, (upsample, number, refine) in enumerate(steps):
            candidate_xyzs, candidate_feats = upsample(xyzs, feats)
            counts.append(number(feats))
            rate = 1 / self.downsample_rate[self.num_layers - i - 1]
            chosen = select_xyzs_and_feats(candidate_xyzs, candidate_feats, counts[-1], rate, seed=seed)
            xyzs, feats = refine(*chosen)
            clouds.append(xyzs)
            before.append(xyzs)
        distances = [
            nearby_distance_sum(old, new, min(self.k, new.shape[2]))[0] / count
            for old, new, count in zip(before, clouds, counts, strict=False)
        ]
        return clouds, counts, distances, feats
