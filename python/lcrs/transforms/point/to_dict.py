"""Named arrays as named tensors."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from lcrs.registry import register_transform
from lcrs.transforms.point.fields import PointTransform

__all__ = ["ToDict"]

_GEOMETRIC = "torch_geometric.data.Data"


@register_transform("ToDict")
class ToDict(PointTransform):
    """Makes a dictionary of tensors of whatever has `items`, or a `Data` of torch-geometric.

    Args:
        wrapper: "dict", or "torch_geometric.data.Data", for which that package has to be installed.

    Raises:
        ModuleNotFoundError: It is not.
        ValueError: There is no such `wrapper`.
    """

    def __init__(self, *, wrapper: str = "dict") -> None:
        if wrapper not in ("dict", _GEOMETRIC):
            raise ValueError(f"wrapper is {wrapper!r}: there are dict, {_GEOMETRIC}")
        self.wrapper = wrapper
        if wrapper == _GEOMETRIC:
            self._data()

    def _data(self) -> Any:
        try:
            return import_module("torch_geometric.data").Data
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"wrapper {_GEOMETRIC} needs torch-geometric: pip install torch-geometric", name=error.name
            ) from error

    def forward(self, data: Any) -> Any:
        """The tensors: copies of arrays that cannot be written to, tensors and other arrays as they are."""
        items = data.items() if hasattr(data, "items") else vars(data).items()
        tensors = {name: _tensor(value) for name, value in items if value is not None}
        return tensors if self.wrapper == "dict" else self._data()(**tensors)

    def __repr__(self) -> str:
        return f"ToDict(wrapper={self.wrapper!r})"


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    writeable = getattr(getattr(value, "flags", None), "writeable", True)
    return torch.as_tensor(value if writeable else value.copy())
