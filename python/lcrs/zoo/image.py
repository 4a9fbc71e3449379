"""The zoo's functions: published architectures by quality and metric, with or without their weights."""

from __future__ import annotations

import os
from typing import Any

from torch import nn

import lcrs.models  # noqa: F401
from lcrs.registry import MODELS
from lcrs.zoo.checkpoints import ARCHITECTURES, BASE_URL
from lcrs.zoo.download import find_checkpoint
from lcrs.zoo.pretrained import load_pretrained
from lcrs.zoo.state_dicts import network_of, read_state_dict

__all__ = [
    "bmshj2018_factorized",
    "bmshj2018_factorized_relu",
    "bmshj2018_hyperprior",
    "bmshj2018_hyperprior_vbr",
    "cfgs",
    "cheng2020_anchor",
    "cheng2020_anchor_checkerboard",
    "cheng2020_attn",
    "elic2022_chandelier",
    "elic2022_official",
    "image_models",
    "load_pretrained",
    "mbt2018",
    "mbt2018_mean",
    "mbt2018_mean_vbr",
    "mbt2018_vbr",
    "model_architectures",
    "model_urls",
    "root_url",
]

METRICS = ("mse", "ms-ssim")


def create(
    name: str,
    metric: str,
    quality: int,
    pretrained: bool = False,
    progress: bool = True,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> nn.Module:
    """The model `name` at the sizes of a quality.

    Args:
        name: Registered name.
        metric: What it was trained for: "mse" or "ms-ssim".
        quality: From 1 (smallest files) up; a variable-rate model takes any and ignores it.
        pretrained: Loads the published weights; the network is in evaluation mode then.
        progress: Shows a download's progress on stderr.
        root: Folder that has the published files; with it nothing is downloaded.
        **kwargs: Arguments of the model's constructor, in place of the quality's.

    Raises:
        ValueError: there is no such model, quality or metric, or no published weights for it.
        MissingModelError: the weights are not here and cannot be downloaded.
        CorruptError: the file that is here is another.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"no model of the zoo is called {name!r}; there are {', '.join(ARCHITECTURES)}")
    entry = ARCHITECTURES[name]
    if metric not in (METRICS if not entry.is_variable_rate else tuple(entry.weights)):
        raise ValueError(f"metric is {metric!r}, must be one of {', '.join(METRICS)}")
    if entry.is_variable_rate:
        quality = 1
    if not 1 <= quality <= entry.num_qualities:
        raise ValueError(f"quality of {name} is {quality}, must be from 1 to {entry.num_qualities}")
    if not pretrained:
        net: nn.Module = MODELS[name](**{**entry.sizes[quality - 1], **kwargs})
        return net
    path = find_checkpoint(entry.file_name(quality, metric), root, progress)
    pretrained_net: Any = network_of(read_state_dict(path), name)
    for key, value in kwargs.items():
        if pretrained_net.config.get(key, value) != value:
            raise ValueError(f"published weights have {key} = {pretrained_net.config[key]}, not {value}")
    loaded: nn.Module = pretrained_net
    return loaded


_load_model = create  # CompressAI's name


def bmshj2018_factorized(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.FactorizedPrior`, quality 1 to 8; arguments and errors as `create`."""
    return create("bmshj2018-factorized", metric, quality, pretrained, progress, **kwargs)


def bmshj2018_factorized_relu(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.FactorizedPriorReLU` (CompressAI's function builds the GDN model), quality 1 to 8.

    There are no published weights. Arguments and errors as `create`.
    """
    return create("bmshj2018-factorized-relu", metric, quality, pretrained, progress, **kwargs)


def bmshj2018_hyperprior(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.ScaleHyperprior`, quality 1 to 8; arguments and errors as `create`."""
    return create("bmshj2018-hyperprior", metric, quality, pretrained, progress, **kwargs)


def mbt2018_mean(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.MeanScaleHyperprior`, quality 1 to 8; arguments and errors as `create`."""
    return create("mbt2018-mean", metric, quality, pretrained, progress, **kwargs)


def mbt2018(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.JointAutoregressiveHierarchicalPriors`, quality 1 to 8; the rest as `create`."""
    return create("mbt2018", metric, quality, pretrained, progress, **kwargs)


def cheng2020_anchor(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Cheng2020Anchor`, quality 1 to 6; arguments and errors as `create`."""
    return create("cheng2020-anchor", metric, quality, pretrained, progress, **kwargs)


def cheng2020_attn(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Cheng2020Attention`, quality 1 to 6; arguments and errors as `create`."""
    return create("cheng2020-attn", metric, quality, pretrained, progress, **kwargs)


def cheng2020_anchor_checkerboard(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Cheng2020AnchorCheckerboard` at the paper's size; there are no published weights."""
    return create("cheng2020-anchor-checkerboard", metric, quality, pretrained, progress, **kwargs)


def elic2022_official(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Elic2022Official` at the paper's size; there are no published weights."""
    return create("elic2022-official", metric, quality, pretrained, progress, **kwargs)


def elic2022_chandelier(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Elic2022Chandelier` at the paper's size; there are no published weights."""
    return create("elic2022-chandelier", metric, quality, pretrained, progress, **kwargs)


def bmshj2018_hyperprior_vbr(
    quality: int = 0, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.ScaleHyperpriorVbr`, of variable rate: `quality` is ignored; the rest as `create`."""
    return create("bmshj2018-hyperprior-vbr", metric, quality, pretrained, progress, **kwargs)


def mbt2018_mean_vbr(
    quality: int = 0, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.MeanScaleHyperpriorVbr`, of variable rate: `quality` is ignored; the rest as `create`."""
    return create("mbt2018-mean-vbr", metric, quality, pretrained, progress, **kwargs)


def mbt2018_vbr(
    quality: int = 0, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.JointAutoregressiveHierarchicalPriorsVbr`, of variable rate: `quality` is ignored."""
    return create("mbt2018-vbr", metric, quality, pretrained, progress, **kwargs)


image_models = {name: globals()[name.replace("-", "_")] for name in ARCHITECTURES}
"""The functions above by registered name, CompressAI's first and in its order."""

model_architectures = {name: MODELS[name] for name in ARCHITECTURES}
"""Model classes by registered name."""

model_urls = {
    name: {
        metric: {
            quality: BASE_URL + entry.file_name(quality, metric)
            for quality in range(1, entry.num_qualities + 1)
        }
        for metric in entry.weights
    }
    for name, entry in ARCHITECTURES.items()
}
"""Addresses of the published files by registered name, metric and quality."""

cfgs = {
    name: {quality: tuple(sizes.values()) for quality, sizes in enumerate(entry.sizes, 1)}
    for name, entry in ARCHITECTURES.items()
    if not entry.is_variable_rate
}
"""Sizes by registered name and quality."""

root_url = BASE_URL
