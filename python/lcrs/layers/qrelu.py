"""Rectification for networks that compute in integers of a fixed width."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

__all__ = ["QReLU"]


class QReLU(torch.autograd.Function):
    r"""Clamps to `[0, 2**bit_depth - 1]`, with a gradient that fades outside instead of vanishing.

    Balle, Johnston and Minnen, "Integer networks for data compression with latent-variable models", ICLR
    2019, equation 8. Outside the range the gradient is scaled by :math:`\exp(-\alpha^\beta |2x / (2^b - 1) -
    1|^\beta)`, with :math:`\alpha = \Gamma(1 + 1 / \beta)`. CompressAI fixes :math:`\alpha` at its value for
    :math:`\beta = 100`.

    Example:
        >>> QReLU.apply(torch.tensor([-3.0, 7.5, 300.0]), 8, 100)
        tensor([  0.0000,   7.5000, 255.0000])
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, bit_depth: int, beta: float) -> Tensor:
        """Clamps `input`, any shape.

        Args:
            ctx: Autograd's context.
            input: Values, any shape, floating point; integers by convention, but nothing is rounded here.
            bit_depth: Width of the range in bits.
            beta: Sharpness of the gradient's edge.
        """
        ctx.beta = beta
        ctx.max_value = 2**bit_depth - 1
        ctx.save_for_backward(input)
        return input.clamp(min=0, max=ctx.max_value)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        """Passes the gradient inside the range, and fades it outside."""
        (x,) = ctx.saved_tensors
        alpha = math.gamma(1 + 1 / ctx.beta)
        fade = torch.exp(-((alpha * (2 * x / ctx.max_value - 1).abs()) ** ctx.beta))
        inside = (x >= 0) & (x <= ctx.max_value)
        return torch.where(inside, grad_output, fade * grad_output), None, None
