"""The moving average of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Exponential moving average of the parameters of a network; its buffers are taken as they are.

    Early on the decay is smaller, n + 1 over n + 10, so that the average is not one of the beginning.

    Args:
        net: The network.
        decay: Of an old value at each step.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay, self.num_steps = decay, 0
        self._parameters: list[Tensor] = list(net.parameters())
        self.values = [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the present weights."""
        decay = min(self.decay, (self.num_steps + 1) / (self.num_steps + 10))
        self.num_steps += 1
        torch._foreach_lerp_(self.values, self._parameters, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, the network has the averaged weights."""
        present = [p.detach().clone() for p in self._parameters]
        self._fill(self.values)
        try:
            yield
        finally:
            self._fill(present)

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.copy_(value)

    def state_dict(self) -> dict[str, object]:
        """What is needed to go on."""
        return {"num_steps": self.num_steps, "values": [value.detach().cpu() for value in self.values]}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, object]) -> None:
        """Goes on from there."""
        self.num_steps = int(state["num_steps"])  # type: ignore[call-overload]
        for value, saved in zip(self.values, state["values"], strict=True):  # type: ignore[call-overload]
            value.copy_(saved)
