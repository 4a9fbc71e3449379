"""What `torch.save` wrote, with everything but tensors and plain containers left lifeless.

Training scripts store NumPy scalars, arguments and configurations beside the weights. Torch refuses such
files, or runs what they say. Here a pickle gets no function and no class but those that make tensors; all
others are replaced by classes that take whatever they are given and do nothing.
"""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

__all__ = ["Lifeless", "load_lifeless"]

_HARMLESS = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
}


class Lifeless(dict[Any, Any]):
    """Stands for an object of any class; takes every step of unpickling, and keeps nothing but items."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Lifeless:
        """Ignores what a constructor would be given."""
        return dict.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Lifeless:
        """As a function has it."""
        return Lifeless()

    def __setstate__(self, state: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """As a list has it."""

    def extend(self, items: Any) -> None:
        """As a list has it."""

    def add(self, item: Any) -> None:
        """As a set has it."""

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__  # type: ignore[assignment]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """A class or function that may be called: one of torch's, or a lifeless one of that name."""
        known = _HARMLESS.get((module, name))
        if known is not None:
            return known
        if module in ("torch", "torch.storage") and name.isidentifier():
            value = getattr(torch.storage if module == "torch.storage" else torch, name, None)
            is_storage = isinstance(value, type) and name.endswith("Storage")
            if is_storage or isinstance(value, torch.dtype):
                return value
        return type(name, (Lifeless,), {"__module__": module})


def _load(file: Any, **options: Any) -> Any:
    return _Unpickler(file, **options).load()


def load_lifeless(path: Path) -> Any:
    """The content of a file, on the CPU.

    Raises:
        Exception: of almost any class, if `torch.save` did not write the file.
    """
    module = SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="pickle")
    return torch.load(path, map_location="cpu", pickle_module=module, weights_only=False)
