"""Convolutions that halve and double, with the paddings that the models share; and CompressAI's helpers."""

from __future__ import annotations

from torch import nn

from lcrs.models.buffers import find_named_buffer, find_named_module, update_registered_buffers
from lcrs.models.buffers import update_registered_buffer as _update_registered_buffer
from lcrs.models.old_keys import remap_old_keys
from lcrs.models.scale_space import gaussian_blur, gaussian_kernel1d, gaussian_kernel2d, meshgrid2d

__all__ = [
    "_update_registered_buffer",
    "conv",
    "deconv",
    "find_named_buffer",
    "find_named_module",
    "gaussian_blur",
    "gaussian_kernel1d",
    "gaussian_kernel2d",
    "meshgrid2d",
    "remap_old_keys",
    "update_registered_buffers",
]


def conv(in_channels: int, out_channels: int, kernel_size: int = 5, stride: int = 2) -> nn.Conv2d:
    """Convolution with padding k // 2: (N, C, H, W) to (N, C', ceil(H / stride), ceil(W / stride))."""
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2)


def deconv(in_channels: int, out_channels: int, kernel_size: int = 5, stride: int = 2) -> nn.ConvTranspose2d:
    """Transposed convolution: (N, C, H, W) to (N, C', stride * H, stride * W)."""
    return nn.ConvTranspose2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        output_padding=stride - 1,
    )
