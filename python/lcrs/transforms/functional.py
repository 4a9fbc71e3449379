"""Colour spaces and chroma resolutions as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["rgb2ycbcr", "ycbcr2rgb", "yuv_420_to_444", "yuv_444_to_420"]

# ITU-R BT.709, item 3.2: luma weights of red, green and blue.
_KR, _KG, _KB = 0.2126, 0.7152, 0.0722

_UPSAMPLING: dict[str, dict[str, Any]] = {
    "bilinear": {"align_corners": False},
    "bicubic": {"align_corners": False},
    "nearest": {},
}
# With ceil_mode the last sample of an odd side averages what exists.
_DOWNSAMPLING: dict[str, Callable[[Tensor], Tensor]] = {
    "avg_pool": lambda plane: F.avg_pool2d(plane, 2, ceil_mode=True, count_include_pad=False),
}


def _check_picture(name: str, x: Tensor) -> None:
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} is {type(x).__name__}; it must be a tensor")
    if not x.is_floating_point():
        raise ValueError(f"{name} has type {x.dtype}; it must be floating point")
    if x.dim() not in (3, 4) or x.shape[-3] != 3:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; it must be (3, H, W) or (N, 3, H, W)")


def rgb2ycbcr(rgb: Tensor) -> Tensor:
    """RGB to YCbCr by BT.709, full range.

    Args:
        rgb: (3, H, W) or (N, 3, H, W), floating point; nominally in [0, 1].

    Returns:
        Same shape and type; all channels nominally in [0, 1], grey at Cb = Cr = 0.5.

    Raises:
        ValueError: Not a floating-point tensor of such a shape.
    """
    _check_picture("rgb", rgb)
    r, g, b = rgb.unbind(-3)
    y = _KR * r + _KG * g + _KB * b
    cb = 0.5 * (b - y) / (1 - _KB) + 0.5
    cr = 0.5 * (r - y) / (1 - _KR) + 0.5
    return torch.stack((y, cb, cr), dim=-3)


def ycbcr2rgb(ycbcr: Tensor) -> Tensor:
    """YCbCr to RGB by BT.709, full range: the inverse of `rgb2ycbcr`, nothing clamped.

    Args:
        ycbcr: (3, H, W) or (N, 3, H, W), floating point.

    Returns:
        Same shape and type.

    Raises:
        ValueError: Not a floating-point tensor of such a shape.
    """
    _check_picture("ycbcr", ycbcr)
    y, cb, cr = ycbcr.unbind(-3)
    r = y + (2 - 2 * _KR) * (cr - 0.5)
    b = y + (2 - 2 * _KB) * (cb - 0.5)
    g = (y - _KR * r - _KB * b) / _KG
    return torch.stack((r, g, b), dim=-3)


def yuv_444_to_420(yuv: Tensor | Sequence[Tensor], mode: str = "avg_pool") -> tuple[Tensor, Tensor, Tensor]:
    """Halves the resolution of chroma.

    Args:
        yuv: (N, 3, H, W) or (3, H, W), or its three planes.
        mode: "avg_pool", the mean of 2x2 samples (of those that exist, where a side is odd).

    Returns:
        Planes of shape (N, 1, H, W), (N, 1, ceil(H / 2), ceil(W / 2)) and the same again, or without N.

    Raises:
        ValueError: Another mode, or not a picture or three planes.
    """
    if mode not in _DOWNSAMPLING:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(_DOWNSAMPLING)}")
    if isinstance(yuv, Tensor):
        _check_picture("yuv", yuv)
        planes: Sequence[Tensor] = torch.split(yuv, 1, dim=-3)
    else:
        planes = yuv
    y, u, v = _check_planes(planes)
    return y, _DOWNSAMPLING[mode](u), _DOWNSAMPLING[mode](v)


def yuv_420_to_444(
    yuv: Sequence[Tensor], mode: str = "bilinear", return_tuple: bool = False
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """Doubles the resolution of chroma.

    Args:
        yuv: Planes of shape (N, 1, H, W), (N, 1, ceil(H / 2), ceil(W / 2)) and the same again, or without N.
        mode: "bilinear", "bicubic" or "nearest".
        return_tuple: Return planes, not one tensor.

    Returns:
        (N, 3, H, W), or three planes (N, 1, H, W); without N if there was none.

    Raises:
        ValueError: Another mode, or not three planes of these shapes.
    """
    if mode not in _UPSAMPLING:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(_UPSAMPLING)}")
    y, u, v = _check_planes(yuv)
    height, width = y.shape[-2:]
    for name, plane in (("u", u), ("v", v)):
        if plane.shape[-2:] != ((height + 1) // 2, (width + 1) // 2):
            raise ValueError(
                f"{name} has shape {tuple(plane.shape)}, not half the size of y {tuple(y.shape)}"
            )
    upsampled = (y, _double(u, mode, height, width), _double(v, mode, height, width))
    return upsampled if return_tuple else torch.cat(upsampled, dim=-3)


def _check_planes(planes: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    if len(planes) != 3 or not all(isinstance(plane, Tensor) for plane in planes):
        raise ValueError(f"got {len(planes)} planes; there must be 3 tensors: y, u and v")
    for name, plane in zip("yuv", planes, strict=True):
        if not plane.is_floating_point() or plane.dim() not in (3, 4) or plane.shape[-3] != 1:
            raise ValueError(
                f"{name} is {plane.dtype} of shape {tuple(plane.shape)}; "
                "it must be floating point, (1, H, W) or (N, 1, H, W)"
            )
    y, u, v = planes
    return y, u, v


def _double(plane: Tensor, mode: str, height: int, width: int) -> Tensor:
    """Upsamples by two, and cuts off what an odd side has too much."""
    batch = plane if plane.dim() == 4 else plane.unsqueeze(0)
    doubled = F.interpolate(batch, scale_factor=2, mode=mode, **_UPSAMPLING[mode])[..., :height, :width]
    return doubled if plane.dim() == 4 else doubled.squeeze(0)
