"""Generalised divisive normalisation.

Balle, Laparra and Simoncelli, "Density modeling of images using a generalized normalization transformation",
ICLR 2016; the L1 form is from Johnston et al., "Computationally efficient neural image compression", 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs.ops.parametrizers import NonNegativeParametrizer

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["GDN", "GDN1"]


class GDN(nn.Module):
    r"""Divides every channel by a norm over all channels at the same place.

    .. math:: y_i = \frac{x_i}{\sqrt{\beta_i + \sum_j \gamma_{ij} x_j^2}}

    and with `inverse` multiplies by that norm. `beta` and `gamma` are trained in the square-root domain
    (`NonNegativeParametrizer`); `effective_parameters` returns their values.

    Args:
        in_channels: Number of channels C.
        inverse: Multiplies instead of divides.
        beta_min: The smallest `beta`.
        gamma_init: What `gamma`'s diagonal starts from; the rest starts from zero.
    """

    _lowered_op = "gdn"

    def __init__(
        self, in_channels: int, inverse: bool = False, beta_min: float = 1e-6, gamma_init: float = 0.1
    ) -> None:
        super().__init__()
        self.inverse = bool(inverse)
        self.beta_reparam = NonNegativeParametrizer(minimum=float(beta_min))
        self.beta = nn.Parameter(self.beta_reparam.init(torch.ones(in_channels)))
        self.gamma_reparam = NonNegativeParametrizer()
        self.gamma = nn.Parameter(self.gamma_reparam.init(float(gamma_init) * torch.eye(in_channels)))

    def effective_parameters(self) -> tuple[Tensor, Tensor]:
        """The values of `beta`, shape (C,), and `gamma`, shape (C, C) as (output, input)."""
        return self.beta_reparam(self.beta), self.gamma_reparam(self.gamma)

    def _norm(self, pooled: Tensor) -> Tensor:
        """`beta + gamma @ pooled` over channels."""
        beta, gamma = self.effective_parameters()
        return F.conv2d(pooled, gamma.unsqueeze(-1).unsqueeze(-1), beta)

    def forward(self, x: Tensor) -> Tensor:
        """Normalises `x`, shape (N, C, H, W); the result has the same shape."""
        norm = self._norm(x * x)
        return x * (torch.sqrt(norm) if self.inverse else torch.rsqrt(norm))

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this layer, with its effective parameters, to a coding graph."""
        beta, gamma = self.effective_parameters()
        return graph.op(
            self._lowered_op,
            x,
            beta=graph.tensor("beta", beta),
            gamma=graph.tensor("gamma", gamma),
            inverse=self.inverse,
        )

    def extra_repr(self) -> str:
        """Channels and direction, for printing."""
        return f"{self.beta.shape[0]}, inverse={self.inverse}"


class GDN1(GDN):
    r"""`GDN` with an L1 norm, which needs no root.

    .. math:: y_i = \frac{x_i}{\beta_i + \sum_j \gamma_{ij} |x_j|}

    and with `inverse` multiplies by that norm. Arguments and parameters are those of `GDN`.
    """

    _lowered_op = "gdn1"

    def forward(self, x: Tensor) -> Tensor:
        """Normalises `x`, shape (N, C, H, W); the result has the same shape."""
        norm = self._norm(torch.abs(x))
        return x * norm if self.inverse else x / norm

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this layer, with its effective parameters, to a coding graph."""
        return super().lower(graph, x)
