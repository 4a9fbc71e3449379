"""Short names for convolutions that models are made of."""

from __future__ import annotations

from torch import nn

__all__ = ["conv1x1", "conv3x3", "subpel_conv3x3"]


def conv3x3(in_ch: int, out_ch: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution, padded by 1: (N, in_ch, H, W) to (N, out_ch, ceil(H / stride), ceil(W / stride))."""
    return nn.Conv2d(in_ch, out_ch, kernel_size=3, stride=stride, padding=1)


def conv1x1(in_ch: int, out_ch: int, stride: int = 1) -> nn.Conv2d:
    """A 1x1 convolution: (N, in_ch, H, W) to (N, out_ch, ceil(H / stride), ceil(W / stride))."""
    return nn.Conv2d(in_ch, out_ch, kernel_size=1, stride=stride)


def subpel_conv3x3(in_ch: int, out_ch: int, r: int = 1) -> nn.Sequential:
    """A sub-pixel convolution, which enlarges `r` times: (N, in_ch, H, W) to (N, out_ch, r * H, r * W).

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network", CVPR 2016.
    """
    return nn.Sequential(conv3x3(in_ch, out_ch * r**2), nn.PixelShuffle(r))
