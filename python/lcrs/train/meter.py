"""How a run goes: means over the last steps, images a second, time that was spent waiting for data."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from lcrs.train.config import Config

__all__ = ["Meter"]


class Meter:
    """Counts steps since the last time that it was asked.

    Args:
        config: Of the run.
        world: Number of processes.
    """

    def __init__(self, config: Config, world: int = 1) -> None:
        self.config, self.world = config, world
        self._names: list[str] = []
        self._sums: Tensor | None = None
        self._steps = self._finite = 0
        self._waited = 0.0
        self._since = self._began = time.monotonic()

    def begin_step(self) -> None:
        """A step begins, and its data are asked for."""
        self._began = time.monotonic()

    def data_came(self) -> None:
        """They are here."""
        self._waited += time.monotonic() - self._began

    def end_step(self, facts: dict[str, Tensor] | None) -> None:
        """The step is done; None if it was skipped. Looks at no value, which would wait for a GPU."""
        self._steps += 1
        if facts is not None:
            self._finite += 1
            self._names = list(facts)
            values = torch.stack([fact.float() for fact in facts.values()])
            self._sums = values if self._sums is None else self._sums + values

    def pause(self, since: float) -> None:
        """What was done from `since` until now, by `time.monotonic()`, was no training."""
        away = time.monotonic() - since
        if self._steps:
            self._since += away
        else:
            self._since = time.monotonic()

    def values(self, step: int, done: float, seconds: float) -> dict[str, Any]:
        """Means since the last call, and begins anew.

        Returns:
            "step", "steps", "done" (0 to 1), "seconds" of the run so far, "seconds_left", "loss", "bpp",
            "grad_norm", "images_per_s", "steps_per_s", "waiting" (share of the time), of pictures "psnr"
            (dB), and what else the loss tells.
        """
        now = time.monotonic()
        elapsed = max(now - self._since, 1e-9)
        means: dict[str, float] = {}
        if self._sums is not None:
            means = dict(zip(self._names, (self._sums / self._finite).tolist(), strict=True))
        values = {
            "step": step,
            "steps": self.config.steps,
            "done": min(1.0, done),
            "seconds": seconds,
            "seconds_left": seconds * (1 - done) / done if done > 0 else math.inf,
            "loss": means.pop("loss", math.nan),
            "bpp": means.pop("bpp", math.nan),
            "psnr": _psnr(means.pop("mse", math.nan)),
            "grad_norm": means.pop("norm", math.nan),
            "images_per_s": self._steps * self.config.batch * self.world / elapsed,
            "steps_per_s": self._steps / elapsed,
            "waiting": self._waited / elapsed,
            **means,
        }
        self._sums, self._steps, self._finite, self._waited, self._since = None, 0, 0, 0.0, now
        return values


def _psnr(mse: float) -> float:
    return -10 * math.log10(mse) if mse > 0 else math.nan
