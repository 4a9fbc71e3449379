"""PSNR, SSIM and MS-SSIM of tensors in torch: one number a picture, differentiable, on their device."""

from __future__ import annotations

from lcrs import needs_torch  # noqa: F401  # isort: skip

import torch
import torch.nn.functional as F
from torch import Tensor

from lcrs.metrics.structural import K1, K2, WEIGHTS, WINDOW, taps

__all__ = ["ms_ssim", "psnr", "ssim"]


def psnr(a: Tensor, b: Tensor, peak: float = 1.0) -> Tensor:
    """The peak signal-to-noise ratio of each picture.

    Args:
        a: (N, C, H, W), floats.
        b: Of the same shape.
        peak: The largest value that there may be.

    Returns:
        (N,), in decibels; infinite where nothing differs.
    """
    mse = ((a - b) ** 2).flatten(1).mean(dim=1)
    return 10 * torch.log10(peak**2 / mse)


def ssim(a: Tensor, b: Tensor, peak: float = 1.0) -> Tensor:
    """The structural similarity of each picture, as `lcrs.metrics.ssim`: (N,)."""
    return _parts(a / peak, b / peak)[0].mean(dim=1)


def ms_ssim(a: Tensor, b: Tensor, peak: float = 1.0) -> Tensor:
    """The multi-scale structural similarity of each picture, as `lcrs.metrics.ms_ssim`: (N,).

    Raises:
        ValueError: a side is shorter than `lcrs.metrics.MIN_SIDE_MS_SSIM`.
    """
    least = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1
    if min(a.shape[-2:]) < least:
        msg = f"the shape is {tuple(a.shape)}, sides from {least} on are needed"
        raise ValueError(msg)
    a, b = a / peak, b / peak
    product = torch.ones(a.shape[:2], dtype=a.dtype, device=a.device)
    for scale, weight in enumerate(WEIGHTS):
        is_last = scale == len(WEIGHTS) - 1
        whole, contrast = _parts(a, b)
        product = product * F.relu(whole if is_last else contrast) ** weight
        if not is_last:
            padding = [side % 2 for side in a.shape[-2:]]
            a, b = (F.avg_pool2d(x, kernel_size=2, padding=padding) for x in (a, b))
    return product.mean(dim=1)


def _parts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The means over whole windows of SSIM, and of its part of contrast and structure: (N, C) each."""
    num_channels = a.shape[1]
    window = torch.from_numpy(taps()).to(a)

    def filtered(x: Tensor) -> Tensor:
        for shape in ((WINDOW, 1), (1, WINDOW)):
            weight = window.reshape(1, 1, *shape).expand(num_channels, 1, *shape)
            x = F.conv2d(x, weight, groups=num_channels)
        return x

    mean_a, mean_b = filtered(a), filtered(b)
    covariance = filtered(a * b) - mean_a * mean_b
    variances = filtered(a * a) - mean_a**2 + filtered(b * b) - mean_b**2
    contrast = (2 * covariance + K2**2) / (variances + K2**2)
    luminance = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
    return (luminance * contrast).mean(dim=(2, 3)), contrast.mean(dim=(2, 3))
