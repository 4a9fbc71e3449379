"""Colour spaces and chroma resolutions as callables, for use in a chain of transforms."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lcrs.registry import register_transform
from lcrs.transforms import functional as F_transforms

__all__ = ["RGB2YCbCr", "YCbCr2RGB", "YUV420To444", "YUV444To420"]


@register_transform("RGB2YCbCr")
class RGB2YCbCr:
    """Calls `functional.rgb2ycbcr`."""

    def __call__(self, rgb: Tensor) -> Tensor:
        """Maps (3, H, W) or (N, 3, H, W) to the same shape."""
        return F_transforms.rgb2ycbcr(rgb)

    def __repr__(self) -> str:
        return "RGB2YCbCr()"


@register_transform("YCbCr2RGB")
class YCbCr2RGB:
    """Calls `functional.ycbcr2rgb`."""

    def __call__(self, ycbcr: Tensor) -> Tensor:
        """Maps (3, H, W) or (N, 3, H, W) to the same shape."""
        return F_transforms.ycbcr2rgb(ycbcr)

    def __repr__(self) -> str:
        return "YCbCr2RGB()"


@register_transform("YUV444To420")
class YUV444To420:
    """Calls `functional.yuv_444_to_420`.

    Args:
        mode: "avg_pool".
    """

    def __init__(self, mode: str = "avg_pool") -> None:
        self.mode = mode

    def __call__(self, yuv: Tensor | Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Maps a picture or its three planes to planes with chroma at half the size."""
        return F_transforms.yuv_444_to_420(yuv, mode=self.mode)

    def __repr__(self) -> str:
        return f"YUV444To420(mode={self.mode!r})"


@register_transform("YUV420To444")
class YUV420To444:
    """Calls `functional.yuv_420_to_444`; unlike CompressAI's, with the `mode` it was given.

    Args:
        mode: "bilinear", "bicubic" or "nearest".
        return_tuple: Return planes, not one tensor.
    """

    def __init__(self, mode: str = "bilinear", return_tuple: bool = False) -> None:
        self.mode = mode
        self.return_tuple = return_tuple

    def __call__(self, yuv: Sequence[Tensor]) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Maps planes with chroma at half the size to a picture, or to planes of one size."""
        return F_transforms.yuv_420_to_444(yuv, mode=self.mode, return_tuple=self.return_tuple)

    def __repr__(self) -> str:
        return f"YUV420To444(mode={self.mode!r}, return_tuple={self.return_tuple})"
