"""Renaming the parameters of older entropy bottlenecks, for users' models; those of lcrs take both names."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

__all__ = ["remap_old_keys"]

_NEW_NAMES = {"_matrix": "matrices", "_bias": "biases", "_factor": "factors"}


def remap_old_keys(module_name: str, state_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Renames `_matrix0` of the entropy bottleneck `module_name` to `matrices.0`, and so on, in place.

    Returns:
        `state_dict`.
    """
    for old, new in _NEW_NAMES.items():
        prefix = f"{module_name}.{old}"
        for key in [key for key in state_dict if key.startswith(prefix) and key[len(prefix) :].isdigit()]:
            state_dict[f"{module_name}.{new}.{key[len(prefix) :]}"] = state_dict.pop(key)
    return state_dict
