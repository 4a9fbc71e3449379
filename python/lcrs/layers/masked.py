"""Convolutions that see only what has been decoded already."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs.layers.lowering import conv2d

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["CheckerboardMaskedConv2d", "MaskedConv2d"]


class MaskedConv2d(nn.Conv2d):
    """Convolution that sees only places before its own, in raster order.

    Of van den Oord et al., "Conditional image generation with PixelCNN decoders", NeurIPS 2016. The first
    layer of a context model takes `mask_type="A"`, later ones may take "B". Unlike CompressAI's, the forward
    pass leaves `weight` as it is and masks a copy, so hidden taps get no gradient and nothing is overwritten.

    Attributes:
        mask: Buffer with the shape of `weight`, 1 where a tap is seen.

    Args:
        *args: Arguments of `torch.nn.Conv2d`.
        mask_type: "A" hides the place itself, "B" shows it.
        **kwargs: Keyword arguments of `torch.nn.Conv2d`.

    Raises:
        ValueError: `mask_type` is neither "A" nor "B".
    """

    mask: Tensor

    def __init__(self, *args: Any, mask_type: str = "A", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if mask_type not in ("A", "B"):
            raise ValueError(f'mask_type is {mask_type!r}; it must be "A" or "B"')
        seen = self._seen_before()
        seen[self.kernel_size[0] // 2, self.kernel_size[1] // 2] = mask_type == "B"
        self.register_buffer("mask", seen.to(self.weight.dtype).expand_as(self.weight).clone())

    def _seen_before(self) -> Tensor:
        """Which taps of the kernel (kH, kW) are seen; the caller decides on the centre."""
        height, width = self.kernel_size
        taps = torch.arange(height * width).reshape(height, width)
        seen: Tensor = taps < (height // 2) * width + width // 2
        return seen

    def forward(self, x: Tensor) -> Tensor:
        """Convolves `x`, shape (N, C, H, W), with the masked weight."""
        y: Tensor = self._conv_forward(x, self.weight * self.mask, self.bias)
        return y

    def lower(self, graph: "GraphBuilder", x: "Value") -> "Value":
        """Adds this layer, with its masked weight, to a coding graph."""
        return conv2d(graph, self, x, self.weight * self.mask)


class CheckerboardMaskedConv2d(MaskedConv2d):
    """Convolution that sees only places of the other colour of a checkerboard.

    Of He et al., "Checkerboard context model for efficient learned image compression", CVPR 2021, section
    3.1. Colours are counted from the centre of the kernel, so that kernels of any odd size work.

    Args:
        *args: Arguments of `torch.nn.Conv2d`.
        mask_type: "A" hides the place itself, "B" shows it.
        **kwargs: Keyword arguments of `torch.nn.Conv2d`.

    Raises:
        ValueError: `mask_type` is neither "A" nor "B".
    """

    def _seen_before(self) -> Tensor:
        height, width = self.kernel_size
        rows = torch.arange(height).unsqueeze(1) - height // 2
        columns = torch.arange(width) - width // 2
        return (rows + columns) % 2 == 1
