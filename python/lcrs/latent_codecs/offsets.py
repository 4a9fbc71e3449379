"""Values that lie closer to zero than their symbols say.

Kamisli, Racape and Choi, "Variable-rate learned image compression with multi-objective optimization and
quantization-reconstruction offsets", DCC 2024.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lcrs.layers.exact import ExactNetwork

__all__ = ["ExactOffsets", "reconstructed"]


class ExactOffsets:
    """A network of offsets, (..., 2) to (..., 1), run by the exact engine.

    Gives float32 on the CPU, without gradient.

    Args:
        runner: Keeps the network in the engine's form.
        network: A stack of linear layers.
    """

    def __init__(self, runner: ExactNetwork, network: nn.Module) -> None:
        self.runner, self.network = runner, network

    def __call__(self, features: Tensor) -> Tensor:
        """Applies the network to `features`, (..., 2)."""
        by_channel = features.reshape(1, 1, -1, 2).permute(0, 3, 1, 2)
        if not by_channel.numel():
            return features[..., :1]
        return self.runner.run(self.network, by_channel, "offsets", features_last=True).reshape(
            *features.shape[:-1], 1
        )


def reconstructed(
    symbols: Tensor,
    scales: Tensor,
    means: Tensor | None,
    scale: Tensor,
    bound: Callable[[Tensor], Tensor],
    offsets: Callable[[Tensor], Tensor] | None,
) -> Tensor:
    """Values of `symbols` in steps of `1 / scale` around `means`.

    Args:
        symbols: Rounded numbers, any shape.
        scales: Standard deviations of the values, same shape.
        means: Same shape; None is zero.
        scale: (1,).
        bound: Bounds standard deviations in steps from below.
        offsets: From (..., 2), standard deviation in steps and scale, to (..., 1): how much closer to zero
            values are, but for symbol 0. None is for not at all.
    """
    if offsets is not None:
        deviations = bound(scales * scale)
        features = torch.stack((deviations, scale.expand_as(deviations)), dim=-1)
        amounts = offsets(features).squeeze(-1)
        symbols = symbols - torch.sign(symbols).detach() * amounts
    values = symbols / scale
    return values if means is None else values + means
