"""How a batch goes through each kind of network: one rate, levels by gains, scales by stages, or clips.

What a kind draws at random follows from the seed and the step, for the batches of all processes together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lcrs.models import ScaleSpaceFlow
from lcrs.train.config import ConfigError
from lcrs.train.data.crops import generator

__all__ = ["Clips", "Levels", "OneRate", "Stages", "Task", "stratified", "task_of"]

Forward = Callable[..., Any]
Drawn = dict[str, Any]


class Task(Protocol):
    """One kind of network.

    Attributes:
        knows_lmbda: Whether the network has lambdas of its own.
        takes_clips: Whether it is for video.
    """

    knows_lmbda: bool
    takes_clips: bool

    def draw(self, step: int, count: int, device: torch.device) -> Drawn:
        """What the network is told at a step, beside its batch: levels and the like, and `lmbda`."""
        ...

    def forward(self, call: Forward, x: Tensor, drawn: Drawn) -> Any:
        """What the network makes of a batch."""
        ...

    def points(self, qualities: list[float]) -> list[tuple[float | None, Drawn]]:
        """What to validate at: qualities of files, and what the network is told for each."""
        ...


def stratified(count: int, levels: int, rng: np.random.Generator) -> np.ndarray:
    """`count` levels from 0 to `levels` - 1, one in each of as many parts of the range, in any order."""
    return (rng.permutation(count) + rng.random(count)) / count * (levels - 1)


class OneRate:
    """A network of a fixed rate."""

    knows_lmbda = False
    takes_clips = False

    def draw(self, step: int, count: int, device: torch.device) -> Drawn:
        """As in `Task`: nothing."""
        return {}

    def forward(self, call: Forward, x: Tensor, drawn: Drawn) -> Any:
        """As in `Task`."""
        return call(x)

    def points(self, qualities: list[float]) -> list[tuple[float | None, Drawn]]:
        """As in `Task`."""
        return [(None, {})]


class Levels:
    """A network of many rates, which takes a level for each picture and knows the lambda of each.

    Args:
        net: Has `num_levels` and `lmbda(level)`.
        seed: Of the levels.
        rank: Of this process: it has its part of the levels of all.
        world: Number of processes.
    """

    knows_lmbda = True
    takes_clips = False

    def __init__(self, net: Any, seed: int, rank: int = 0, world: int = 1) -> None:
        self.num_levels, self.lmbda = int(net.num_levels), net.lmbda
        self.seed, self.rank, self.world = seed, rank, world
        device = next(net.parameters()).device
        ends = torch.tensor([0.0, self.num_levels - 1.0], device=device)
        self.middle = net.lmbda(ends).log().mean().exp().detach()

    def draw(self, step: int, count: int, device: torch.device) -> Drawn:
        """As in `Task`."""
        drawn = stratified(count * self.world, self.num_levels, generator(self.seed, 3, step))
        own = torch.from_numpy(drawn[self.rank * count : (self.rank + 1) * count]).float()
        return self.at(own.to(device))

    def at(self, level: Tensor) -> Drawn:
        """What goes with levels (N,)."""
        return {"level": level, "lmbda": self.lmbda(level), "middle": self.middle}

    def forward(self, call: Forward, x: Tensor, drawn: Drawn) -> Any:
        """As in `Task`."""
        return call(x, drawn["level"].expand(x.shape[0]))

    def points(self, qualities: list[float]) -> list[tuple[float | None, Drawn]]:
        """As in `Task`."""
        device = self.middle.device
        last = self.num_levels - 1
        return [(q, self.at(torch.tensor([q / 100 * last], device=device))) for q in qualities]


class Stages:
    """CompressAI's models of variable rate.

    Kamisli et al., DCC 2024: at stage 1 the network is trained as one of a fixed rate, at the last lambda; at
    stage 2 each step has one of the scales, and its lambda. As many steps as there are scales have each once.

    Args:
        net: Has `Gain`, `lmbda` (a list) and `levels`.
        seed: Of the order of the scales.
    """

    knows_lmbda = True
    takes_clips = False

    def __init__(self, net: Any, seed: int) -> None:
        self.lmbdas, self.levels, self.seed = list(net.lmbda), int(net.levels), seed
        self.stage = 2
        self.device = next(net.parameters()).device

    def draw(self, step: int, count: int, device: torch.device) -> Drawn:
        """As in `Task`."""
        round_, place = divmod(step, self.levels)
        order = generator(self.seed, 3, round_).permutation(self.levels)
        s = int(order[place]) if self.stage == 2 else self.levels - 1
        return self.at(self.stage, s)

    def at(self, stage: int, s: int) -> Drawn:
        """What goes with one of the scales."""
        middle = torch.tensor(self.lmbdas).log().mean().exp().to(self.device)
        return {"stage": stage, "s": s, "lmbda": middle.new_tensor([self.lmbdas[s]]), "middle": middle}

    def forward(self, call: Forward, x: Tensor, drawn: Drawn) -> Any:
        """As in `Task`."""
        return call(x, stage=drawn["stage"], s=drawn["s"])

    def points(self, qualities: list[float]) -> list[tuple[float | None, Drawn]]:
        """As in `Task`; qualities go to the nearest scale."""
        if self.stage == 1:
            return [(None, self.at(1, self.levels - 1))]
        last = self.levels - 1
        near = {round(q / 100 * last) for q in qualities}
        return [(100 * s / last, self.at(2, s)) for s in sorted(near)]


class Clips:
    """A network of video, which takes a list of frames."""

    knows_lmbda = False
    takes_clips = True

    def draw(self, step: int, count: int, device: torch.device) -> Drawn:
        """As in `Task`: nothing."""
        return {}

    def forward(self, call: Forward, x: Tensor, drawn: Drawn) -> Any:
        """As in `Task`; frames lie side by side in the channels."""
        return call(list(torch.split(x, 3, dim=1)))

    def points(self, qualities: list[float]) -> list[tuple[float | None, Drawn]]:
        """As in `Task`."""
        return [(None, {})]


def task_of(net: nn.Module, seed: int, rank: int = 0, world: int = 1) -> Task:
    """The kind of a network, told by what it has.

    Raises:
        ConfigError: it is of a kind that cannot be trained here.
    """
    if isinstance(net, ScaleSpaceFlow) or getattr(net, "takes_clips", False):
        return Clips()
    if hasattr(net, "Gain") and hasattr(net, "QuantABCD"):
        return Stages(net, seed)
    if hasattr(net, "num_levels") and callable(getattr(net, "lmbda", None)):
        return Levels(net, seed, rank, world)
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise ConfigError(f"{type(net).__name__} has nothing to train")
    return OneRate()
