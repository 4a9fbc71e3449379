"""A whole step as one captured CUDA graph: sampling, forward, backward, clipping, optimiser, average.

Small networks leave a GPU waiting for the CPU to launch their many kernels; a graph launches them at once.
What it takes: pictures in device memory, crops of one size, and nothing that looks at a value. Noise and
places come from the device's own generator, whose state checkpoints hold.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.train.config import Config, ConfigError
from lcrs.train.data.batches import Batches, DeviceBatches
from lcrs.train.random_states import set_random_states
from lcrs.train.tasks import Drawn, Levels, OneRate
from lcrs.train.trainer import Facts, Trainer

__all__ = ["CapturedStep", "check_capturable"]

_WARM_UP = 4


def check_capturable(config: Config, trainer: Trainer) -> None:
    """Refuses what no graph can hold.

    Raises:
        ConfigError: with the key that stands in the way.
    """
    needs = {
        f"device={trainer.device}: a CUDA device": trainer.device.type == "cuda",
        f"data.keep={config.data.keep}: data.keep=device": config.data.keep == "device",
        "phases: none": not config.phases,
        "loss.target_bpp: none": config.loss.target_bpp is None,
        "optimizer.aux_lr: none": config.optimizer.aux_lr is None,
        "several processes: one": trainer.processes.world == 1,
        f"optimizer.type={config.optimizer.type}: Adam or AdamW": config.optimizer.type in ("Adam", "AdamW"),
        "this network: one of a rate or of levels": isinstance(trainer.task, Levels | OneRate),
    }
    for words, is_met in needs.items():
        if not is_met:
            what, _, need = words.rpartition(": ")
            raise ConfigError(
                f"loop.graph captures the whole step, and with {what} it cannot: it needs {need}"
            )


class CapturedStep:
    """The step of a trainer, captured when it is first taken.

    Args:
        trainer: Its network, optimiser and average.
        batches: In device memory.
    """

    def __init__(self, trainer: Trainer, batches: Batches) -> None:
        assert isinstance(batches, DeviceBatches)
        self.trainer, self.batches = trainer, batches
        self._facts: Facts = {}
        self._graph: torch.cuda.CUDAGraph | None = None
        self._skipped = torch.zeros((), device=trainer.device)
        self._in_a_row = torch.zeros((), device=trainer.device)
        self._count = 0

    def step(self) -> Facts | None:
        """One step; looks only now and then whether steps were finite.

        Returns:
            None if of the last hundred steps all were skipped, else facts.
        """
        if self._graph is None:
            self._capture()
        assert self._graph is not None
        self._graph.replay()
        self._count += 1
        if self._count % 100 == 0:
            self.trainer.num_skipped += int(self._skipped)
            self._skipped.zero_()
            if int(self._in_a_row) >= self.trainer.config.loop.max_skipped:
                self.trainer.skipped_in_a_row = int(self._in_a_row)
                self.trainer.guilty = "a tensor inside the captured step; loop.graph=false names it"
                return None
        return {name: value.clone() for name, value in self._facts.items()}

    def _capture(self) -> None:
        """Takes a few steps beside the run, takes them back, and captures one."""
        # Copies: a state dict holds the tensors themselves.
        state = copy.deepcopy(self.trainer.state_dict())
        kept = state["model"]
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._operations()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        self.trainer.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self._graph):
            self._operations()
        torch.cuda.synchronize()
        self._take_back(kept, state)

    @torch.no_grad()
    def _take_back(self, kept: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Undoes the steps of the warm-up, in place: the graph knows these tensors."""
        for key, value in self.trainer.net.state_dict().items():
            value.copy_(kept[key])
        saved: dict[int, dict[str, Tensor]] = state["optimizer"]["state"]
        parameters = [p for group in self.trainer.optimizer.param_groups for p in group["params"]]
        for number, parameter in enumerate(parameters):
            for name, tensor in self.trainer.optimizer.state[parameter].items():
                before = saved.get(number, {}).get(name)
                if before is None or (self._count == 0 and not saved):
                    tensor.zero_()
                else:
                    tensor.copy_(before)
        if self.trainer.average is not None:
            self.trainer.average.load_state_dict(state["average"])
        set_random_states(state["random"])
        self._skipped.zero_()
        self._in_a_row.zero_()

    def _drawn(self, count: int) -> Drawn:
        task, device = self.trainer.task, self.trainer.device
        if not isinstance(task, Levels):
            return {}
        places = (torch.rand(count, device=device) + torch.arange(count, device=device)) / count
        return task.at(places * (task.num_levels - 1))

    def _operations(self) -> None:
        """What is captured."""
        trainer = self.trainer
        x = self.batches.draw(trainer.crop)
        loss, facts = trainer.loss(trainer.call, x, self._drawn(x.shape[0]))
        trainer.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(trainer.parameters, trainer.config.optimizer.clip or math.inf)
        is_finite = torch.isfinite(norm) & torch.isfinite(facts["loss"])
        for parameter in trainer.parameters:
            if parameter.grad is not None:
                parameter.grad.copy_(torch.where(is_finite, parameter.grad, torch.zeros_like(parameter.grad)))
        trainer.optimizer.step()
        self._skipped.add_(~is_finite)
        self._in_a_row.copy_(torch.where(is_finite, torch.zeros_like(self._in_a_row), self._in_a_row + 1))
        if trainer.average is not None:
            torch._foreach_lerp_(
                trainer.average.values, list(trainer.net.parameters()), 1 - trainer.average.decay
            )
        self._facts = {**facts, "norm": norm.detach()}
