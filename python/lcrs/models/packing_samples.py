"""What a package says of the arrays that its model codes, checked before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lcrs.errors import NotPortableError

if TYPE_CHECKING:
    from lcrs.layers.lowering import LoweredGraph

__all__ = ["check_samples"]

_TYPES = ("uint8", "int8", "uint16", "int16", "float32")
_MEMBERS = ("type", "channels", "minimum", "maximum")
_PICTURE_CHANNELS = 3


def check_samples(samples: Mapping[str, Any] | None, analysis: LoweredGraph | None) -> None:
    """Refuses what no package can say.

    Args:
        samples: As `lcrs.models.packing.pack` takes them.
        analysis: g_a, which says how many channels there are.

    Raises:
        NotPortableError: the model takes other than three channels, and there are no `samples`.
        ValueError: `samples` lack a member, or name another type or number of channels.
    """
    channels = None if analysis is None else _input_channels(analysis)
    if samples is None:
        if channels not in (None, _PICTURE_CHANNELS):
            example = {"type": "float32", "channels": channels, "minimum": 0, "maximum": 1}
            msg = (
                f"g_a takes {channels} channels and pictures have {_PICTURE_CHANNELS}: the package must say "
                f"what arrays it codes, pass samples={example} with your type and range"
            )
            raise NotPortableError(msg)
        return
    if missing := [name for name in _MEMBERS if name not in samples]:
        msg = f"samples lack {' and '.join(missing)}: {', '.join(_MEMBERS)} are needed"
        raise ValueError(msg)
    if samples["type"] not in _TYPES:
        msg = f"samples have the type {samples['type']!r} ({', '.join(_TYPES)})"
        raise ValueError(msg)
    if channels not in (None, samples["channels"]):
        msg = f"samples have {samples['channels']!r} channels, g_a takes {channels}"
        raise ValueError(msg)


def _input_channels(graph: LoweredGraph) -> int | None:
    """The channels that the graph's first convolution of its input takes; None if there is none."""
    for node in graph.description["nodes"]:
        if node["op"] == "conv2d" and node["in"] == [0]:
            return int(graph.tensors[node["weight"]].shape[1]) * int(node["groups"])
    return None
