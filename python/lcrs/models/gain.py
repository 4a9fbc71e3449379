"""Continuously variable-rate mean-scale hyperprior with gain units.

The entropy model is the mean-scale hyperprior of Minnen et al. 2018 ("Joint Autoregressive and
Hierarchical Priors for Learned Image Compression", section 3, without the context model); the rate is
steered by gain units, one vector per level and interpolated between levels, as in Cui et al. 2021
("Asymmetric Gained Deep Image Compression with Continuous Rate Adaptation", section 3.2).

Deviations: the transforms are pyramids of pixel-unshuffle and cheap residual blocks (16 kMAC a pixel),
so that a photo decodes in a fraction of a second on one CPU core; gains are log-gains, interpolated
linearly; means and scales have gains of their own; the prior of ``z`` is a Gaussian per level and channel.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from lcrs.entropy_models import GaussianConditional
from lcrs.layers.efficient import DenseBlock, DepthwiseBlock
from lcrs.layers.lowering import GraphBuilder, LoweredGraph, Value
from lcrs.models.base import CompressionModel, get_scale_table
from lcrs.ops import quantize_ste
from lcrs.registry import register_model


def down(in_channels: int, out_channels: int, factor: int) -> nn.Sequential:
    """Pixel-unshuffle by ``factor``, then a 1x1 convolution: (N, C, H, W) to (N, C', H / factor, W / factor)."""
    return nn.Sequential(nn.PixelUnshuffle(factor), nn.Conv2d(in_channels * factor**2, out_channels, 1))


def up(in_channels: int, out_channels: int, factor: int) -> nn.Sequential:
    """1x1 convolution, then pixel-shuffle by ``factor``: (N, C, H, W) to (N, C', factor * H, factor * W)."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels * factor**2, 1), nn.PixelShuffle(factor))


class LevelTable(nn.Module):
    """A learned vector per rate level, linear in between.

    Args:
        initial: values at the levels, (K, C).
    """

    def __init__(self, initial: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(initial.clone())

    def forward(self, level: Tensor) -> Tensor:
        """Values at ``level`` (N,), each from 0 to K - 1, as (N, C, 1, 1)."""
        last = self.values.shape[0] - 2
        lower = level.floor().clamp(0, last).long()
        weight = (level - lower)[:, None]
        a, b = self.values[lower], self.values[lower + 1]
        return (a + weight * (b - a))[:, :, None, None]

    def lower(self, graph: GraphBuilder) -> Value:
        """The same at the level of the run, as a (C, 1, 1) value of the coding graph."""
        return graph.op("interpolate", tensor=graph.tensor("values", self.values))


@register_model("gain-hyperprior")
class GainHyperprior(CompressionModel):
    r"""Mean-scale hyperprior whose rate is steered by one number.

    .. code-block:: none

        x ── g_a ── * gain_y ── y ──────────────┬── round(y - mean) + mean ── * inverse gain ── g_s ── x_hat
                                 │              │
                          / gain_mean     (mean, scale)
                                 │              │
                                h_a        * gain_mean, * gain_scale
                                 │              │
                              * gain_z         h_s
                                 │              │
                                 └── z ── round ── / gain_z

    Args:
        C1: channels at a quarter of the picture's size.
        C2: channels at an eighth.
        M: channels of ``y``, at a sixteenth.
        H: channels inside the hyper transforms.
        Z: channels of ``z``, at a sixty-fourth.
        num_levels: number of rate levels K that gains are learned for.
        lmbda_min: Lagrangian weight of 255^2 MSE at level 0.
        lmbda_max: the same at level K - 1; levels between are spaced logarithmically.
    """

    def __init__(
        self,
        C1: int = 64,
        C2: int = 128,
        M: int = 256,
        H: int = 96,
        Z: int = 48,
        *,
        num_levels: int = 8,
        lmbda_min: float = 0.001,
        lmbda_max: float = 0.065,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"C1": C1, "C2": C2, "M": M, "H": H, "Z": Z, "num_levels": num_levels}
        self.config |= {"lmbda_min": lmbda_min, "lmbda_max": lmbda_max}
        self.M = M
        self.num_levels = num_levels
        self.g_a = nn.Sequential(
            down(3, C1, 4), DenseBlock(C1), DenseBlock(C1),
            down(C1, C2, 2), DenseBlock(C2), DenseBlock(C2),
            down(C2, M, 2), DepthwiseBlock(M), DepthwiseBlock(M),
        )  # fmt: skip
        self.g_s = nn.Sequential(
            DepthwiseBlock(M), DepthwiseBlock(M), up(M, C2, 2),
            DenseBlock(C2), DenseBlock(C2), up(C2, C1, 2),
            DenseBlock(C1), DenseBlock(C1), up(C1, 3, 4),
        )  # fmt: skip
        self.h_a = nn.Sequential(
            nn.Conv2d(M, H, 3, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(H, H, 5, stride=2, padding=2), nn.LeakyReLU(0.1),
            nn.Conv2d(H, Z, 5, stride=2, padding=2),
        )  # fmt: skip
        self.h_s = nn.Sequential(
            up(Z, H, 2), nn.LeakyReLU(0.1),
            nn.Conv2d(H, H, 3, padding=1), nn.LeakyReLU(0.1),
            up(H, H, 2), nn.LeakyReLU(0.1),
            nn.Conv2d(H, 2 * M, 1),
        )  # fmt: skip
        # A step of quantisation that suits lambda goes with lambda^-1/2 (high-rate theory), hence the slope 1/2 of
        # the log-gains of y; z carries side information, whose step changes half as fast.
        log_lmbda = torch.linspace(math.log(lmbda_min), math.log(lmbda_max), num_levels)
        self.register_buffer("log_lmbda", log_lmbda, persistent=False)
        slope = 0.5 * (log_lmbda - log_lmbda.mean())[:, None]
        self.y_log_gain = LevelTable(slope.repeat(1, M) + math.log(4.0))
        self.y_log_gain_inv = LevelTable(-slope.repeat(1, M) - math.log(4.0))
        self.means_log_gain = LevelTable(slope.repeat(1, M))
        self.scales_log_gain = LevelTable(slope.repeat(1, M))
        self.z_log_gain = LevelTable(0.5 * slope.repeat(1, Z))
        self.z_log_scale = LevelTable(torch.full((num_levels, Z), math.log(2.0)))
        self.z_mean = LevelTable(torch.zeros(num_levels, Z))
        self.gaussian_conditional = GaussianConditional(get_scale_table())

    def level_of(self, quality: float) -> float:
        """The level, 0 to K - 1, that stands for a quality from 0 to 100.

        Raises:
            ValueError: if the quality is outside 0..100.
        """
        if not 0 <= quality <= 100:
            raise ValueError(f"quality {quality} is outside 0..100")
        return quality / 100 * (self.num_levels - 1)

    def lmbda(self, level: Tensor) -> Tensor:
        """Lagrangian weight of 255^2 MSE at ``level`` (N,), each from 0 to K - 1."""
        first, last = self.log_lmbda[0], self.log_lmbda[-1]
        return torch.exp(first + level / (self.num_levels - 1) * (last - first))

    def _likelihoods(self, values: Tensor, scales: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """Rounded values around the means (straight-through) and likelihoods, noisy ones in training."""
        _, likelihoods = self.gaussian_conditional(values, scales, means=means)
        return quantize_ste(values - means) + means, likelihoods

    def forward(self, x: Tensor, level: Tensor) -> dict[str, Any]:
        """Restores pictures at given rate levels.

        Args:
            x: pictures in [0, 1], (N, 3, H, W); H and W multiples of 64.
            level: rate levels, (N,), each from 0 to ``num_levels - 1``.

        Returns:
            ``x_hat`` (N, 3, H, W) and ``likelihoods`` of ``y`` (N, M, H / 16, W / 16) and ``z`` (N, Z, H / 64, W / 64).
        """
        means_gain = torch.exp(self.means_log_gain(level))
        z_gain = torch.exp(self.z_log_gain(level))
        y = self.g_a(x - 0.5) * torch.exp(self.y_log_gain(level))
        z = self.h_a(y / means_gain) * z_gain
        z_means = self.z_mean(level).expand_as(z)
        z_hat, z_likelihoods = self._likelihoods(z, torch.exp(self.z_log_scale(level)).expand_as(z), z_means)
        means, log_scales = self.h_s(z_hat / z_gain).chunk(2, 1)
        # exp(-8..8) covers the table of scales; the clamp keeps early training finite.
        scales = torch.exp((log_scales + self.scales_log_gain(level)).clamp(-8, 8))
        y_hat, y_likelihoods = self._likelihoods(y, scales, means * means_gain)
        x_hat = self.g_s(y_hat * torch.exp(self.y_log_gain_inv(level))) + 0.5
        return {"x_hat": x_hat, "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}
