"""What a cloud is in a training program: named tensors, in one of three kinds of thing."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["PointTransform", "changed", "field", "has_field", "positions"]


class PointTransform:
    """A transform of a cloud: a dictionary, a `torch_geometric.data.Data`, or any object with attributes.

    The cloud that is given is left as it is; a new one of its kind comes back, which shares with it whatever
    was not changed. Arrays of NumPy do for tensors. Derived classes define `forward`, as those of
    torch-geometric do.
    """

    def __call__(self, data: Any) -> Any:
        """The transformed cloud."""
        return self.forward(data)

    def forward(self, data: Any) -> Any:
        """The transformed cloud."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def has_field(data: Any, name: str) -> bool:
    """Whether there is a tensor of that name."""
    if isinstance(data, Mapping):
        return data.get(name) is not None
    return getattr(data, name, None) is not None


def field(data: Any, name: str) -> Tensor:
    """The tensor of a name.

    Raises:
        KeyError: There is none.
    """
    if not has_field(data, name):
        raise KeyError(f"the cloud has no {name!r}")
    return torch.as_tensor(data[name] if isinstance(data, Mapping) else getattr(data, name))


def positions(data: Any) -> Tensor:
    """The field `pos`, floating point.

    Raises:
        KeyError: There is none.
        ValueError: It is not (N, D), or N is zero.
    """
    found = field(data, "pos")
    if found.ndim != 2 or not len(found):
        raise ValueError(f"pos has shape {tuple(found.shape)}: (N, D) is needed, of at least one point")
    return found if found.is_floating_point() else found.to(torch.float32)


def changed(data: Any, **fields: Tensor | None) -> Any:
    """A new cloud of the same kind with some fields set, or left out where None."""
    if isinstance(data, Mapping):
        kept = {name: value for name, value in data.items() if name not in fields}
        return kept | {name: value for name, value in fields.items() if value is not None}
    found = copy.copy(data)
    for name, value in fields.items():
        setattr(found, name, value)
    return found
