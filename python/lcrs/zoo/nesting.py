"""Where in a checkpoint the network's state dict lies, and which of its entries are the network's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from lcrs.entropy_models.tables import TABLE_BUFFERS

__all__ = ["Found", "find_state_dict", "why_none"]

_PLAIN = (
    "network", "state_dict", "model_state_dict", "net_state_dict", "net", "model", "module", "params",
)  # fmt: skip
_AVERAGED = (
    "ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "ema_params", "params_ema", "shadow",
)  # fmt: skip
"""Under what training scripts keep it, by preference."""

_MAX_DEPTH = 4
_PARTS = re.compile(r"(?:^|(?<=\.))(?:g_a|img_encoder|latent_codec|entropy_bottleneck)\.")
"""Where the network's own part of a key begins, in most."""
_AVERAGED_PREFIX = re.compile(r"(?:^|[._])(?:ema|averaged|shadow)(?=[._])(?!.*online)")
_TEACHER_PREFIX = re.compile(r"(?:^|[._])teacher(?=[._])")
_COUNTERS = ("total_ops", "total_params")
"""What thop leaves in every module."""
_DERIVED = (*TABLE_BUFFERS, "scale_table")


class Found(NamedTuple):
    """What a checkpoint has of a network.

    Attributes:
        state_dict: The entries of the network, without what a wrapper puts before their keys.
        note: Which weights they are, where there are averaged and plain ones; else empty.
    """

    state_dict: dict[str, Tensor]
    note: str


class _Weights(NamedTuple):
    """One set of weights of several."""

    place: str
    is_averaged: bool
    tensors: dict[str, Tensor]


def find_state_dict(content: Any) -> Found | None:
    """The network's mapping of names to tensors in a checkpoint, without what else is in it; or None.

    Where there are averaged weights (EMA) and plain ones, the averaged are taken: they are what a model is
    evaluated with. They must have all that the plain ones have, but for tables, which are derived.
    """
    candidates, notes = [], []
    for place, found in _mappings(content, _MAX_DEPTH, ()):
        tensors = {key: value for key, value in found.items() if isinstance(value, Tensor)}
        if tensors and all(isinstance(key, str) for key in tensors):
            is_averaged = any(name in _AVERAGED for name in place)
            weights, note = _only_network(tensors)
            candidates.append(_Weights(".".join(place), is_averaged, weights))
            notes.append(note)
    if not candidates:
        return None
    plain = next((weights for weights in candidates if not weights.is_averaged), None)
    averaged = next((weights for weights in candidates if weights.is_averaged), None)
    chosen, note = _preferred(plain, averaged)
    inner = notes[next(i for i, weights in enumerate(candidates) if weights is chosen)]
    return Found(chosen.tensors, note or inner)


def _preferred(plain: _Weights | None, averaged: _Weights | None) -> tuple[_Weights, str]:
    """Which of two sets is the network, and what is to be said of that."""
    if plain is None or averaged is None:
        chosen = plain or averaged
        assert chosen is not None
        return chosen, ""
    if not plain.tensors.keys() & averaged.tensors.keys():  # one is a counter or the like
        return max(averaged, plain, key=lambda weights: len(weights.tensors)), ""
    needed = {key for key in plain.tensors if key.rpartition(".")[2] not in _DERIVED}
    lacking = sorted(needed - averaged.tensors.keys())
    both = f"averaged weights under {averaged.place!r} and plain ones under {plain.place!r}"
    if lacking:
        return plain, f"{both}: the plain are taken, since the averaged lack {lacking[0]!r}"
    return averaged, f"{both}: the averaged are taken"


def _mappings(
    content: Any, depth: int, place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """`content` and what it has under known names, with these, the innermost first."""
    if not isinstance(content, Mapping) or not depth:
        return
    for name in (*_PLAIN, *_AVERAGED):
        yield from _mappings(content.get(name), depth - 1, (*place, name))
    yield place, content


def _only_network(state_dict: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The entries of the network, without what a wrapper puts before their keys; and a note as `Found` has.

    A Lightning module, for example, has the network under "model." and losses beside it. Where there are
    several networks, teachers count least, then those with fewer entries; averaged weights go before those
    that they are of.
    """
    kept = {key: value for key, value in state_dict.items() if key.rpartition(".")[2] not in _COUNTERS}
    found = {key[: match.start()] for key in kept if (match := _PARTS.search(key))}
    # A part of a part, such as the entropy bottleneck of a hyperprior, is no network of its own.
    outer = [
        prefix
        for prefix in found
        if prefix == "" or not any(prefix != other and other and prefix.startswith(other) for other in found)
    ]
    if "" in found:
        outer = [prefix for prefix in outer if prefix == "" or _AVERAGED_PREFIX.search(prefix)]
    if not outer or outer == [""]:
        return kept, ""

    def under(prefix: str, others: list[str]) -> dict[str, Tensor]:
        longer = tuple(other for other in others if other != prefix and other.startswith(prefix))
        return {
            key.removeprefix(prefix): value
            for key, value in kept.items()
            if key.startswith(prefix) and not (longer and key.startswith(longer))
        }

    sets = [_Weights(prefix, bool(_AVERAGED_PREFIX.search(prefix)), under(prefix, outer)) for prefix in outer]

    def rank(weights: _Weights) -> tuple[bool, int, int]:
        return bool(_TEACHER_PREFIX.search(weights.place)), -len(weights.tensors), len(weights.place)

    plain = min((weights for weights in sets if not weights.is_averaged), key=rank, default=None)
    averaged = min((weights for weights in sets if weights.is_averaged), key=rank, default=None)
    if plain is not None and averaged is not None and _TEACHER_PREFIX.search(plain.place):
        plain = None
    chosen, note = _preferred(plain, averaged)
    return chosen.tensors, note


def why_none(content: Any) -> str:
    """Why `find_state_dict` finds none, to go after "holds no state dict"."""
    places = list(_unknown_places(content, _MAX_DEPTH))
    if places:
        known = ", ".join((*_PLAIN, *_AVERAGED))
        return (
            f" under a name that is known: its tensors are under {', '.join(places[:3])}; known are {known}"
        )
    while isinstance(content, Mapping) and content:
        key, content = next(iter(content.items()))
        if not isinstance(content, Mapping):
            return f": entry {key!r} is a {type(content).__name__}"
    return ""


def _unknown_places(content: Any, depth: int) -> Iterator[str]:
    """Keys of mappings with tensors, wherever they are."""
    if not isinstance(content, Mapping) or not depth:
        return
    for key, value in content.items():
        if isinstance(value, Mapping) and any(isinstance(tensor, Tensor) for tensor in value.values()):
            yield repr(key)
        else:
            yield from _unknown_places(value, depth - 1)
