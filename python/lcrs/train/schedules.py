"""How the learning rate goes: by the share of the run that is done, which steps or the clock give.

Schedules are found by name in `lcrs.registry.SCHEDULERS`: lcrs's own, which are here, and torch's classes.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, Protocol

from torch import optim

from lcrs.registry import SCHEDULERS, register_scheduler
from lcrs.train.config import ConfigError, ScheduleConfig, no_such

__all__ = ["Constant", "Cosine", "Plateau", "Schedule", "TorchSchedule", "WarmUpStableDecay", "make_schedule"]


class Schedule(Protocol):
    """Sets the learning rate of an optimiser."""

    def before_step(self, step: int, done: float) -> None:
        """Sets the rate of `step`, counted from 0, at the share `done` of the run."""
        ...

    def after_step(self) -> None:
        """Is told that the optimiser took a step."""
        ...

    def validated(self, loss: float) -> None:
        """Is told of a validation."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from there."""
        ...


class _Own:
    """What lcrs's own schedules share: a warm-up, and a rate between the peak and the last."""

    def __init__(self, optimizer: optim.Optimizer, config: ScheduleConfig) -> None:
        self.optimizer, self.config = optimizer, config
        self.peaks = [float(group["lr"]) for group in optimizer.param_groups]

    def share(self, done: float) -> float:
        """Where the rate is between the last (0) and the peak (1)."""
        raise NotImplementedError

    def before_step(self, step: int, done: float) -> None:
        """As in `Schedule`."""
        warm = min(1.0, (step + 1) / self.config.warm_up) if self.config.warm_up else 1.0
        share = self.share(done)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            last = min(self.config.last_lr, peak)
            rate = warm * (last + (peak - last) * share)
            if hasattr(group["lr"], "fill_"):  # of an optimiser whose steps are captured
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def after_step(self) -> None:
        """As in `Schedule`."""

    def validated(self, loss: float) -> None:
        """As in `Schedule`."""

    def state_dict(self) -> dict[str, Any]:
        """As in `Schedule`: nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As in `Schedule`."""


@register_scheduler("constant")
class Constant(_Own):
    """The peak, after a warm-up."""

    def share(self, done: float) -> float:
        """As in `_Own`."""
        return 1.0


@register_scheduler("cosine")
class Cosine(_Own):
    """Half a period of a cosine, from the peak to the last rate.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
    """

    def share(self, done: float) -> float:
        """As in `_Own`."""
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@register_scheduler("wsd")
class WarmUpStableDecay(_Own):
    """Constant up to a share of the run, then half a period of a cosine.

    Hu et al., "MiniCPM", COLM 2024, section 4. A run can go on later from where the rate was still constant.
    """

    def share(self, done: float) -> float:
        """As in `_Own`."""
        start = self.config.decay_from
        falling = max(0.0, done - start) / (1 - start)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))


@register_scheduler("plateau")
class Plateau(_Own):
    """Multiplies the rate by a factor when validation has not improved for a while."""

    def __init__(self, optimizer: optim.Optimizer, config: ScheduleConfig) -> None:
        super().__init__(optimizer, config)
        self.best, self.waited, self.factor = math.inf, 0, 1.0

    def share(self, done: float) -> float:
        """As in `_Own`."""
        return self.factor

    def validated(self, loss: float) -> None:
        """As in `Schedule`; as torch's `ReduceLROnPlateau`, better means by a ten-thousandth."""
        if loss < self.best * (1 - 1e-4):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.config.patience:
            self.factor, self.waited = self.factor * self.config.factor, 0

    def state_dict(self) -> dict[str, Any]:
        """As in `Schedule`."""
        return {"best": self.best, "waited": self.waited, "factor": self.factor}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As in `Schedule`."""
        self.best, self.waited, self.factor = state["best"], int(state["waited"]), state["factor"]


class TorchSchedule:
    """A class of `torch.optim.lr_scheduler`, stepped after each step or validation."""

    def __init__(self, scheduler: Any, every: str) -> None:
        self.scheduler, self.every = scheduler, every
        self._takes_loss = "metrics" in inspect.signature(scheduler.step).parameters  # of validations

    def before_step(self, step: int, done: float) -> None:
        """As in `Schedule`."""

    def after_step(self) -> None:
        """As in `Schedule`."""
        if self.every == "step" and not self._takes_loss:
            self.scheduler.step()

    def validated(self, loss: float) -> None:
        """As in `Schedule`."""
        if self._takes_loss:
            self.scheduler.step(loss)
        elif self.every == "validation":
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """As in `Schedule`."""
        return {"torch": self.scheduler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As in `Schedule`."""
        self.scheduler.load_state_dict(state["torch"])


_OWN: dict[Any, type[_Own]] = {kind: kind for kind in (Constant, Cosine, WarmUpStableDecay, Plateau)}


def make_schedule(optimizer: optim.Optimizer, config: ScheduleConfig) -> Schedule:
    """The schedule of a run.

    Raises:
        ConfigError: no schedule has that name, or not these options.
    """
    try:
        make = SCHEDULERS[config.type]
    except KeyError:
        raise ConfigError(f"schedule.type: {no_such(config.type, SCHEDULERS)}") from None
    if make in _OWN:
        if config.options:
            msg = (
                f"schedule.options is {config.options}, and {config.type} takes none: it has schedule.warm_up"
            )
            raise ConfigError(f"{msg}, schedule.last_lr, schedule.patience and the like")
        return _OWN[make](optimizer, config)
    try:
        return TorchSchedule(make(optimizer, **config.options), config.every)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"schedule.options of {config.type}: {error}") from error
