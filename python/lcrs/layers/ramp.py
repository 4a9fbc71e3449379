"""Stacks of layers whose channel counts go evenly from one end to the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

__all__ = ["sequential_channel_ramp"]


def sequential_channel_ramp(
    in_ch: int,
    out_ch: int,
    *,
    min_ch: int = 0,
    num_layers: int = 3,
    interp: str = "linear",
    make_layer: Callable[..., nn.Module] = nn.Conv2d,
    make_act: Callable[[], nn.Module] = nn.ReLU,
    skip_last_act: bool = True,
    **layer_kwargs: Any,
) -> nn.Sequential:
    """Layers and activations in turn, with channel counts interpolated from `in_ch` to `out_ch`.

    Args:
        in_ch: Number of channels of the first layer's input.
        out_ch: Number of channels of the last layer's output.
        min_ch: The fewest channels in between.
        num_layers: Number of layers, at least 1.
        interp: "linear" or "log": counts in between lie evenly on this scale, rounded down.
        make_layer: Called with the layer's input and output channels and `layer_kwargs`.
        make_act: Called for each activation.
        skip_last_act: Leaves out the activation after the last layer.
        **layer_kwargs: For `make_layer`, such as `kernel_size`.

    Raises:
        ValueError: `interp` is neither "linear" nor "log", or `num_layers` is below 1.

    Example:
        >>> [layer.out_channels for layer in sequential_channel_ramp(640, 64, kernel_size=1)[::2]]
        [448, 256, 64]
    """
    if num_layers < 1:
        raise ValueError(f"num_layers is {num_layers}; it must be at least 1")
    inner = (max(min_ch, int(count)) for count in _ramp(in_ch, out_ch, num_layers + 1, interp)[1:-1])
    channels = [in_ch, *inner, out_ch]
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        layers += [make_layer(before, after, **layer_kwargs), make_act()]
    return nn.Sequential(*(layers[:-1] if skip_last_act else layers))


def _ramp(start: float, end: float, steps: int, interp: str) -> torch.Tensor:
    """`steps` numbers from `start` to `end`, float32: rounding decides some published channel counts."""
    if interp == "linear":
        return torch.linspace(start, end, steps)
    if interp == "log":
        return torch.logspace(math.log10(start), math.log10(end), steps)
    raise ValueError(f'interp is {interp!r}; it must be "linear" or "log"')
