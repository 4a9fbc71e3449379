"""Quantisation in steps other than one: a gain is the inverse of a step.

With a gain g, a mean m and a scale s of a value y, the symbol is `round((y - m) * g)`, the value
`symbol / g + m`, and the scale in steps `s * g`, or, where scales are logarithms, `s + log g`. For coding,
every operation is rounded to binary32 by the exact engine, as in the native scans: torch's way with tiny
numbers, which can be changed for a process, does not touch it.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from lcrs import coding
from lcrs.entropy_models import EntropyModel
from lcrs.latent_codecs.base import single
from lcrs.layers.lowering import GraphBuilder
from lcrs.ops import quantize_ste

__all__ = ["in_steps", "of_channels", "round_around", "to_symbols", "to_values"]


def round_around(y: Tensor, means: Tensor | None, gain: Tensor | None = None) -> Tensor:
    """`y` rounded around `means` (None: zero) in steps of `1 / gain`, with the gradient of `y`."""
    centred = y if means is None else y - means
    rounded = quantize_ste(centred) if gain is None else quantize_ste(centred * gain) / gain
    return rounded if means is None else rounded + means


def of_channels(gain: Tensor, num_channels: int) -> Tensor:
    """A gain or its logarithm for coding, the same for a batch, as float32 (C,) on the CPU.

    Raises:
        ValueError: it is not one finite number for each of `num_channels`.
    """
    numbers = single(gain).flatten()
    if len(numbers) != num_channels:
        raise ValueError(
            f"gain has shape {tuple(gain.shape)}, must be one number for {num_channels} channels"
        )
    if not torch.isfinite(numbers).all():
        raise ValueError(f"gain has {numbers[~torch.isfinite(numbers)][0]}, must be finite")
    return numbers


def in_steps(scales: Tensor, gain: Tensor | None, log_gain: Tensor | None, *, log: bool) -> Tensor:
    """Scales (N, C, H, W) as multiples of a step, for coding; logarithms if they are logarithms."""
    if gain is None:
        return scales
    if not log:
        return _run("mul", scales, gain)
    assert log_gain is not None
    return _run("add", scales, log_gain)


def to_symbols(model: EntropyModel, y: Tensor, means: Tensor | None, gain: Tensor | None) -> NDArray[Any]:
    """Symbols of `y` (N, C, H, W) as `model` quantises, int32."""
    if gain is None:
        return model.symbols_of(y, means)
    centred = y if means is None else _run("sub", y, means)
    return model.symbols_of(_run("mul", centred, gain))


def to_values(
    model: EntropyModel, symbols: NDArray[Any], means: Tensor | None, gain: Tensor | None
) -> Tensor:
    """Values of symbols (N, C, H, W) of `model`."""
    if gain is None:
        return model.values_of(symbols, means)
    values = _run("div", model.values_of(symbols), gain)
    return values if means is None else _run("add", values, means)


def _run(op: str, x: Tensor, other: Tensor) -> Tensor:
    """An operation on (N, C, H, W) and as much, or (C,)."""
    if other.dim() == 1:
        other = other.reshape(1, -1, 1, 1).expand(x.shape[0], -1, -1, -1)
    arrays = [value.contiguous().numpy() for value in (x, other)]
    return torch.from_numpy(_graph(op).run(arrays)["y"])


@functools.lru_cache(maxsize=4)
def _graph(op: str) -> coding.Graph:
    graph = GraphBuilder()
    lowered = graph.finish({"y": graph.op(op, graph.input("x"), graph.input("other"))})
    return coding.Graph(lowered.json, lowered.tensors)
