"""An autoencoder whose latent is one vector of features a cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lcrs.latent_codecs import EntropyBottleneckLatentCodec
from lcrs.layers.foreign import coding_scope
from lcrs.layers.pointcloud.pointnet import pointnet_g_a_simple, pointnet_g_s_simple
from lcrs.models.base import CompressionModel
from lcrs.models.pointcloud.clouds import positions_of
from lcrs.models.strings import check_strings
from lcrs.registry import register_model

__all__ = ["PointNetReconstructionPccModel"]

_TAIL_MASS = 1e-4


@register_model("sfu2023-pcc-rec-pointnet")
class PointNetReconstructionPccModel(CompressionModel):
    """PointNet, made an autoencoder.

    Qi et al., "PointNet", CVPR 2017; Yan et al., "Deep autoencoder-based lossy geometry compression for
    point clouds", 2019; Ulhaq and Bajic, "Learned point cloud compression for classification", MMSP 2023.

    .. code-block:: none

        pos ── g_a ── y ── entropy bottleneck ── y_hat ── g_s ── x_hat

    A cloud may have any number of points; what is restored has `num_points`. Strings decode to the same
    y_hat on every
    machine: no network decides a symbol.

    Args:
        num_points: Points that are restored.
        num_channels: Channels of "g_a", from 3 to those of y, and of "g_s", from these to three times
            `num_points`; by default (3, 64, 64, 64, 128, 1024) and (1024, 256, 512, 3 `num_points`).
        groups: Groups of the convolutions of "g_a"; by default one each.

    Raises:
        ValueError: Channels do not fit together.
    """

    trains_on = "lcrs.train.clouds:CLOUDS"

    def __init__(
        self,
        num_points: int = 1024,
        num_channels: Mapping[str, Sequence[int]] | None = None,
        groups: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        channels = num_channels or {
            "g_a": (3, 64, 64, 64, 128, 1024),
            "g_s": (1024, 256, 512, 3 * num_points),
        }
        analysis, synthesis = channels["g_a"], channels["g_s"]
        if analysis[-1] != synthesis[0] or synthesis[-1] != 3 * num_points:
            raise ValueError(
                f"num_channels end with {analysis[-1]} and {synthesis[-1]}; "
                f"{synthesis[0]} and {3 * num_points} (3 num_points) are needed"
            )
        self.g_a = pointnet_g_a_simple(analysis, None if groups is None else groups["g_a"])
        self.g_s = pointnet_g_s_simple(synthesis)
        self.latent_codec = EntropyBottleneckLatentCodec(channels=analysis[-1], tail_mass=_TAIL_MASS)

    def forward(self, input: Mapping[str, Tensor]) -> dict[str, Any]:
        """Restores clouds and measures their rate.

        Args:
            input: "pos", (B, P, 3), of any floating type or of whole numbers.

        Returns:
            `x_hat` (B, num_points, 3), `likelihoods` of "y" (B, C, 1), `y` and `y_hat` (B, C, 1), and
            `debug_outputs`, a mapping with "y_hat".
        """
        y = self.g_a(positions_of(input, self).transpose(1, 2))
        out = self.latent_codec(y)
        y_hat = out["y_hat"]
        return {
            "x_hat": self.g_s(y_hat),
            "likelihoods": {"y": out["likelihoods"]["y"]},
            "y": y,
            "y_hat": y_hat,
            "debug_outputs": {"y_hat": y_hat},
        }

    @coding_scope()
    @torch.no_grad()
    def compress(self, input: Mapping[str, Tensor]) -> dict[str, Any]:
        """Codes clouds.

        Args:
            input: "pos", (B, P, 3), of any floating type or of whole numbers.

        Returns:
            `strings`, a list with one list of a string for each cloud, and `shape`, (1,).

        Raises:
            ValueError: A latent is not finite, as that of a cloud that is not.
        """
        y = self.g_a(positions_of(input, self).transpose(1, 2))
        out = self.latent_codec.compress(y)
        return {"strings": out["strings"], "shape": tuple(y.shape[2:])}

    @coding_scope()
    @torch.no_grad()
    def decompress(self, strings: Sequence[Sequence[bytes]], shape: Sequence[int]) -> dict[str, Any]:
        """Restores what `compress` wrote: `x_hat` (B, num_points, 3), and `y_hat` (B, C, 1).

        Raises:
            LcrsError: A string is damaged, or was written by another model.
            ValueError: The number of strings is wrong.
        """
        check_strings(strings, 1)
        y_hat = self.latent_codec.decompress(strings, shape)["y_hat"]
        return {"x_hat": self.g_s(y_hat), "y_hat": y_hat}
