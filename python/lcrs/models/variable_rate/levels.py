"""Rate levels: numbers that steer a network, and layers that depend on them.

Levels go from 0 to K - 1, integers being those that gains are learned for; in between they are interpolated,
as in Cui et al. 2021 ("Asymmetric gained deep image compression with continuous rate adaptation", section
3.2).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lcrs.coding import level_of
from lcrs.layers.lowering import GraphBuilder, Value

__all__ = [
    "LevelSequential",
    "LevelStage",
    "LevelTable",
    "checked_levels",
    "chosen_level",
    "level_of",
    "lmbda_at",
    "scaled_at_level",
]


def chosen_level(quality: float | None, level: float | None, num_levels: int) -> float | None:
    """The level that a caller chose by one of both; None if by neither.

    Raises:
        ValueError: both are given, or the quality is outside 0..100.
    """
    if quality is not None and level is not None:
        raise ValueError(f"quality {quality} and level {level} are given, one of them is enough")
    return level if quality is None else level_of(quality, num_levels)


# Where torch 2.2 has it.
_utils: Any = torch._utils
_is_compiling = (
    torch.compiler.is_compiling if hasattr(torch.compiler, "is_compiling") else _utils.is_compiling
)


def checked_levels(level: Tensor | float, num_levels: int, x: Tensor) -> Tensor:
    """Levels of the pictures `x`, float32 (N,) on their device.

    Levels on other devices than the CPU are not looked at, since that would wait for them.

    Raises:
        ValueError: a level is outside of 0..`num_levels` - 1.
    """
    last = num_levels - 1
    is_legal: Any = True
    if not isinstance(level, Tensor):
        is_legal = 0 <= level <= last
    elif level.device.type == "cpu" and not _is_compiling():  # tensors have no values there
        is_legal = ((level >= 0) & (level <= last)).all()
    if not is_legal:
        raise ValueError(f"level is {level}, must be 0 to {last}")
    return torch.as_tensor(level, dtype=torch.float32, device=x.device).expand(x.shape[0])


def lmbda_at(level: Tensor, log_lmbda: Tensor) -> Tensor:
    """Lagrangian weight at `level` (N,), each from 0 to K - 1: even in log from the first to the last."""
    first, last = log_lmbda[0], log_lmbda[-1]
    return torch.exp(first + level / (len(log_lmbda) - 1) * (last - first))


class LevelTable(nn.Module):
    """A learned vector per rate level, linear in between.

    Args:
        initial: values at the levels, (K, C).
    """

    def __init__(self, initial: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(initial.clone())

    def forward(self, level: Tensor) -> Tensor:
        """Values at `level` (N,), each from 0 to K - 1, as (N, C, 1, 1)."""
        last = self.values.shape[0] - 2
        lower = level.floor().clamp(0, last).long()
        weight = (level - lower)[:, None]
        a, b = self.values[lower], self.values[lower + 1]
        return (a + weight * (b - a)).to(self.values.dtype)[:, :, None, None]

    def at_level(self, graph: GraphBuilder, place: str) -> Value:
        """The same at the level of the run, as a (C, 1, 1) value of the coding graph."""
        with graph.at(place):
            return graph.op("interpolate", tensor=graph.tensor("values", self.values))


def scaled_at_level(
    graph: GraphBuilder, x: Value, log_gain: LevelTable, place: str, *, inverse: bool = False
) -> Value:
    """Adds `x` times the exponential of a log-gain, or of its negative, to a coding graph."""
    exponent = log_gain.at_level(graph, place)
    if inverse:
        exponent = graph.op("mul_scalar", exponent, value=-1.0)
    return graph.op("mul", x, graph.op("exp", exponent))


class LevelStage(nn.Module):
    """Layers, then a gain of each channel that depends on the level: `blocks(x) * exp(log_gain(level))`.

    Args:
        *blocks: Layers that know no level.
        channels: What the last gives.
        num_levels: Number of levels K.
    """

    def __init__(self, *blocks: nn.Module, channels: int, num_levels: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.log_gain = LevelTable(torch.zeros(num_levels, channels))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Maps `x` (N, C, H, W) at `level` (N,)."""
        y: Tensor = self.blocks(x) * torch.exp(self.log_gain(level))
        return y

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this stage, at the level of a run, to a coding graph."""
        return scaled_at_level(graph, graph.call(self.blocks, x, "blocks"), self.log_gain, "log_gain")


class LevelSequential(nn.Sequential):
    """Stages one after the other, of which each `LevelStage` is told the level."""

    def forward(self, x: Tensor, level: Tensor) -> Tensor:  # type: ignore[override]
        """Maps `x` (N, C, H, W) at `level` (N,)."""
        for stage in self:
            x = stage(x, level) if isinstance(stage, LevelStage) else stage(x)
        return x

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds all stages, at the level of a run, to a coding graph."""
        for name, stage in self._modules.items():  # named_children() leaves out a second use
            assert stage is not None
            x = graph.call(stage, x, name)
        return x
