"""Where a transform takes its random numbers from."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import get_worker_info

from lcrs.transforms.point.fields import PointTransform

__all__ = ["RandomTransform"]


class RandomTransform(PointTransform):
    """A transform that draws.

    Args:
        seed: Seeds a generator of its own, once in each process; in a worker of a data loader the number
            of the worker is added. Without it, torch's own generator is used.
        static_seed: Seeds it again at each call, so that equal clouds give equal results.
    """

    def __init__(self, *, seed: int | None = None, static_seed: int | None = None) -> None:
        self.seed = seed
        self.static_seed = static_seed
        self._generator: torch.Generator | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the generator: another process has its own."""
        return {**self.__dict__, "_generator": None}

    def generator(self) -> torch.Generator | None:
        """The generator for one call, on the CPU; None for torch's."""
        if self.static_seed is not None:
            return torch.Generator().manual_seed(self.static_seed)
        if self.seed is None:
            return None
        if self._generator is None:
            worker = get_worker_info()
            self._generator = torch.Generator().manual_seed(self.seed + (worker.id if worker else 0))
        return self._generator
