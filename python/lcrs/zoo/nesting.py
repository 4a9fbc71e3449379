"""Where in a checkpoint the network's state dict lies, and which of its entries are the network's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

__all__ = ["find_state_dict", "only_network"]

_NAMES = (
    "network", "state_dict", "model_state_dict", "net_state_dict", "net", "model", "module",
    "ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "ema_params", "shadow", "params",
)  # fmt: skip
"""Under what training scripts keep it, by preference: averaged weights only if there are no others."""

_MAX_DEPTH = 4
_PARTS = re.compile(r"(?:^|(?<=\.))(?:g_a|img_encoder|latent_codec|entropy_bottleneck)\.")
"""Where the network's own part of a key begins, in most."""
_COPIES = re.compile(r"(?:^|[._])(?:ema|teacher|averaged|shadow)(?=[._])")
_COUNTERS = ("total_ops", "total_params")
"""What thop leaves in every module."""


def find_state_dict(content: Any) -> Mapping[str, Tensor] | None:
    """The mapping of names to tensors in a checkpoint, without what else is in it; None if there is none."""
    for found in _mappings(content, _MAX_DEPTH):
        tensors = {key: value for key, value in found.items() if isinstance(value, Tensor)}
        if tensors and all(isinstance(key, str) for key in tensors):
            return tensors
    return None


def _mappings(content: Any, depth: int) -> Iterator[Mapping[Any, Any]]:
    """`content` and what it has under known names, the innermost first."""
    if not isinstance(content, Mapping) or not depth:
        return
    for name in _NAMES:
        yield from _mappings(content.get(name), depth - 1)
    yield content


def only_network(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of the network, without what a wrapper puts before their keys.

    A Lightning module, for example, has the network under "model." and losses beside it. Where there are
    several networks, copies with averaged weights and teachers count least, then the one with fewer entries.
    """
    kept = {key: value for key, value in state_dict.items() if key.rpartition(".")[2] not in _COUNTERS}
    found = {key[: match.start()] for key in kept if (match := _PARTS.search(key))}
    # A part of a part, such as the entropy bottleneck of a hyperprior, is no network of its own.
    outer = [
        prefix for prefix in found if not any(prefix != other and prefix.startswith(other) for other in found)
    ]
    if not outer or outer == [""]:
        return kept

    def rank(prefix: str) -> tuple[bool, int, int]:
        num_entries = sum(key.startswith(prefix) for key in kept)
        return bool(_COPIES.search(prefix)), -num_entries, len(prefix)

    chosen = min(outer, key=rank)
    return {key.removeprefix(chosen): value for key, value in kept.items() if key.startswith(chosen)}
