"""Torch modules run by the exact engine."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.errors import NotPortableError
from lcrs.layers.agreement import DisagreementError, check_network
from lcrs.layers.foreign import in_torch, report, run_in_torch
from lcrs.layers.lowering import lower
from lcrs.layers.module_state import state_key
from lcrs.layers.provenance import mark_exact
from lcrs.ops.cache import KeyedCache

__all__ = ["ExactNetwork", "suits_exact_engine"]


class ExactNetwork:
    """Runs a module on the exact engine: the same bits on every machine and for every number of threads.

    The module is lowered when it is first run, and again when it has changed. Its form is then compared with
    the module itself on a small input, unless nothing but numbers changed, or all layers are torch's and
    lcrs's own. Copies and pickles lower anew.
    """

    def __init__(self) -> None:
        self._graphs: KeyedCache[coding.Graph | str] = KeyedCache()
        self._checked: KeyedCache[bool] = KeyedCache()

    def run(
        self,
        module: nn.Module,
        x: Tensor,
        place: str,
        level: float | None = None,
        *,
        features_last: bool = False,
    ) -> Tensor:
        """Apply `module` to `x`, in torch where a part of it does not lower, if `lcrs.portability` allows.

        Args:
            module: What to run.
            x: (N, C, H, W), any device and dtype; taken as float32.
            place: Name of the module, for messages.
            level: For modules that depend on a rate level.
            features_last: The module is one that torch gives the channels last, such as linear layers.

        Returns:
            float32 (N, C', H', W') on the CPU, without gradient.

        Raises:
            NotPortableError: a part of the module does not lower, and portability is required; or its
                `lower()` does not compute what its `forward` does.
            ValueError: `x` or a parameter is not finite, or `x` has the wrong shape.
        """
        graph = self._graph(module, x, place, level, features_last)
        if isinstance(graph, str):
            report(module, graph)
            return run_in_torch(module, x, level, features_last=features_last)
        return mark_exact(_run(graph, x, level))

    def run_where_possible(self, module: nn.Module, x: Tensor, place: str) -> Tensor:
        """As `run` where nothing decides about bits but speed and reproducibility are welcome.

        That is for float32 on the CPU and modules that lower; others are applied by torch, in eval mode and
        in the type that they have.

        Raises:
            NotPortableError: the `lower()` of a part does not compute what its `forward` does.
        """
        if suits_exact_engine(x):
            graph = self._graph(module, x, place)
            if not isinstance(graph, str):
                return _run(graph, x)
        like = next((p for p in module.parameters() if p.is_floating_point()), x)
        with in_torch(module, x.device):
            y: Tensor = module(x.to(like.dtype))
        return y

    def lowers(self, module: nn.Module, x: Tensor, place: str) -> bool:
        """Whether `run` would use the exact engine."""
        return not isinstance(self._graph(module, x, place), str)

    def _graph(
        self,
        module: nn.Module,
        x: Tensor,
        place: str,
        level: float | None = None,
        features_last: bool = False,
    ) -> coding.Graph | str:
        """The form of `module`, or why it has none."""

        def build() -> coding.Graph | str:
            try:
                lowered = lower(module, place)
            except NotPortableError as error:
                return str(error)
            graph = coding.Graph(lowered.json, lowered.tensors)

            def check() -> bool:
                check_network(module, graph, x, place, level, features_last=features_last)
                return True

            try:
                self._checked.get(state_key(module, tensors=False), check)
            except DisagreementError as error:
                if not error.is_inherited:
                    raise
                return str(error)
            return graph

        return self._graphs.get(state_key(module), build)


def suits_exact_engine(x: Tensor) -> bool:
    """Whether `x` is what the engine takes as it is, float32 pictures on the CPU, and wants no gradient."""
    is_plain = x.dtype == torch.float32 and x.device.type == "cpu" and x.dim() == 4 and 0 not in x.shape[1:]
    return is_plain and not torch.is_grad_enabled()


def _run(graph: coding.Graph, x: Tensor, level: float | None = None) -> Tensor:
    plain = x.detach().to(device="cpu", dtype=torch.float32).contiguous()
    return torch.from_numpy(graph.run([plain.numpy()], level=level)["y"])
