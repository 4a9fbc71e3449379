"""CompressAI's path for most layers."""

from lcrs.layers.attention import AttentionBlock
from lcrs.layers.convolutions import conv1x1, conv3x3, subpel_conv3x3
from lcrs.layers.gdn import GDN
from lcrs.layers.masked import CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.layers.qrelu import QReLU
from lcrs.layers.ramp import sequential_channel_ramp
from lcrs.layers.residual import ResidualBlock, ResidualBlockUpsample, ResidualBlockWithStride
from lcrs.layers.spectral import SpectralConv2d, SpectralConvTranspose2d

__all__ = [
    "GDN",
    "AttentionBlock",
    "CheckerboardMaskedConv2d",
    "MaskedConv2d",
    "QReLU",
    "ResidualBlock",
    "ResidualBlockUpsample",
    "ResidualBlockWithStride",
    "SpectralConv2d",
    "SpectralConvTranspose2d",
    "conv1x1",
    "conv3x3",
    "sequential_channel_ramp",
    "subpel_conv3x3",
]
