"""Residual blocks that spend few multiplications, for models that must code fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["DenseBlock", "DepthwiseBlock"]

# One slope for all blocks: small enough to act, large enough to keep gradients alive in short trainings.
_NEGATIVE_SLOPE = 0.1


class DenseBlock(nn.Module):
    """`x + conv1x1(leaky_relu(conv3x3(x)))`.

    Args:
        channels: Number of channels C in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.act = nn.LeakyReLU(_NEGATIVE_SLOPE)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same shape."""
        residual: Tensor = self.conv2(self.act(self.conv1(x)))
        return x + residual

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this block to a coding graph."""
        y = graph.call(self.conv1, x, "conv1")
        y = graph.call(self.act, y, "act")
        return graph.op("add", x, graph.call(self.conv2, y, "conv2"))


class DepthwiseBlock(nn.Module):
    """`x + conv1x1(leaky_relu(conv1x1(depthwise3x3(x))))`, with a wider middle.

    Args:
        channels: Number of channels C in and out.
        expansion: Channels of the middle, as a multiple of `channels`.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels)
        self.conv1 = nn.Conv2d(channels, expansion * channels, kernel_size=1)
        self.act = nn.LeakyReLU(_NEGATIVE_SLOPE)
        self.conv2 = nn.Conv2d(expansion * channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same shape."""
        residual: Tensor = self.conv2(self.act(self.conv1(self.depthwise(x))))
        return x + residual

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this block to a coding graph."""
        y = graph.call(self.depthwise, x, "depthwise")
        y = graph.call(self.conv1, y, "conv1")
        y = graph.call(self.act, y, "act")
        return graph.op("add", x, graph.call(self.conv2, y, "conv2"))
