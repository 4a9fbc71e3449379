"""Side information whose precision is steered by a gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lcrs import coding
from lcrs.latent_codecs.base import single
from lcrs.latent_codecs.entropy_bottleneck import decode_bottleneck, encode_bottleneck
from lcrs.latent_codecs.hyper import HyperLatentCodec
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.layers.lowering import GraphBuilder
from lcrs.registry import register_module

__all__ = ["GainHyperLatentCodec"]


@register_module("GainHyperLatentCodec")
class GainHyperLatentCodec(HyperLatentCodec):
    """The side-information branch of a gained hyperprior; a part of `GainHyperpriorLatentCodec`.

    Of Cui et al., "Asymmetric gained deep image compression with continuous rate adaptation", CVPR 2021.

    .. code-block:: none

                       gain                     gain_inv
                        │                          │
               ┌───┐  z │   ┌───┐ z_hat      z_hat │  ┌───┐
        y ──►──┤h_a├──►─×─►─┤ Q ├───►───····───►───×──┤h_s├──►── params
               └───┘        └───┘        EB           └───┘

    Gains broadcast against `z`: scalars, (C, 1, 1), or (N, C, 1, 1). Arguments are those of
    `HyperLatentCodec`.
    """

    def forward(self, y: Tensor, gain: Tensor, gain_inv: Tensor) -> dict[str, Any]:  # type: ignore[override]
        """Parameters from `y`, (N, C, H, W).

        Returns:
            "params", "likelihoods" with "z", and "y_hat", which is `z_hat` with `gain_inv` applied.
        """
        z_hat, z_likelihoods = self._quantized(self.h_a(y) * gain)
        z_hat = z_hat * gain_inv
        return {"likelihoods": {"z": z_likelihoods}, "params": self.h_s(z_hat), "y_hat": z_hat}

    def encode(  # type: ignore[override]
        self, writer: SymbolWriter, y: Tensor, gain: Tensor, gain_inv: Tensor
    ) -> dict[str, Any]:
        """Writes `z * gain`; returns the spatial size of `z` as "shape", exact "params", and "y_hat"."""
        z = self._fast_network("h_a", y) * gain
        z_hat = _product(encode_bottleneck(writer, self._bottleneck, z), gain_inv)
        return {"shape": z.shape[2:], "params": self._network("h_s", z_hat), "y_hat": z_hat}

    def decode(  # type: ignore[override]
        self, reader: SymbolReader, shape: Sequence[int], gain_inv: Tensor
    ) -> dict[str, Any]:
        """Reads `z * gain`; returns "params" and "y_hat"."""
        z_hat = _product(decode_bottleneck(reader, self._bottleneck, shape), gain_inv)
        return {"params": self._network("h_s", z_hat, reader.exact), "y_hat": z_hat}


def _product(z_hat: Tensor, gain: Tensor | float) -> Tensor:
    """`z_hat * gain` on the exact engine, which torch's way with tiny numbers does not touch."""
    gains = single(torch.as_tensor(gain)).expand_as(z_hat).contiguous()
    graph = GraphBuilder()
    lowered = graph.finish({"y": graph.op("mul", graph.input("z_hat"), graph.input("gain"))})
    product = coding.Graph(lowered.json, lowered.tensors).run([z_hat.contiguous().numpy(), gains.numpy()])
    return torch.from_numpy(product["y"])
