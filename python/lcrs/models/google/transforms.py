"""Transforms that several of the models share. M: channels of y; N: channels elsewhere."""

from __future__ import annotations

from torch import nn

from lcrs.layers import GDN
from lcrs.models.utils import conv, deconv

__all__ = ["analysis", "mean_scale_hyper_analysis", "mean_scale_hyper_synthesis", "synthesis"]


def analysis(N: int, M: int) -> nn.Sequential:
    """Pictures to y, at a 16th of their sides."""
    return nn.Sequential(
        conv(3, N), GDN(N),
        conv(N, N), GDN(N),
        conv(N, N), GDN(N),
        conv(N, M),
    )  # fmt: skip


def synthesis(N: int, M: int) -> nn.Sequential:
    """From y to pictures, of 16 times its sides."""
    return nn.Sequential(
        deconv(M, N), GDN(N, inverse=True),
        deconv(N, N), GDN(N, inverse=True),
        deconv(N, N), GDN(N, inverse=True),
        deconv(N, 3),
    )  # fmt: skip


def mean_scale_hyper_analysis(N: int, M: int) -> nn.Sequential:
    """From y to z, at a quarter of its sides."""
    return nn.Sequential(
        conv(M, N, stride=1, kernel_size=3), nn.LeakyReLU(inplace=True),
        conv(N, N), nn.LeakyReLU(inplace=True),
        conv(N, N),
    )  # fmt: skip


def mean_scale_hyper_synthesis(N: int, M: int) -> nn.Sequential:
    """From z to 2 M channels (scales, then means), of 4 times its sides."""
    return nn.Sequential(
        deconv(N, M), nn.LeakyReLU(inplace=True),
        deconv(M, M * 3 // 2), nn.LeakyReLU(inplace=True),
        conv(M * 3 // 2, M * 2, stride=1, kernel_size=3),
    )  # fmt: skip
