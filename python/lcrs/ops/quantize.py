"""Rounding that can be trained through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["quantize_ste"]


def quantize_ste(x: Tensor) -> Tensor:
    """Rounds half to even; the gradient passes as if nothing had been rounded.

    The straight-through estimator of Bengio et al., "Estimating or propagating gradients through stochastic
    neurons", 2013, as Theis et al. (ICLR 2017, section 2.1) use it for compression.

    Args:
        x: Values, any shape, floating point.

    Returns:
        Rounded values, shape and dtype of `x`. They are exact integers, where the usual `x + (round(x) - x)`
        may land one ulp beside (as it still may under TorchScript).
    """
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
        return x + (torch.round(x) - x).detach()
    rounded: Tensor = _StraightThrough.apply(x)
    return rounded


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad
