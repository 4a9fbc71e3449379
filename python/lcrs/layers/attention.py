"""Attention as a gate, without any matrix of similarities.

The simplified attention module of Cheng et al., "Learned image compression with discretized Gaussian mixture
likelihoods and attention modules", CVPR 2020, section 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lcrs.layers.convolutions import conv1x1, conv3x3

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["AttentionBlock", "ResidualUnit"]


class ResidualUnit(nn.Module):
    """`relu(conv1x1(relu(conv3x3(relu(conv1x1(x))))) + x)`, with half the channels in the middle.

    Args:
        N: Number of channels in and out.
    """

    def __init__(self, N: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            conv1x1(N, N // 2),
            nn.ReLU(inplace=True),
            conv3x3(N // 2, N // 2),
            nn.ReLU(inplace=True),
            conv1x1(N // 2, N),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same shape."""
        y: Tensor = self.relu(self.conv(x) + x)
        return y

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this unit to a coding graph."""
        y = graph.op("add", graph.call(self.conv, x, "conv"), x)
        return graph.call(self.relu, y, "relu")


class AttentionBlock(nn.Module):
    """`a(x) * sigmoid(b(x)) + x`: a branch of residual units, gated by another.

    Args:
        N: Number of channels in and out.
    """

    def __init__(self, N: int) -> None:
        super().__init__()
        self.conv_a = nn.Sequential(*(ResidualUnit(N) for _ in range(3)))
        self.conv_b = nn.Sequential(*(ResidualUnit(N) for _ in range(3)), conv1x1(N, N))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same shape."""
        a: Tensor = self.conv_a(x)
        return a * torch.sigmoid(self.conv_b(x)) + x

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this block to a coding graph."""
        a = graph.call(self.conv_a, x, "conv_a")
        gate = graph.op("sigmoid", graph.call(self.conv_b, x, "conv_b"))
        return graph.op("add", graph.op("mul", a, gate), x)
