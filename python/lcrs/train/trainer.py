"""One step after another: forward, backward, clipping, optimiser, average, and their state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn, optim

from lcrs.registry import OPTIMIZERS
from lcrs.train.averaging import WeightAverage
from lcrs.train.config import Config, ConfigError, Phase
from lcrs.train.guard import INNOCENT, first_guilty
from lcrs.train.processes import Processes
from lcrs.train.quantization import MixedQuantization, harden, soften
from lcrs.train.random_states import random_states, seed_step, set_random_states
from lcrs.train.schedules import make_schedule
from lcrs.train.subjects import subject_of
from lcrs.train.tasks import Drawn, Stages, Task

__all__ = ["Trainer", "check_choices"]

Facts = dict[str, Tensor]


def check_choices(config: Config, device: torch.device) -> None:
    """Makes the optimiser and the schedule of a run for nothing: what is wrong with them is said at once, and
    not after hours in which pictures were read.

    Raises:
        ConfigError: there is none of that name, or not with these options.
    """
    optimizer = _optimizer([nn.Parameter(torch.zeros(1, device=device))], config, device)
    make_schedule(optimizer, config.schedule)


def _optimizer(parameters: list[nn.Parameter], config: Config, device: torch.device) -> optim.Optimizer:
    """The optimiser that the configuration names, in its fastest form."""
    options = dict(config.optimizer.options)
    if isinstance(options.get("betas"), list):
        options["betas"] = tuple(options["betas"])
    kind = config.optimizer.type
    attempts: list[dict[str, Any]] = [options]
    if kind in ("Adam", "AdamW") and not {"fused", "foreach"} & options.keys():
        attempts.insert(0, {**options, "fused": True})
    rate: Any = config.optimizer.lr
    if config.loop.graph:
        attempts[0]["capturable"] = True
        rate = torch.tensor(rate, device=device)
    for fused in attempts:
        try:
            made: optim.Optimizer = OPTIMIZERS.create(kind, parameters, lr=rate, **fused)
            return made
        except KeyError as error:
            raise ConfigError(f"optimizer.type: {error.args[0]}") from None
        except (TypeError, ValueError, RuntimeError) as error:
            if fused is attempts[-1]:
                raise ConfigError(f"optimizer.options of {kind}: {error}") from error
    raise AssertionError


class Trainer:
    """A network being trained.

    Args:
        net: On the device of `processes`.
        config: Of the run.
        processes: This one and its like.

    Attributes:
        task: How batches go through the network.
        objective: The loss.
        average: Of the weights, if there is one.
        num_skipped: Steps that were not finite.
        guilty: The tensor that was to blame for the last of them.

    Raises:
        ConfigError: the configuration does not fit the network.
    """

    def __init__(self, net: nn.Module, config: Config, processes: Processes) -> None:
        self.net, self.config, self.processes = net, config, processes
        self.device = processes.device
        subject = subject_of(net)
        self.task: Task = subject.task(net, config, processes.rank, processes.world)
        self.objective: Any = subject.objective(config, self.task).to(self.device)
        aux = config.optimizer.aux_lr
        own = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
        # Tails come from bisection; only an optimiser of their own ever moves them.
        quantiles = [p for name, p in own if name.rpartition(".")[2] == "quantiles"]
        for parameter in quantiles if aux is None else []:
            parameter.requires_grad_(False)
        self.parameters = [p for name, p in own if name.rpartition(".")[2] != "quantiles"]
        self.optimizer = _optimizer(self.parameters, config, self.device)
        self.aux_optimizer = None
        if aux is not None:
            if not quantiles:
                raise ConfigError("optimizer.aux_lr is for quantiles, and this network has none")
            self.aux_optimizer = optim.Adam(quantiles, lr=aux)
        self.schedule = make_schedule(self.optimizer, config.schedule)
        self.average = WeightAverage(net, config.loop.ema) if config.loop.ema else None
        self.num_skipped, self.skipped_in_a_row, self.guilty = 0, 0, ""
        self.crop = config.crop
        self._mixed: MixedQuantization | None = None
        self._quantization: str = config.model.quantization
        self._phase = -1
        self._frozen: list[nn.Parameter] = []
        self._set_quantization(config.model.quantization)
        self.call: Callable[..., Any] = torch.compile(net, dynamic=False) if config.loop.compile else net

    # --- phases ---

    def enter_phase(self, done: float) -> Phase | None:
        """Does what the phases say for the share `done` of the run; returns one that begins."""
        due = [k for k, phase in enumerate(self.config.phases) if phase.from_ <= done]
        if not due or due[-1] == self._phase:
            return None
        # What phases leave out stays from those before.
        for k in range(self._phase + 1, due[-1] + 1):
            self._apply(self.config.phases[k])
        self._phase = due[-1]
        return self.config.phases[self._phase]

    def _apply(self, phase: Phase) -> None:
        if phase.crop is not None:
            self.crop = phase.crop
        if phase.stage is not None:
            if not isinstance(self.task, Stages):
                raise ConfigError(
                    f"phases: stage={phase.stage} is for CompressAI's models of variable rate (...-vbr)"
                )
            self.task.stage = phase.stage
        if phase.freeze is not None:
            self._freeze(phase.freeze)
        if phase.quantization is not None:
            self._set_quantization(phase.quantization)

    def _freeze(self, names: list[str]) -> None:
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        self._frozen = []
        for name in names:
            found = [
                parameter
                for path, parameter in self.net.named_parameters()
                if parameter.requires_grad and f".{name}." in f".{path}."
            ]
            if not found:
                parts = ", ".join(name for name, _ in self.net.named_children())
                raise ConfigError(f"phases: freeze names {name!r}, and the network's parts are {parts}")
            self._frozen += found
        for parameter in self._frozen:
            parameter.requires_grad_(False)
            parameter.grad = None

    def _set_quantization(self, kind: str) -> None:
        if kind == "hard" and not self._frozen:
            raise ConfigError('phases: quantization = "hard" needs freeze: nothing reaches the encoder')
        if self._mixed is not None:
            self._mixed.close()
            self._mixed = None
        self._quantization = kind
        soften(self.net)
        if kind == "mixed":
            self._mixed = MixedQuantization(self.net)
        elif kind == "hard":
            harden(self.net)

    # --- steps ---

    def step(self, x: Any, step: int) -> Facts | None:
        """One step on a batch; None if it was not finite, and weights are as before.

        Args:
            x: (N, C, H, W) in [0, 1], or what other subjects have.
            step: Counted from 0; decides levels and noise.
        """
        seed_step(self.config.seed, step, self.processes.rank, self.device)
        drawn = self.task.draw(step, self.config.batch, self.device)
        loss, facts = self.loss(self.call, x, drawn)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.processes.average_gradients(self.parameters)
        clip = self.config.optimizer.clip or math.inf
        norm = nn.utils.clip_grad_norm_(self.parameters, clip)
        # The norm is the same in all processes, so that all of them skip; a loss is each one's own.
        is_finite = math.isfinite(float(norm))
        if self.processes.world == 1:
            is_finite = is_finite and math.isfinite(float(facts["loss"]))
        if not is_finite:
            self._skip(x, step, drawn)
            return None
        self.skipped_in_a_row = 0
        self.optimizer.step()
        self.schedule.after_step()
        if self.aux_optimizer is not None:
            self._auxiliary_step(self.aux_optimizer)
        if self.average is not None:
            self.average.update()
        if self.objective.target_bpp is not None:
            (bpp,) = self.processes.from_main(float(facts["bpp"]))
            self.objective.steer(bpp)
        facts["norm"] = norm.detach()
        return facts

    def loss(self, call: Callable[..., Any], x: Any, drawn: Drawn) -> tuple[Tensor, Facts]:
        """The loss of a batch, and its facts."""
        if self.config.loop.precision == "bf16":
            with torch.autocast(self.device.type, torch.bfloat16):
                out = self.task.forward(call, x, drawn)
        else:
            out = self.task.forward(call, x, drawn)
        loss: tuple[Tensor, Facts] = self.objective(out, x, drawn.get("lmbda"), drawn.get("middle"))
        return loss

    def _skip(self, x: Any, step: int, drawn: Drawn) -> None:
        """Finds who is to blame for a step that is not finite, and leaves the weights alone."""
        self.num_skipped += 1
        self.skipped_in_a_row += 1

        def again() -> Tensor:
            seed_step(self.config.seed, step, self.processes.rank, self.device)
            return self.loss(self.net, x, drawn)[0]

        guilty = first_guilty(self.net, x, again)
        # One process may be to blame for all.
        self.guilty = next((name for name in self.processes.of_all(guilty) if name != INNOCENT), INNOCENT)
        self.optimizer.zero_grad(set_to_none=True)

    def _auxiliary_step(self, optimizer: optim.Optimizer) -> None:
        """Moves quantiles under `aux_loss()`, as CompressAI's loop does."""
        optimizer.zero_grad(set_to_none=True)
        net: Any = self.net
        loss = net.aux_loss()
        total: Tensor = torch.stack(loss).sum() if isinstance(loss, list) else loss
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    # --- checkpoints ---

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on as if nothing had happened."""
        return {
            "model": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "aux_optimizer": self.aux_optimizer.state_dict() if self.aux_optimizer else None,
            "schedule": self.schedule.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "log_factor": float(self.objective.log_factor),
            "num_skipped": self.num_skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
            "random": random_states(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`."""
        self.net.load_state_dict(state["model"])
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            if isinstance(rate, Tensor):  # captured steps know this tensor
                rate.copy_(torch.as_tensor(group["lr"]))
                group["lr"] = rate
        if self.aux_optimizer is not None and state["aux_optimizer"] is not None:
            self.aux_optimizer.load_state_dict(state["aux_optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average is not None and state["average"] is not None:
            self.average.load_state_dict(state["average"])
        self.objective.log_factor.fill_(state["log_factor"])
        self.num_skipped, self.skipped_in_a_row = int(state["num_skipped"]), int(state["skipped_in_a_row"])
        set_random_states(state["random"])
