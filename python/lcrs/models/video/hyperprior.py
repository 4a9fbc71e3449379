"""The hyperprior of the video model's latents: means and scales by separate networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck, GaussianConditional
from lcrs.latent_codecs.hyperprior import decode_any
from lcrs.layers import QReLU
from lcrs.layers.exact import ExactNetwork
from lcrs.layers.foreign import coding_scope
from lcrs.layers.lowering import GraphBuilder, Value
from lcrs.models.base import CompressionModel
from lcrs.models.strings import check_strings
from lcrs.models.utils import conv, deconv
from lcrs.ops import quantize_ste

__all__ = ["LatentHyperprior", "ScaleDecoder"]

_BIT_DEPTH = 8
_BETA = 100


class ScaleDecoder(nn.Module):
    """From z to scales from 0 to 255, of 8 times its sides; `QReLU` after each of three layers."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int) -> None:
        super().__init__()
        self.deconv1 = deconv(in_channels, mid_channels)
        self.deconv2 = deconv(mid_channels, mid_channels)
        self.deconv3 = deconv(mid_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Scales (N, out_channels, 8 H, 8 W) of `x` (N, in_channels, H, W)."""
        for layer in (self.deconv1, self.deconv2, self.deconv3):
            x = QReLU.apply(layer(x), _BIT_DEPTH, _BETA)
        return x

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """The same in a coding graph."""
        for name in ("deconv1", "deconv2", "deconv3"):
            x = graph.call(getattr(self, name), x, name)
            x = graph.op("clamp", x, min=0.0, max=float(2**_BIT_DEPTH - 1))
        return x


class LatentHyperprior(CompressionModel):
    """Codes a latent as Gaussians whose means and scales are side information, at an 8th of its sides.

    .. code-block:: none

        y ──┬───────────── round ── y_hat
            │                │
      hyper_encoder       Gaussian
            │             │      │
            │           means  scales
            │             │      │
            z ── round ───┴──────┴── hyper_decoder_mean, hyper_decoder_scale
                   │
           entropy bottleneck

    Args:
        planes: Channels of y.
        mid_planes: Channels of z and inside the networks.
    """

    def __init__(self, planes: int = 192, mid_planes: int = 192) -> None:
        super().__init__()
        self.entropy_bottleneck = EntropyBottleneck(mid_planes)
        self.hyper_encoder = nn.Sequential(
            conv(planes, mid_planes), nn.ReLU(inplace=True),
            conv(mid_planes, mid_planes), nn.ReLU(inplace=True),
            conv(mid_planes, mid_planes),
        )  # fmt: skip
        self.hyper_decoder_mean = nn.Sequential(
            deconv(mid_planes, mid_planes), nn.ReLU(inplace=True),
            deconv(mid_planes, mid_planes), nn.ReLU(inplace=True),
            deconv(mid_planes, planes),
        )  # fmt: skip
        self.hyper_decoder_scale = ScaleDecoder(mid_planes, mid_planes, planes)
        self.gaussian_conditional = GaussianConditional(None)
        self._exact = {name: ExactNetwork() for name in ("hyper_decoder_mean", "hyper_decoder_scale")}

    def forward(self, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Quantises `y`, gradients passing as if nothing had been rounded, and measures its rate.

        Args:
            y: (N, planes, H, W), sides divisible by 8.

        Returns:
            The latent rounded around its means, shape of `y`; likelihoods of "y" and "z", those of y with
            noise in training.
        """
        z_hat, z_likelihoods = self.entropy_bottleneck(self.hyper_encoder(y))
        scales, means = self.hyper_decoder_scale(z_hat), self.hyper_decoder_mean(z_hat)
        _, y_likelihoods = self.gaussian_conditional(y, scales, means)
        return quantize_ste(y - means) + means, {"y": y_likelihoods, "z": z_likelihoods}

    @coding_scope()
    @torch.no_grad()
    def compress(self, y: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Codes `y`.

        Returns:
            What `decompress` will give, on the device of `y`; `strings`: [strings of y, strings of z];
            `shape`: (H, W) of z.
        """
        z = self.hyper_encoder(y)
        z_strings = self.entropy_bottleneck.compress(z)
        scales, means = self._scales_and_means(self.entropy_bottleneck.restore(z), exact=True)
        indexes = self.gaussian_conditional.build_indexes(scales)
        y_strings = self.gaussian_conditional.compress(y, indexes, means)
        y_hat = self.gaussian_conditional.restore(y, means).to(y.device)
        return y_hat, {"strings": [y_strings, z_strings], "shape": z.shape[-2:]}

    @coding_scope()
    @torch.no_grad()
    def decompress(self, strings: Sequence[Sequence[bytes]], shape: Sequence[int]) -> Tensor:
        """The latent that `compress` coded, on the model's device; CompressAI's strings too if set to "ans".

        Raises:
            LcrsError: a string is damaged or belongs to another model.
            ValueError: the number of strings is wrong.
        """
        check_strings(strings, 2)

        def decode(part: Sequence[Sequence[bytes]], exact: bool) -> dict[str, Tensor]:
            z_hat = self.entropy_bottleneck.decompress(part[1], shape)
            scales, means = self._scales_and_means(z_hat, exact)
            indexes = self.gaussian_conditional.build_indexes(scales)
            return {"y_hat": self.gaussian_conditional.decompress(part[0], indexes, means=means)}

        y_hat: Tensor = decode_any(self.entropy_bottleneck.entropy_coder, strings, decode)["y_hat"]
        return y_hat.to(self.entropy_bottleneck.quantiles.device)

    def _scales_and_means(self, z_hat: Tensor, exact: bool) -> tuple[Tensor, Tensor]:
        if not exact:
            return self.hyper_decoder_scale(z_hat), self.hyper_decoder_mean(z_hat)
        scales, means = (
            self._exact[name].run(self.get_submodule(name), z_hat, name)
            for name in ("hyper_decoder_scale", "hyper_decoder_mean")
        )
        return scales, means
