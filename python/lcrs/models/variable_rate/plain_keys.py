"""The keys of a network in plain torch, and those of `GainSpaceChannelHyperprior`.

The weights of the shipped `photo-2` came about in a program that writes the whole network in one file, with a
captured graph for each step. Its parameters are these, under other names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

__all__ = ["PLAIN_KEYS", "rename_plain_keys"]

_T = TypeVar("_T")

PLAIN_KEYS: tuple[tuple[str, str], ...] = (
    # The convolution of a resampling, after a pixel-unshuffle and before a pixel-shuffle.
    (r"(g_a\.\d+\.blocks\.0)\.conv\.", r"\1.1."),
    (r"(g_s\.\d+\.(?:blocks\.)?\d+)\.conv\.", r"\1.0."),
    # Layers of h_s, whose pixel-shuffles count there.
    (r"h_s\.0\.", "h_s.0.0."),
    (r"h_s\.3\.", "h_s.2."),
    (r"h_s\.5\.", "h_s.4.0."),
    (r"h_s\.8\.", "h_s.6."),
    # What codes group k.
    (r"coders\.(\d+)\.(entry|blocks|log_gain|shift)\.", r"latent_codec.side_networks.y\1.\2."),
    (r"coders\.(\d+)\.context\.", r"latent_codec.latent_codec.y\1.context_prediction."),
    (r"coders\.(\d+)\.parameters1\.", r"latent_codec.latent_codec.y\1.entropy_parameters.0."),
    (r"coders\.(\d+)\.parameters2\.", r"latent_codec.latent_codec.y\1.entropy_parameters.2."),
)
"""Beginnings of keys there, as regular expressions, and what they are here; other keys are the same."""

_ONLY_THERE = "coders.0.entry.weight"


def rename_plain_keys(state_dict: Mapping[str, _T]) -> dict[str, _T]:
    """`state_dict` with the keys of `GainSpaceChannelHyperprior`, in the same order.

    Nothing but keys changes; a state dict that has these keys stays as it is. Buffers of entropy models and
    masks, which the plain network does not have, are not added.

    Example:
        >>> list(rename_plain_keys({"coders.0.entry.weight": 1, "h_s.3.bias": 2, "y_log_gain.values": 3}))
        ['latent_codec.side_networks.y0.entry.weight', 'h_s.2.bias', 'y_log_gain.values']
    """
    if _ONLY_THERE not in state_dict:
        return dict(state_dict)
    return {_renamed(key): value for key, value in state_dict.items()}


def _renamed(key: str) -> str:
    for beginning, replacement in PLAIN_KEYS:
        match = re.match(beginning, key)
        if match:
            return match.expand(replacement) + key[match.end() :]
    return key
