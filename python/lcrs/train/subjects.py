"""What a network is of, and all that depends on it: where batches come from, the loss, validation, packing.

Pictures and clips are here. Another subject is a class with the same methods, and a network says which by an
attribute: `trains_on = MySubject()`, or "module:attribute" where only a training should load that module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lcrs.models import ScaleSpaceFlow
from lcrs.train.config import Config, ConfigError
from lcrs.train.data.opening import Data, open_data
from lcrs.train.objective import Objective
from lcrs.train.tasks import Clips, Task, task_of
from lcrs.train.validation import Validation, Validator

__all__ = ["Pictures", "Subject", "Video", "subject_of"]

Loss = Callable[..., tuple[Tensor, dict[str, Tensor]]]


class Subject(Protocol):
    """What a network is of.

    Attributes:
        rate_unit: What `bpp` counts, as displays say it.

    A subject may also have an `example_unit`: what displays count by the second, "images" unless said.
    """

    rate_unit: str

    def task(self, net: nn.Module, config: Config, rank: int = 0, world: int = 1) -> Task:
        """How batches go through the network."""
        ...

    def open_data(self, config: Config, device: torch.device, *, rank: int = 0, world: int = 1) -> Data:
        """Batches of any type that `Task.forward` takes, and what the validator is given."""
        ...

    def objective(self, config: Config, task: Task) -> Any:
        """A module that is called as `objective(out, batch, lmbda, middle)`.

        It gives the loss and detached scalars: "loss", "bpp", for pictures "mse", and what else is to be in
        the log. Its attributes `log_factor` (a tensor), `target_bpp` and `steer` are those of `Objective`.
        """
        ...

    def validator(
        self, config: Config, task: Task, objective: Any, data: Data
    ) -> Callable[[nn.Module], Validation]:
        """What is called on the network now and then; it takes no random number."""
        ...

    def pack(self, checkpoint: Path, output: Path, name: str, card: Mapping[str, Any]) -> None:
        """Writes the package of a `model.pt`.

        Raises:
            NotPortableError: there is none for this network.
        """
        ...


class Pictures:
    """Pictures, and networks of one rate, of levels or of scales on them."""

    rate_unit = "bpp"
    _is_video = False

    def task(self, net: nn.Module, config: Config, rank: int = 0, world: int = 1) -> Task:
        """As in `Subject`."""
        return task_of(net, config.seed, rank, world)

    def open_data(self, config: Config, device: torch.device, *, rank: int = 0, world: int = 1) -> Data:
        """As in `Subject`."""
        return open_data(config, device, video=self._is_video, rank=rank, world=world)

    def objective(self, config: Config, task: Task) -> Any:
        """As in `Subject`."""
        return Objective(config.loss, knows_lmbda=task.knows_lmbda)

    def validator(
        self, config: Config, task: Task, objective: Any, data: Data
    ) -> Callable[[nn.Module], Validation]:
        """As in `Subject`."""
        return Validator(config, task, objective, data.tune)

    def pack(self, checkpoint: Path, output: Path, name: str, card: Mapping[str, Any]) -> None:
        """As in `Subject`."""
        from lcrs.train.pack import pack_checkpoint

        pack_checkpoint(checkpoint, output, name, card)


class Video(Pictures):
    """Clips: frames side by side in the channels."""

    _is_video = True

    def task(self, net: nn.Module, config: Config, rank: int = 0, world: int = 1) -> Task:
        """As in `Subject`."""
        return Clips()


def subject_of(net: nn.Module) -> Subject:
    """What a network is of: what it says by `trains_on`, clips for `ssf2020`, or else pictures.

    Raises:
        ConfigError: it names what is not there.
    """
    named: Any = getattr(net, "trains_on", None)
    if named is None:
        is_video = isinstance(net, ScaleSpaceFlow) or getattr(net, "takes_clips", False)
        return Video() if is_video else Pictures()
    if not isinstance(named, str):
        return named  # type: ignore[no-any-return]
    module, _, attribute = named.partition(":")
    try:
        found: Subject = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{type(net).__name__}.trains_on is {named!r}, which cannot be loaded: {error}"
        ) from error
    return found
