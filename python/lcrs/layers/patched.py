"""Functions of torch that others have replaced: what layers call then is not what their exact form says."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch.nn import functional

__all__ = ["patched_functions"]

_KINDS = (FunctionType, BuiltinFunctionType)
_CALLED = (
    "abs", "add", "addmm", "baddbmm", "bmm", "cat", "chunk", "clamp", "clamp_min", "conv2d", "div",
    "einsum", "erf", "exp", "lerp", "matmul", "max", "maximum", "mean", "min", "minimum", "mul", "pow",
    "relu", "round", "rsqrt", "sigmoid", "softmax", "split", "sqrt", "stack", "sub", "sum", "tanh",
    "unbind", "var", "where",
)  # fmt: skip
"""Those of `torch`, and of its tensors, that layers and people's own functions are made of."""


class _Functions:
    """Functions of a module or class, as they were when this was made."""

    def __init__(self, holder: Any, name: str, names: tuple[str, ...]) -> None:
        self._names, self._present, self._name = names, vars(holder).get, name
        self._released = self._now()
        # Whoever came before us.
        self._foreign = [each for each in names if _is_foreign(self._present(each))]

    def patched(self) -> list[str]:
        """Those that are others now."""
        now = self._now()
        if now == self._released and not self._foreign:  # the same objects, which takes microseconds to see
            return []
        triples = zip(self._names, now, self._released, strict=True)
        changed = {each for each, present, released in triples if present is not released}
        return [f"{self._name}.{each}" for each in sorted(changed.union(self._foreign))]

    def _now(self) -> tuple[Any, ...]:
        return tuple(map(self._present, self._names))


def _is_foreign(function: Any) -> bool:
    home = function.__globals__.get("__name__", "") if isinstance(function, FunctionType) else "torch"
    return home.partition(".")[0] != "torch"


_functions = (
    _Functions(
        functional,
        "torch.nn.functional",
        tuple(name for name, value in vars(functional).items() if isinstance(value, _KINDS)),
    ),
    _Functions(torch, "torch", _CALLED),
    _Functions(torch.Tensor, "torch.Tensor", _CALLED),
)


def patched_functions() -> list[str]:
    """Functions that layers are made of and that are not torch's own (any more), by name."""
    return [name for functions in _functions for name in functions.patched()]
