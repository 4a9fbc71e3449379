"""From a network to a package: the one way, whichever checkpoint the network was in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lcrs.models.packing import pack

__all__ = ["as_halves", "package_of"]


def package_of(
    net: nn.Module, name: str, card: Mapping[str, Any] | None = None, **options: Any
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What `lcrs.models.packing.pack` gives, as it is stored: the same bytes for the same network and card.

    Arguments and errors are those of `pack`.
    """
    model: Any = net
    description, tensors = pack(model, name, card, **options)
    return description, {key: np.ascontiguousarray(array) for key, array in as_halves(tensors).items()}


def as_halves(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Stores what binary16 holds exactly as binary16: the engine widens it again, to the same numbers."""
    halves = {}
    for key, array in tensors.items():
        half = array.astype(np.float16) if array.dtype == np.float32 else array
        halves[key] = half if np.array_equal(half.astype(array.dtype), array) else array
    return halves
