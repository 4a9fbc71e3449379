"""Reparametrisation that keeps a trained parameter non-negative."""

import torch
from torch import Tensor, nn

from lcrs.ops.bound_ops import LowerBound

__all__ = ["NonNegativeParametrizer"]


class NonNegativeParametrizer(nn.Module):
    """Stores a non-negative value as its square root, which makes descent near zero stable.

    The value is `max(p, bound)**2 - pedestal` for the stored parameter `p`, where `pedestal` is
    `reparam_offset**2` and `bound` is `sqrt(minimum + pedestal)` (Balle, "Efficient nonlinear transforms for
    lossy image compression", PCS 2018, section 2).

    Args:
        minimum: The smallest value, not negative.
        reparam_offset: Keeps the gradient from vanishing at zero.

    Raises:
        ValueError: `minimum` is negative.
    """

    pedestal: Tensor

    def __init__(self, minimum: float = 0, reparam_offset: float = 2**-18) -> None:
        super().__init__()
        self.minimum = float(minimum)
        self.reparam_offset = float(reparam_offset)
        if self.minimum < 0:
            raise ValueError(f"minimum is {self.minimum}; it must not be negative")
        pedestal = self.reparam_offset**2
        self.register_buffer("pedestal", torch.tensor([pedestal]))
        self.lower_bound = LowerBound((self.minimum + pedestal) ** 0.5)

    def init(self, x: Tensor) -> Tensor:
        """Returns the parameter to store for the value `x`; any shape, negative values count as zero."""
        return torch.sqrt(torch.max(x + self.pedestal, self.pedestal))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the value of the stored parameter `x`; any shape."""
        bounded: Tensor = self.lower_bound(x)
        return bounded * bounded - self.pedestal
