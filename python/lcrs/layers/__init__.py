"""Layers of learned codecs. Each says with `lower(graph, x)` what it is in a coding graph."""

from lcrs import needs_torch  # noqa: F401

# CompressAI's users import these from here.
from lcrs.layers import layers  # noqa: F401
from lcrs.layers.attention import AttentionBlock
from lcrs.layers.basic import Gain, Interleave, Lambda, NamedLayer, Reshape, Transpose
from lcrs.layers.convolutions import conv1x1, conv3x3, subpel_conv3x3
from lcrs.layers.efficient import DenseBlock, DepthwiseBlock
from lcrs.layers.gdn import GDN, GDN1
from lcrs.layers.masked import CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.layers.norms import LayerNorm2d
from lcrs.layers.qrelu import QReLU
from lcrs.layers.ramp import sequential_channel_ramp
from lcrs.layers.residual import (
    ResidualBlock,
    ResidualBlockUpsample,
    ResidualBlockWithStride,
    ResidualBottleneckBlock,
)
from lcrs.layers.spectral import SpectralConv2d, SpectralConvTranspose2d
from lcrs.layers.windows import Mlp, SwinBlock, WindowAttention

__all__ = [
    "GDN",
    "GDN1",
    "AttentionBlock",
    "CheckerboardMaskedConv2d",
    "DenseBlock",
    "DepthwiseBlock",
    "Gain",
    "Interleave",
    "Lambda",
    "LayerNorm2d",
    "MaskedConv2d",
    "Mlp",
    "NamedLayer",
    "QReLU",
    "Reshape",
    "ResidualBlock",
    "ResidualBlockUpsample",
    "ResidualBlockWithStride",
    "ResidualBottleneckBlock",
    "SpectralConv2d",
    "SpectralConvTranspose2d",
    "SwinBlock",
    "Transpose",
    "WindowAttention",
    "conv1x1",
    "conv3x3",
    "sequential_channel_ramp",
    "subpel_conv3x3",
]
