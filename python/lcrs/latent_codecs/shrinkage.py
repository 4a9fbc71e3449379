"""Values that lie closer to zero than their symbols say.

Kamisli, Racape and Choi, "Variable-rate learned image compression with multi-objective optimization and
quantization-reconstruction offsets", DCC 2024.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lcrs.layers.exact import ExactNetwork

__all__ = ["ExactShrinkage", "reconstructed"]


class ExactShrinkage:
    """A network of shrinkages, (..., 2) to (..., 1), run by the exact engine.

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
    gain: Tensor,
    bound: Callable[[Tensor], Tensor],
    shrinkage: Callable[[Tensor], Tensor] | None,
) -> Tensor:
    """Values of `symbols` in steps of `1 / gain` around `means`.

    Args:
        symbols: Rounded numbers, any shape.
        scales: Standard deviations of the values, same shape.
        means: Same shape; None is zero.
        gain: (1,).
        bound: Bounds standard deviations in steps from below.
        shrinkage: From (..., 2), standard deviation in steps and gain, to (..., 1): how much closer to zero
            values are, but for symbol 0. None is for not at all.
    """
    if shrinkage is not None:
        deviations = bound(scales * gain)
        features = torch.stack((deviations, gain.expand_as(deviations)), dim=-1)
        amounts = shrinkage(features).squeeze(-1)
        symbols = symbols - torch.sign(symbols).detach() * amounts
    values = symbols / gain
    return values if means is None else values + means
