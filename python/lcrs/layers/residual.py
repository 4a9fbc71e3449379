"""Residual blocks.

The first three are those of Cheng et al., "Learned image compression with discretized Gaussian mixture
likelihoods and attention modules", CVPR 2020, figure 4; the bottleneck is that of He et al., "ELIC", CVPR
2022, figure 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from lcrs.layers.convolutions import conv1x1, conv3x3, subpel_conv3x3
from lcrs.layers.gdn import GDN

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["ResidualBlock", "ResidualBlockUpsample", "ResidualBlockWithStride", "ResidualBottleneckBlock"]


class ResidualBlock(nn.Module):
    """`leaky_relu(conv3x3(leaky_relu(conv3x3(x)))) + skip(x)`.

    Args:
        in_ch: Number of input channels.
        out_ch: Number of output channels; where it differs, the skip is a 1x1 convolution.
    """

    def __init__(self, in_ch: int, out_ch: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_ch, out_ch)
        self.leaky_relu = nn.LeakyReLU(inplace=True)
        self.conv2 = conv3x3(out_ch, out_ch)
        self.skip = None if in_ch == out_ch else conv1x1(in_ch, out_ch)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, in_ch, H, W) to (N, out_ch, H, W)."""
        y: Tensor = self.leaky_relu(self.conv1(x))
        y = self.leaky_relu(self.conv2(y))
        return y + (x if self.skip is None else self.skip(x))

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this block to a coding graph."""
        y = graph.call(self.conv1, x, "conv1")
        y = graph.call(self.leaky_relu, y, "leaky_relu")
        y = graph.call(self.conv2, y, "conv2")
        y = graph.call(self.leaky_relu, y, "leaky_relu")
        return graph.op("add", y, x if self.skip is None else graph.call(self.skip, x, "skip"))


class ResidualBlockWithStride(nn.Module):
    """`gdn(conv3x3(leaky_relu(conv3x3(x)))) + skip(x)`, the first convolution with a stride.

    Args:
        in_ch: Number of input channels.
        out_ch: Number of output channels.
        stride: Stride of the first convolution and of the skip, which is a 1x1 convolution unless neither
            size nor channels change.
    """

    def __init__(self, in_ch: int, out_ch: int, stride: int = 2) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_ch, out_ch, stride=stride)
        self.leaky_relu = nn.LeakyReLU(inplace=True)
        self.conv2 = conv3x3(out_ch, out_ch)
        self.gdn = GDN(out_ch)
        self.skip = None if stride == 1 and in_ch == out_ch else conv1x1(in_ch, out_ch, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, in_ch, H, W) to (N, out_ch, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.gdn(self.conv2(self.leaky_relu(self.conv1(x))))
        return y + (x if self.skip is None else self.skip(x))

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this block to a coding graph."""
        y = graph.call(self.conv1, x, "conv1")
        y = graph.call(self.leaky_relu, y, "leaky_relu")
        y = graph.call(self.conv2, y, "conv2")
        y = graph.call(self.gdn, y, "gdn")
        return graph.op("add", y, x if self.skip is None else graph.call(self.skip, x, "skip"))


class ResidualBlockUpsample(nn.Module):
    """`igdn(conv3x3(leaky_relu(subpel_conv3x3(x)))) + subpel_conv3x3(x)`.

    Args:
        in_ch: Number of input channels.
        out_ch: Number of output channels.
        upsample: Factor by which height and width grow.
    """

    def __init__(self, in_ch: int, out_ch: int, upsample: int = 2) -> None:
        super().__init__()
        self.subpel_conv = subpel_conv3x3(in_ch, out_ch, upsample)
        self.leaky_relu = nn.LeakyReLU(inplace=True)
        self.conv = conv3x3(out_ch, out_ch)
        self.igdn = GDN(out_ch, inverse=True)
        self.upsample = subpel_conv3x3(in_ch, out_ch, upsample)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, in_ch, H, W) to (N, out_ch, upsample * H, upsample * W)."""
        y: Tensor = self.igdn(self.conv(self.leaky_relu(self.subpel_conv(x))))
        skip: Tensor = self.upsample(x)
        return y + skip

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this block to a coding graph."""
        y = graph.call(self.subpel_conv, x, "subpel_conv")
        y = graph.call(self.leaky_relu, y, "leaky_relu")
        y = graph.call(self.conv, y, "conv")
        y = graph.call(self.igdn, y, "igdn")
        return graph.op("add", y, graph.call(self.upsample, x, "upsample"))


class ResidualBottleneckBlock(nn.Module):
    """`conv1x1(relu(conv3x3(relu(conv1x1(x))))) + skip(x)`, with half the channels in the middle.

    Args:
        in_ch: Number of input channels.
        out_ch: Number of output channels; where it differs, the skip is a 1x1 convolution.
    """

    def __init__(self, in_ch: int, out_ch: int) -> None:
        super().__init__()
        mid_ch = min(in_ch, out_ch) // 2
        self.conv1 = conv1x1(in_ch, mid_ch)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(mid_ch, mid_ch)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = conv1x1(mid_ch, out_ch)
        self.skip = nn.Identity() if in_ch == out_ch else conv1x1(in_ch, out_ch)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, in_ch, H, W) to (N, out_ch, H, W)."""
        y: Tensor = self.relu1(self.conv1(x))
        y = self.conv3(self.relu2(self.conv2(y)))
        skip: Tensor = self.skip(x)
        return y + skip

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this block to a coding graph."""
        y = x
        for name in ("conv1", "relu1", "conv2", "relu2", "conv3"):
            y = graph.call(getattr(self, name), y, name)
        return graph.op("add", y, graph.call(self.skip, x, "skip"))
