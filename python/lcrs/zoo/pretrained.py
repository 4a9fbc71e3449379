"""State dicts of older and of wrapped models, with the keys that models have now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

__all__ = ["load_pretrained", "load_state_dict", "rename_key"]

_T = TypeVar("_T")

# What wrappers put before every key: DataParallel and DistributedDataParallel, torch.compile.
_WRAPPERS = ("module.", "_orig_mod.")
_DENSITY = re.compile(r"(^|\.)_(biases|matrices|factors)\.(\d+)$")
_SINGULAR = {"biases": "bias", "matrices": "matrix", "factors": "factor"}


def rename_key(key: str) -> str:
    """The present name of a parameter.

    Prefixes of wrappers go, `.downsample.` becomes `.skip.`, and the density parameters of entropy
    bottlenecks, at any depth, get the form that every version loads: `_matrices.0` becomes `_matrix0`.

    Example:
        >>> rename_key("module.g_a.0.downsample.weight")
        'g_a.0.skip.weight'
        >>> rename_key("latent_codec.z.entropy_bottleneck._biases.2")
        'latent_codec.z.entropy_bottleneck._bias2'
    """
    while key.startswith(_WRAPPERS):
        key = key.partition(".")[2]
    key = key.replace(".downsample.", ".skip.")
    return _DENSITY.sub(lambda match: f"{match[1]}_{_SINGULAR[match[2]]}{match[3]}", key)


def load_pretrained(state_dict: Mapping[str, _T]) -> dict[str, _T]:
    """`state_dict` with the present names of its parameters, in the same order.

    Raises:
        ValueError: two parameters get one name.
    """
    renamed: dict[str, _T] = {}
    for key, value in state_dict.items():
        name = rename_key(key)
        if name in renamed:
            raise ValueError(f"state dict has {name!r} twice, the second time as {key!r}")
        renamed[name] = value
    return renamed


load_state_dict = load_pretrained
