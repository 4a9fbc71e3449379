"""A latent coded with the help of side information, the rate steered by gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lcrs.latent_codecs.base import LatentCodec
from lcrs.latent_codecs.derived import warn_of_forward
from lcrs.latent_codecs.gain.hyper import GainHyperLatentCodec
from lcrs.latent_codecs.hyperprior import HyperpriorLatentCodec, decode_any
from lcrs.layers.foreign import coding_scope
from lcrs.registry import register_module

__all__ = ["GainHyperpriorLatentCodec"]


@register_module("GainHyperpriorLatentCodec")
class GainHyperpriorLatentCodec(HyperpriorLatentCodec):
    """A codec for `y * y_gain` that is given parameters by a gained codec of side information.

    Of Cui et al., "Asymmetric gained deep image compression with continuous rate adaptation", CVPR 2021.

    .. code-block:: none

                z_gain  z_gain_inv
                   │        │
                 ┌─┴────────┴─┐
            ┌─►──┤   hyper    ├──►─┐
            │    └────────────┘    │ params
            │      y_gain          │         y_gain_inv
            │        │          ┌──┴───┐         │
        y ──┴───►────×─────►────┤  y   ├────►────×───►── y_hat
                                └──────┘

    Gains broadcast against the latents: scalars, (C, 1, 1), or (N, C, 1, 1).

    Args:
        latent_codec: The codecs "y" and "hyper". By default "y" is a `GaussianConditionalLatentCodec()` and
            "hyper" a `GainHyperLatentCodec` with `kwargs`.
        **kwargs: Arguments of the default "hyper", such as `channels`, `h_a` and `h_s`.
    """

    _default_hyper: type[LatentCodec] = GainHyperLatentCodec

    def forward(  # type: ignore[override]
        self, y: Tensor, y_gain: Tensor, z_gain: Tensor, y_gain_inv: Tensor, z_gain_inv: Tensor
    ) -> dict[str, Any]:
        """Maps `y`, (N, C, H, W), to "y_hat" of its shape and "likelihoods" of "y" and "z"."""
        hyper_out = self.hyper(y, z_gain, z_gain_inv)
        y_out = self.y(y * y_gain, hyper_out["params"])
        likelihoods = {"y": y_out["likelihoods"]["y"], "z": hyper_out["likelihoods"]["z"]}
        return {"likelihoods": likelihoods, "y_hat": y_out["y_hat"] * y_gain_inv}

    @coding_scope()
    @torch.no_grad()
    def compress(  # type: ignore[override]
        self, y: Tensor, y_gain: Tensor, z_gain: Tensor, y_gain_inv: Tensor, z_gain_inv: Tensor
    ) -> dict[str, Any]:
        """Codes `y`, (N, C, H, W); returns what `HyperpriorLatentCodec.compress` does."""
        warn_of_forward(self, y, y_gain, z_gain, y_gain_inv, z_gain_inv)
        hyper_out = self.hyper.compress(y, z_gain, z_gain_inv)
        y_out = self.y.compress(y * y_gain, hyper_out["params"])
        return {
            "strings": [*y_out["strings"], *hyper_out["strings"]],
            "shape": {"y": y_out["shape"], "hyper": hyper_out["shape"]},
            "y_hat": y_out["y_hat"] * y_gain_inv,
        }

    @coding_scope()
    @torch.no_grad()
    def decompress(  # type: ignore[override]
        self,
        strings: Sequence[Sequence[bytes]],
        shape: Mapping[str, Any],
        y_gain_inv: Tensor,
        z_gain_inv: Tensor,
        *,
        exact: bool = True,
    ) -> dict[str, Any]:
        """Decodes what `compress` wrote, with the same gains; see `HyperpriorLatentCodec.decompress`."""

        def decode(part: Sequence[Sequence[bytes]], way: bool) -> dict[str, Any]:
            options = {} if way else {"exact": False}
            hyper_out = self.hyper.decompress(part[-1:], shape["hyper"], z_gain_inv, **options)
            y_out = self.y.decompress(part[:-1], shape["y"], hyper_out["params"], **options)
            return {"y_hat": y_out["y_hat"]}

        return {"y_hat": decode_any(self.stream_kind, strings, decode, exact)["y_hat"] * y_gain_inv}
