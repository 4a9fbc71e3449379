"""Convolutions whose weights are trained in the frequency domain.

Balle, "Efficient nonlinear transforms for lossy image compression", PCS 2018, section 2: steps of an
optimizer such as Adam, which scale each coefficient on its own, then act alike on all frequencies of a
filter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs.layers.lowering import conv2d, conv_transpose2d

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["SpectralConv2d", "SpectralConvTranspose2d"]


class _SpectralWeight(nn.Module):
    """Replaces the parameter `weight` of a convolution by its spectrum, and computes it from there.

    The spectrum stays complex64 (or complex128) whatever real type the module is cast to: casting it would
    drop its imaginary part. `weight` then follows the type of the module.
    """

    kernel_size: tuple[int, ...]
    weight_transformed: nn.Parameter

    def _move_weight(self) -> None:
        """Makes `weight`, which the convolution has just initialised, the spectrum."""
        weight = self._parameters.pop("weight")
        assert weight is not None
        self._weight_dtype = weight.dtype
        self.weight_transformed = nn.Parameter(torch.fft.rfft2(weight.detach(), norm="ortho"))

    @property
    def weight(self) -> Tensor:
        """The weight that acts, in the layout of the plain convolution; recomputed at each use."""
        weight: Tensor = torch.fft.irfft2(self.weight_transformed, s=self.kernel_size, norm="ortho")
        return weight.to(self._weight_dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        def keep_complex(tensor: Tensor) -> Tensor:
            if not tensor.is_complex():
                return fn(tensor)
            parts = fn(torch.view_as_real(tensor))
            self._weight_dtype = parts.dtype
            return torch.view_as_complex(parts if parts.dtype == torch.float64 else parts.float())

        return super()._apply(keep_complex, recurse)  # type: ignore[no-untyped-call]


class SpectralConv2d(_SpectralWeight, nn.Conv2d):  # type: ignore[override]
    """`torch.nn.Conv2d` whose weight is stored as its spectrum.

    Attributes:
        weight_transformed: Parameter, complex, shape (out_channels, in_channels / groups, kH, kW // 2 + 1):
            the orthonormal real Fourier transform of the weight.

    Args:
        *args: Arguments of `torch.nn.Conv2d`.
        **kwargs: Keyword arguments of `torch.nn.Conv2d`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._move_weight()

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this layer, with its weight materialised, to a coding graph."""
        return conv2d(graph, self, x, self.weight)


class SpectralConvTranspose2d(_SpectralWeight, nn.ConvTranspose2d):  # type: ignore[override]
    """`torch.nn.ConvTranspose2d` whose weight is stored as its spectrum.

    Attributes:
        weight_transformed: Parameter, complex, shape (in_channels, out_channels / groups, kH, kW // 2 + 1):
            the orthonormal real Fourier transform of the weight.

    Args:
        *args: Arguments of `torch.nn.ConvTranspose2d`.
        **kwargs: Keyword arguments of `torch.nn.ConvTranspose2d`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._move_weight()

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this layer, with its weight materialised, to a coding graph."""
        return conv_transpose2d(graph, self, x, self.weight)
