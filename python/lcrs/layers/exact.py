"""Torch modules run by the exact engine."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.errors import NotPortableError
from lcrs.layers.lowering import lower
from lcrs.ops.cache import KeyedCache, fingerprint

__all__ = ["ExactNetwork", "suits_exact_engine"]


class ExactNetwork:
    """Runs a module on the exact engine: the same bits on every machine and for every number of threads.

    The module is lowered when it is first run, and again when its parameters have changed. Copies and pickles
    lower anew.
    """

    def __init__(self) -> None:
        self._graphs: KeyedCache[coding.Graph] = KeyedCache()

    def run(self, module: nn.Module, x: Tensor, place: str, level: float | None = None) -> Tensor:
        """Apply `module` to `x`.

        Args:
            module: What to run; every part of it must lower.
            x: (N, C, H, W), any device and dtype; taken as float32.
            place: Name of the module, for messages.
            level: For modules that depend on a rate level.

        Returns:
            float32 (N, C', H', W') on the CPU, without gradient.

        Raises:
            NotPortableError: a part of the module does not lower.
            ValueError: `x` or a parameter is not finite, or `x` has the wrong shape.
        """
        state = fingerprint(itertools.chain(module.parameters(), module.buffers()))
        graph = self._graphs.get(state + repr(module).encode(), lambda: _build(module, place))
        plain = x.detach().to(device="cpu", dtype=torch.float32).contiguous()
        return torch.from_numpy(graph.run([plain.numpy()], level=level)["y"])

    def run_where_possible(self, module: nn.Module, x: Tensor, place: str) -> Tensor:
        """As `run` where nothing decides about bits but speed and reproducibility are welcome.

        That is for float32 on the CPU and modules that lower; others are applied by torch, in the type that
        they have.
        """
        if suits_exact_engine(x):
            try:
                return self.run(module, x, place)
            except NotPortableError:
                pass
        dtype = next((p.dtype for p in module.parameters()), x.dtype)
        y: Tensor = module(x.to(dtype))
        return y


def suits_exact_engine(x: Tensor) -> bool:
    """Whether `x` is what the engine takes as it is, float32 pictures on the CPU, and wants no gradient."""
    is_plain = x.dtype == torch.float32 and x.device.type == "cpu" and x.dim() == 4 and 0 not in x.shape[1:]
    return is_plain and not torch.is_grad_enabled()


def _build(module: nn.Module, place: str) -> coding.Graph:
    graph = lower(module, place)
    return coding.Graph(graph.json, graph.tensors)
