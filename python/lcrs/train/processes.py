"""One process or several, on one machine or more: started by accelerate's launcher or torchrun.

Every process takes its part of the batch of a step, and gradients are averaged in one piece once they are
there. No wrapper stands around the network, so that its methods, its frozen parts and its checkpoints are the
same as in one process; for networks of this size the exchange is far shorter than a step.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.errors import LcrsError
from lcrs.train.config import ConfigError

__all__ = ["OtherProcessError", "Processes"]


class OtherProcessError(LcrsError):
    """Another process of the run failed, so that this one cannot go on."""


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
            # Its functions have the group for a default that is there when they are defined, and the first
            # optimizer imports them: a group kept so lives on beyond `end`, and its threads may meet the
            # interpreter's end, which aborts the process.
            importlib.import_module("torch.distributed.nn")
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
        with _telling_of_others():
            reduced: Tensor = self._accelerator.reduce(joined, "mean")
        means = torch.split(reduced, [g.numel() for g in gradients])
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
        with _telling_of_others():
            gathered: Tensor = self._accelerator.gather(torch.tensor([number], device=self.device))
        return int(gathered.max())

    def of_all(self, value: Any) -> list[Any]:
        """What each process has, in the order of their ranks."""
        if self.world == 1:
            return [value]
        with _telling_of_others():
            found: list[Any] = importlib.import_module("accelerate.utils").gather_object([value])
        return found

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Where one process fails within, all do, instead of waiting for it for ever.

        What is within must not speak with the other processes. All leave it at the same time.

        Raises:
            OtherProcessError: another one failed; the message is the other's.
        """
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            if self.world == 1:
                raise
            failure = error
        if self.world == 1:
            return
        told = self.of_all(None if failure is None else _line(failure))
        if failure is not None:
            raise failure
        for rank, text in enumerate(told):
            if text is not None:
                raise OtherProcessError(f"process {rank} of {self.world} failed: {text}")

    def end(self) -> None:
        """Leaves the group."""
        if self._accelerator is not None and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def _sum(self, values: Tensor) -> Tensor:
        with _telling_of_others():
            total: Tensor = self._accelerator.reduce(values.to(self.device), "sum")
        return total


@contextlib.contextmanager
def _telling_of_others() -> Iterator[None]:
    """What is said where another process went away in the middle of a run."""
    try:
        yield
    except RuntimeError as error:
        raise OtherProcessError(
            f"another process of the run is gone, and its own message says why ({_line(error)})"
        ) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _device_of(device: str) -> torch.device:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device={device} is not here: {reason}") from None
    return torch.device(device)
