"""A latent without side information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs.base import LatentCodec, single
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.registry import register_module

__all__ = ["EntropyBottleneckLatentCodec", "decode_bottleneck", "encode_bottleneck"]


def encode_bottleneck(writer: SymbolWriter, bottleneck: EntropyBottleneck, z: Tensor) -> Tensor:
    """Writes `z`, (N, C, ...), rounded around the medians of `bottleneck`; returns it rounded."""
    values = single(z)
    medians = _medians(bottleneck, values.shape)
    symbols = bottleneck.symbols_of(values, medians)
    writer.put(symbols, _channel_numbers(values.shape), bottleneck.cdf_table())
    return bottleneck.values_of(symbols, medians)


def decode_bottleneck(reader: SymbolReader, bottleneck: EntropyBottleneck, size: Sequence[int]) -> Tensor:
    """Reads what `encode_bottleneck` wrote of a latent of spatial `size`."""
    if reader.kind == "ans":  # perhaps CompressAI's, with a table of its own
        return single(bottleneck.decompress(reader.next_strings(), size))
    shape = (reader.batch_size, bottleneck.channels, *size)
    symbols = reader.take(_channel_numbers(shape), bottleneck.cdf_table())
    return bottleneck.values_of(symbols, _medians(bottleneck, shape))


def _medians(bottleneck: EntropyBottleneck, shape: Sequence[int]) -> Tensor:
    column = single(bottleneck._get_medians()).reshape(1, -1, *[1] * (len(shape) - 2))
    return column.expand(*shape).contiguous()


def _channel_numbers(shape: Sequence[int]) -> NDArray[np.int32]:
    column = np.arange(shape[1], dtype=np.int32).reshape(1, -1, *[1] * (len(shape) - 2))
    return np.ascontiguousarray(np.broadcast_to(column, shape))


@register_module("EntropyBottleneckLatentCodec")
class EntropyBottleneckLatentCodec(LatentCodec):
    """A latent coded under a learned density for each channel.

    Of Balle et al., "Variational image compression with a scale hyperprior", ICLR 2018, appendix 6.1.

    .. code-block:: none

               ┌───┐ y_hat
        y ──►──┤ Q ├───►───····──►── y_hat
               └───┘        EB

    Args:
        entropy_bottleneck: EB; by default it is made from `kwargs`.
        **kwargs: Arguments of `EntropyBottleneck`, such as `channels`.
    """

    def __init__(self, entropy_bottleneck: EntropyBottleneck | None = None, **kwargs: Any) -> None:
        super().__init__()
        self.entropy_bottleneck = entropy_bottleneck or EntropyBottleneck(**kwargs)

    def forward(self, y: Tensor) -> dict[str, Any]:
        """Maps `y`, (N, C, ...), to `y_hat` and `likelihoods["y"]` of the same shape."""
        y_hat, y_likelihoods = self.entropy_bottleneck(y)
        return {"likelihoods": {"y": y_likelihoods}, "y_hat": y_hat}

    def encode(self, writer: SymbolWriter, y: Tensor) -> dict[str, Any]:
        """Writes `y`; the shape is its spatial size."""
        return {"shape": y.shape[2:], "y_hat": encode_bottleneck(writer, self.entropy_bottleneck, y)}

    def decode(self, reader: SymbolReader, shape: Sequence[int]) -> dict[str, Any]:
        """Reads a latent of spatial size `shape`."""
        return {"y_hat": decode_bottleneck(reader, self.entropy_bottleneck, shape)}
