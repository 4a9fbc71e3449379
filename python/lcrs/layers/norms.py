"""Normalisation over the channels of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from lcrs.layers.torch_layers import affine

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["LayerNorm2d"]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation (Ba et al., 2016) at each position of a map.

    Args:
        num_channels: Number of channels.
        eps: Added to variances.
        elementwise_affine: Whether there are a scale and a shift for each channel.
    """

    def __init__(self, num_channels: int, eps: float = 1e-5, elementwise_affine: bool = True) -> None:
        super().__init__(num_channels, eps, elementwise_affine)

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same shape."""
        last = input.permute(0, 2, 3, 1)
        return F.layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds the normalisation to a coding graph."""
        x = graph.op("normalise", x, groups=1, spatial=False, epsilon=float(self.eps))
        return affine(graph, x, self.weight, self.bias)
