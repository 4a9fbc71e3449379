"""How weights begin, where the configuration says more than at random."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lcrs.models.variable_rate import GainHyperprior, GainSpaceChannelHyperprior
from lcrs.train.config import Config, ConfigError
from lcrs.train.data.crops import CropMaker
from lcrs.train.principal_components import initialise

__all__ = ["begin"]

_CROPS = 48
_LARGEST, _FACTOR = 256, 64
_FIRST = 1 << 40
"""Numbers of crops that no step has."""


def begin(net: nn.Module, config: Config, sampler: CropMaker | None) -> str:
    """Begins as `config.model.begin` says; returns it in words, or nothing.

    Raises:
        ConfigError: the network has no such beginning.
    """
    if config.model.begin == "default" or config.start is not None:
        return ""
    if sampler is None or not isinstance(net, GainHyperprior | GainSpaceChannelHyperprior):
        raise ConfigError(
            f'model.begin = "principal-components" is for the gain hyperpriors, not for {type(net).__name__}'
        )
    least = int(sampler.pictures.sizes.min())
    size = max(_FACTOR, min(_LARGEST, least // _FACTOR * _FACTOR))
    if size > least:
        raise ConfigError(
            f'model.begin = "principal-components" needs pictures of at least {size} on a side, data.train '
            f'has one of {least}: model.begin="default" does without'
        )
    crops = np.stack([sampler.make(_FIRST + k, size) for k in range(_CROPS)])
    initialise(net, torch.from_numpy(crops).float() / 255)
    return "weights begin as principal components of the pictures"
