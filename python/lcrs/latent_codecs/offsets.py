"""Values that lie closer to zero than their symbols say.

Kamisli, Racape and Choi, "Variable-rate learned image compression with multi-objective optimization and
quantization-reconstruction offsets", DCC 2024.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lcrs.entropy_models import GaussianConditional

__all__ = ["reconstructed"]


def reconstructed(
    symbols: Tensor,
    scales: Tensor,
    means: Tensor | None,
    scale: Tensor,
    gaussian_conditional: GaussianConditional,
    offsets: nn.Module | None,
) -> Tensor:
    """Values of `symbols` in steps of `1 / scale` around `means`.

    Args:
        symbols: Rounded numbers, any shape.
        scales: Standard deviations of the values, same shape.
        means: Same shape; None is zero.
        scale: (1,).
        gaussian_conditional: Has the least standard deviation.
        offsets: From (..., 2), standard deviation in steps and scale, to (..., 1): how much closer to zero
            values are, but for symbol 0. None is for not at all.
    """
    if offsets is not None:
        deviations = gaussian_conditional.lower_bound_scale(scales * scale)
        features = torch.stack((deviations, scale.expand_as(deviations)), dim=-1)
        amounts = offsets(features).squeeze(-1)
        symbols = symbols - torch.sign(symbols).detach() * amounts
    values = symbols / scale
    return values if means is None else values + means
