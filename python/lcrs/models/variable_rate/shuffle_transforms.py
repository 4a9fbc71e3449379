"""Transforms that resample by pixel shuffles, and the hyper transforms that go with them."""

from __future__ import annotations

from torch import nn

__all__ = ["down", "hyper_analysis", "hyper_synthesis", "up"]


def down(in_channels: int, out_channels: int, factor: int) -> nn.Sequential:
    """Pixel-unshuffle by `factor`, then a 1x1 convolution: (N, C, H, W) to (N, C', H / f, W / f)."""
    return nn.Sequential(nn.PixelUnshuffle(factor), nn.Conv2d(in_channels * factor**2, out_channels, 1))


def up(in_channels: int, out_channels: int, factor: int) -> nn.Sequential:
    """1x1 convolution, then pixel-shuffle by `factor`: (N, C, H, W) to (N, C', f * H, f * W)."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels * factor**2, 1), nn.PixelShuffle(factor))


def hyper_analysis(M: int, H: int, Z: int) -> nn.Sequential:
    """From y, M channels, to z, Z channels at a quarter of its sides, rounded up."""
    return nn.Sequential(
        nn.Conv2d(M, H, 3, padding=1), nn.LeakyReLU(0.1),
        nn.Conv2d(H, H, 5, stride=2, padding=2), nn.LeakyReLU(0.1),
        nn.Conv2d(H, Z, 5, stride=2, padding=2),
    )  # fmt: skip


def hyper_synthesis(Z: int, H: int, out_channels: int) -> nn.Sequential:
    """From z, Z channels, to side information at four times its sides."""
    return nn.Sequential(
        up(Z, H, 2), nn.LeakyReLU(0.1),
        nn.Conv2d(H, H, 3, padding=1), nn.LeakyReLU(0.1),
        up(H, H, 2), nn.LeakyReLU(0.1),
        nn.Conv2d(H, out_channels, 1),
    )  # fmt: skip
