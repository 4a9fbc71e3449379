"""Weighted sums of a loss's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["weighted_sum"]


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, Any]) -> Tensor:
    """The sum of the terms "{name}_loss" by the weights of their names; names without a term are left out."""
    parts = [weight * terms[f"{name}_loss"] for name, weight in weights.items() if f"{name}_loss" in terms]
    if not parts:
        raise ValueError(f"the weights are of {sorted(weights)}, the terms are {sorted(terms)}")
    return torch.stack([part.reshape(()) for part in parts]).sum()
