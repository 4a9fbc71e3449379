"""From an entry of the zoo to its model, with or without the published weights."""

from __future__ import annotations

import os
from typing import Any

from torch import nn

from lcrs.registry import MODELS
from lcrs.zoo.checkpoints import BASE_URL, Architecture
from lcrs.zoo.download import find_checkpoint
from lcrs.zoo.state_dicts import network_of, read_state_dict

__all__ = ["METRICS", "addresses", "build"]

METRICS = ("mse", "ms-ssim")


def build(
    entry: Architecture,
    metric: str,
    quality: int,
    pretrained: bool = False,
    progress: bool = True,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> nn.Module:
    """The model of `entry` at the sizes of a quality.

    Args:
        entry: What is published.
        metric: What it was trained for: "mse" or "ms-ssim".
        quality: From 1 (smallest files) up; a variable-rate model takes any and ignores it.
        pretrained: Loads the published weights; the network is in evaluation mode then.
        progress: Shows a download's progress on stderr.
        root: Folder that has the published files; with it nothing is downloaded.
        **kwargs: Arguments of the model's constructor, in place of the quality's.

    Raises:
        ValueError: there is no such quality or metric, or no published weights for it.
        MissingModelError: the weights are not here and cannot be downloaded.
        CorruptError: the file that is here is another.
    """
    if metric not in (METRICS if not entry.is_variable_rate else tuple(entry.weights)):
        raise ValueError(f"metric is {metric!r}, must be one of {', '.join(METRICS)}")
    if entry.is_variable_rate:
        quality = 1
    if not 1 <= quality <= entry.num_qualities:
        raise ValueError(f"quality of {entry.name} is {quality}, must be from 1 to {entry.num_qualities}")
    if not pretrained:
        net: nn.Module = MODELS.builtin(entry.name)(**{**entry.sizes[quality - 1], **kwargs})
        return net
    path = find_checkpoint(entry.file_name(quality, metric), root, progress)
    pretrained_net: Any = network_of(read_state_dict(path), MODELS.builtin(entry.name))
    config = getattr(pretrained_net, "config", {})
    for key, value in kwargs.items():
        if config.get(key, value) != value:
            raise ValueError(f"published weights have {key} = {config[key]}, not {value}")
    loaded: nn.Module = pretrained_net
    return loaded


def addresses(entry: Architecture) -> dict[str, dict[int, str]]:
    """Addresses of the published files by metric and quality."""
    return {
        metric: {
            quality: BASE_URL + entry.file_name(quality, metric)
            for quality in range(1, entry.num_qualities + 1)
        }
        for metric in entry.weights
    }
