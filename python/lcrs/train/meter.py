"""How a run goes: means over the last steps, images a second, time that was spent waiting for data."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from lcrs.train.config import Config

__all__ = ["Meter"]

_NAMES = ("loss", "bpp", "mse", "norm")


class Meter:
    """Counts steps since the last time that it was asked.

    Args:
        config: Of the run.
        world: Number of processes.
    """

    def __init__(self, config: Config, world: int = 1) -> None:
        self.config, self.world = config, world
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
            values = torch.stack([facts[name].float() for name in _NAMES])
            self._sums = values if self._sums is None else self._sums + values

    def values(self, step: int, done: float, seconds: float) -> dict[str, Any]:
        """Means since the last call, and begins anew.

        Returns:
            "step", "steps", "done" (0 to 1), "seconds" of the run so far, "seconds_left", "loss", "bpp",
            "psnr" (dB), "grad_norm", "images_per_s", "steps_per_s", "waiting" (share of the time).
        """
        now = time.monotonic()
        elapsed = max(now - self._since, 1e-9)
        means = [math.nan] * len(_NAMES)
        if self._sums is not None:
            means = (self._sums / self._finite).tolist()
        loss, bpp, mse, norm = means
        values = {
            "step": step,
            "steps": self.config.steps,
            "done": min(1.0, done),
            "seconds": seconds,
            "seconds_left": seconds * (1 - done) / done if done > 0 else math.inf,
            "loss": loss,
            "bpp": bpp,
            "psnr": -10 * math.log10(mse) if mse > 0 else math.nan,
            "grad_norm": norm,
            "images_per_s": self._steps * self.config.batch * self.world / elapsed,
            "steps_per_s": self._steps / elapsed,
            "waiting": self._waited / elapsed,
        }
        self._sums, self._steps, self._finite, self._waited, self._since = None, 0, 0, 0.0, now
        return values
