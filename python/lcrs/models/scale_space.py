"""Pictures at several blurs, and warping that chooses a place and a blur for each sample.

Agustsson, Minnen, Johnston, Balle, Hwang and Toderici, "Scale-space flow for end-to-end optimized video
compression", CVPR 2020, section 3; the volume is built from a pyramid as in Yang, Yang, Marino and Mandt,
"Hierarchical autoregressive modeling for neural video compression", ICLR 2021.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "gaussian_blur",
    "gaussian_kernel1d",
    "gaussian_kernel2d",
    "gaussian_volume",
    "meshgrid2d",
    "warp_volume",
]


def gaussian_kernel1d(
    kernel_size: int, sigma: float, device: torch.device | str | None, dtype: torch.dtype | None
) -> Tensor:
    """A sampled Gaussian that sums to 1, centred: (kernel_size,).

    Args:
        kernel_size: Number of samples.
        sigma: Standard deviation, in samples.
        device: Of the result.
        dtype: Of the result, floating point.
    """
    places = torch.arange(kernel_size, device=device, dtype=dtype) - (kernel_size - 1) / 2
    weights = torch.exp(-0.5 * (places / sigma) ** 2)
    return weights / weights.sum()


def gaussian_kernel2d(
    kernel_size: int, sigma: float, device: torch.device | str | None, dtype: torch.dtype | None
) -> Tensor:
    """The outer product of `gaussian_kernel1d` with itself: (kernel_size, kernel_size)."""
    kernel = gaussian_kernel1d(kernel_size, sigma, device, dtype)
    return torch.outer(kernel, kernel)


def gaussian_blur(
    x: Tensor, kernel: Tensor | None = None, kernel_size: int | None = None, sigma: float | None = None
) -> Tensor:
    """Blurs each channel of `x`; beyond the border is what is at the border.

    Args:
        x: (N, C, H, W).
        kernel: (k, k), k odd; or by `kernel_size` and `sigma`, as `gaussian_kernel2d`.
        kernel_size: Used where there is no `kernel`.
        sigma: The same; in samples.

    Returns:
        Shape of `x`.

    Raises:
        RuntimeError: there is neither a kernel nor its size and sigma.
    """
    if kernel is None:
        if kernel_size is None or sigma is None:
            raise RuntimeError("gaussian_blur needs a kernel, or kernel_size and sigma")
        dtype = x.dtype if x.is_floating_point() else torch.float32
        kernel = gaussian_kernel2d(kernel_size, sigma, x.device, dtype)
    num_channels, size = x.shape[1], kernel.shape[0]
    padded = F.pad(x, [size // 2] * 4, mode="replicate")
    return F.conv2d(padded, kernel.expand(num_channels, 1, size, size), groups=num_channels)


def meshgrid2d(N: int, C: int, H: int, W: int, device: torch.device | str | None) -> Tensor:
    """Places of samples as `grid_sample` counts them: x and y from -1 to 1 between the outer borders.

    Returns:
        float32 (N, H, W, 2); `C` is of no effect.
    """
    identity = torch.eye(2, 3, device=device).expand(N, 2, 3)
    return F.affine_grid(identity, [N, C, H, W], align_corners=False)


def gaussian_volume(x: Tensor, sigma: float, num_levels: int) -> Tensor:
    """Pictures at growing blur.

    Level 0 is `x`, level 1 is blurred by `sigma`; each further one has half the resolution of the one
    before, blurred again, and is brought back to size by linear interpolation.

    Args:
        x: Pictures (N, C, H, W), sides divisible by 2 ** (num_levels - 1).
        sigma: In samples, of one blur.
        num_levels: Levels above 0; at least 1.

    Returns:
        (N, C, num_levels + 1, H, W).
    """
    dtype = x.dtype if x.is_floating_point() else torch.float32
    kernel = gaussian_kernel2d(2 * math.ceil(3 * sigma) + 1, sigma, x.device, dtype)
    blurred = gaussian_blur(x, kernel)
    levels = [x, blurred]
    for i in range(1, num_levels):
        blurred = gaussian_blur(F.avg_pool2d(blurred, 2), kernel)
        level = blurred
        for _ in range(i):
            level = F.interpolate(level, scale_factor=2, mode="bilinear", align_corners=False)
        levels.append(level)
    return torch.stack(levels, dim=2)


def warp_volume(volume: Tensor, flow: Tensor, scale_field: Tensor, padding_mode: str = "border") -> Tensor:
    """For each sample, what is in `volume` at a place beside it, at a blur.

    Computed in float32, inside autocast as well.

    Args:
        volume: (N, C, D, H, W), as `gaussian_volume` gives it.
        flow: How far beside, (N, 2, H, W): x and y, in halves of the picture's sides.
        scale_field: Which blur, (N, 1, H, W): from -1, level 0, to 1, the last one.
        padding_mode: What is beyond the border, as `grid_sample` has it.

    Returns:
        float32 (N, C, H, W).

    Raises:
        ValueError: `volume` has not five dimensions.
    """
    if volume.dim() != 5:
        raise ValueError(f"volume has shape {tuple(volume.shape)}, must be (N, C, D, H, W)")
    num, channels, _, height, width = volume.shape
    with torch.autocast(device_type=volume.device.type, enabled=False):
        places = meshgrid2d(num, channels, height, width, volume.device) + flow.permute(0, 2, 3, 1).float()
        grid = torch.cat((places, scale_field.permute(0, 2, 3, 1).float()), dim=-1).unsqueeze(1)
        warped = F.grid_sample(volume.float(), grid, padding_mode=padding_mode, align_corners=False)
    return warped.squeeze(2)
