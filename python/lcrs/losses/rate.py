"""How many bits likelihoods stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["compute_rate_loss", "num_bits"]


def num_bits(likelihoods: Tensor) -> Tensor:
    """The ideal code length in bits of symbols with these likelihoods: a scalar, float32 at least.

    Args:
        likelihoods: In (0, 1], any shape.
    """
    precise = likelihoods.to(torch.promote_types(likelihoods.dtype, torch.float32))
    return torch.log(precise).sum() / -math.log(2)


def compute_rate_loss(
    likelihoods: Mapping[str, Tensor], batch_size: int, bit_per_bpp: float
) -> dict[str, Tensor]:
    """Rates of each latent and of all, both as bits and as bits a unit.

    Args:
        likelihoods: For each latent, its likelihoods in (0, 1], any shape.
        batch_size: Number of items that the likelihoods are of.
        bit_per_bpp: Units in an item, such as pixels or points.

    Returns:
        For each latent `name` "bit_{name}_loss" (bits an item) and "bpp_{name}_loss" (bits a unit), and their
        sums "bit_loss" and "bpp_loss".
    """
    if not likelihoods:
        raise ValueError("there are no likelihoods to compute a rate from")
    bits = {name: num_bits(values) / batch_size for name, values in likelihoods.items()}
    out: dict[str, Tensor] = {}
    for name, value in bits.items():
        out[f"bit_{name}_loss"] = value
        out[f"bpp_{name}_loss"] = value / bit_per_bpp
    out["bit_loss"] = torch.stack(list(bits.values())).sum()
    out["bpp_loss"] = out["bit_loss"] / bit_per_bpp
    return out
