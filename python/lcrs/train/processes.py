"""One process or several, on one machine or more: started by accelerate's launcher or torchrun.

Every process takes its part of the batch of a step, and gradients are averaged in one piece once they are
there. No wrapper stands around the network, so that its methods, its frozen parts and its checkpoints are the
same as in one process; for networks of this size the exchange is far shorter than a step.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.train.config import ConfigError

__all__ = ["Processes"]


class Processes:
    """The processes of a run, seen from one of them.

    Args:
        device: As in the configuration.

    Attributes:
        device: Of this one.
        rank: Its number.
        world: How many there are.

    Raises:
        ConfigError: torch has no such device here.
        ModuleNotFoundError: there are several, and accelerate is missing.
    """

    def __init__(self, device: str) -> None:
        self.rank, self.world = 0, 1
        self._accelerator: Any = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            try:
                accelerate = importlib.import_module("accelerate")
            except ModuleNotFoundError:
                raise ModuleNotFoundError(
                    "several processes need accelerate: pip install '.[train]' in the sources of lcrs",
                    name="accelerate",
                ) from None
            self._accelerator = accelerate.Accelerator(cpu=device == "cpu")
            self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes
            self.device = torch.device(self._accelerator.device)
        else:
            self.device = _device_of(device)

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replaces gradients by their means over all processes."""
        if self.world == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        joined = torch.cat([gradient.float().flatten() for gradient in gradients])
        means = self._accelerator.reduce(joined, "mean").split([g.numel() for g in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def from_main(self, *numbers: float) -> list[float]:
        """The numbers that the main process has, in all of them."""
        if self.world == 1:
            return list(numbers)
        values = torch.tensor(numbers if self.is_main else [0.0] * len(numbers), dtype=torch.float64)
        return [float(value) for value in self._sum(values)]

    def largest(self, number: int) -> int:
        """The largest of a number over all processes, none negative."""
        if self.world == 1:
            return number
        gathered = self._accelerator.gather(torch.tensor([number], device=self.device))
        return int(gathered.max())

    def states(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """What all processes have, in the order of their ranks."""
        if self.world == 1:
            return [state]
        found: list[dict[str, Any]] = importlib.import_module("accelerate.utils").gather_object([state])
        return found

    def wait(self) -> None:
        """Until all are here."""
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()

    def end(self) -> None:
        """Leaves the group."""
        if self._accelerator is not None and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def _sum(self, values: Tensor) -> Tensor:
        total: Tensor = self._accelerator.reduce(values.to(self.device), "sum")
        return total


def _device_of(device: str) -> torch.device:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device={device} is not here: {reason}") from None
    return torch.device(device)
